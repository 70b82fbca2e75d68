"""Data sets: reading, splitting, batches."""
