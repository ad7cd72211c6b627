"""Ways to a platform."""
