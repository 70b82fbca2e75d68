"""Commands that make a run of another one: other labels, and corrections."""
