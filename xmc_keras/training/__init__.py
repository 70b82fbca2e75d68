"""Training of LightXML and LightDXML."""
