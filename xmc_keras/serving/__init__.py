"""Export to a SavedModel, and a server for it."""
