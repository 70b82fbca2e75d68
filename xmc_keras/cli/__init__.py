"""The commands of the `xmc` program."""
