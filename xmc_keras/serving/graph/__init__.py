"""Graph of a SavedModel: raw text in, label names and scores out."""
