"""Commands that make folders of data."""
