"""Labels: names, features, clusters."""
