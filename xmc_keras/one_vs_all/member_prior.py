"""Usual weights of the members of a joined model."""

# Weights of classifier, words of labels and linear model, and the bias: round means of
# those fitted on the validation splits of four data sets.
PRIOR = (0.4, 0.5, 2.5, -0.2)
# With a transformer, whose weight is the last but one.
PRIOR_WITH_TRANSFORMER = (0.2, 0.2, 1.5, 0.6, -0.1)
