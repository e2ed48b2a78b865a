"""Losses: terms that bind an output to a target by their keys."""
