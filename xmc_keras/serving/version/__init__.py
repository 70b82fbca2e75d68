"""Versions of exported models: writing, checking and describing them."""
