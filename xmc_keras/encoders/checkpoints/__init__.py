"""Weights of pretrained encoders, from Hugging Face folders."""
