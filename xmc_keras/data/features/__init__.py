"""Documents as rows of features in the place of texts."""
