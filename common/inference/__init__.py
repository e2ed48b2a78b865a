"""From checkpoints and new images to predictions."""
