"""Readers of Annif's corpora."""
