"""Tokenizers and word features of texts."""
