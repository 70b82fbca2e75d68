"""Runs that are made of another one: other labels, and corrections."""
