"""Commands on several runs."""
