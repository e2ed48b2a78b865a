"""Callbacks, one question each: they select and decide when; figures render, loggers log."""
