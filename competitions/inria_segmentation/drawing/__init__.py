"""Towns drawn from above, for the demo data."""
