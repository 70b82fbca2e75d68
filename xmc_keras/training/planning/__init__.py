"""Memory, disk and step estimates of a run."""
