"""Label names and scores for raw texts, and changes of a model's labels."""
