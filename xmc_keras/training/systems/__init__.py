"""Training of each system from documents."""
