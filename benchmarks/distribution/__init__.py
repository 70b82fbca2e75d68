"""Benchmarks of training on several devices and machines."""
