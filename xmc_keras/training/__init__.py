"""Training of both systems."""
