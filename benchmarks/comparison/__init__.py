"""Parts of `benchmarks.datasets`: systems and linear peers, measured alike."""
