"""Configs: the keys of a recipe and the files they are read from."""
