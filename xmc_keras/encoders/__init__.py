"""Encoders: from tokens or words to the feature of a document."""
