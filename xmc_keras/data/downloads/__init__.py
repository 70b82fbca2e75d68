"""Downloads of the benchmark data sets of the papers."""
