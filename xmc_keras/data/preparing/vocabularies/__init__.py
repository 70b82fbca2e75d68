"""Readers of vocabularies: titles and texts of labels."""
