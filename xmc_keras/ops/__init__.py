"""Tensor functions that the layers share."""
