"""Encoders: document features from tokens or words."""
