"""Label names, label features and label clusters."""
