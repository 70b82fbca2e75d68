"""Time and memory of training, prediction, serving, clustering and data."""
