"""Label names and scores for raw texts."""
