"""Prediction by an export with engines for many machines."""
