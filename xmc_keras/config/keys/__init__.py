"""The keys of a config, by the systems that read them."""
