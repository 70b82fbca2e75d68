"""The page for people who tag, and what it asks the server for."""
