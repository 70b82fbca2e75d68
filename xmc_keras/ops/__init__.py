"""Tensor functions shared by the layers."""
