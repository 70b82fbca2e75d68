"""One-vs-all: linear classifiers of all labels over words."""
