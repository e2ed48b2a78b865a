"""Parts of `kit check`."""
