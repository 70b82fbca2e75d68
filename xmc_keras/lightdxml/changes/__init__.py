"""A LightDXML with other labels, or with corrections."""
