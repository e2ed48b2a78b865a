"""Global Wheat Detection: find every wheat head in pictures of fields around the world."""
