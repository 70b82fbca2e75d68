"""Readers of documents given as features instead of texts."""
