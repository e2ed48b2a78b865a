"""Blending experiments by their out-of-fold predictions, so that the gain is not optimistic."""
