"""Configs: the keys of a recipe, and the YAML files that they are read from."""
