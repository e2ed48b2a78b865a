"""Scores: the usual ones by name, and the type that a competition's own metric takes."""
