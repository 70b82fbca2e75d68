"""Reading, splitting and batching of data sets."""
