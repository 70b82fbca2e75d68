"""LightDXML: label embeddings, shortlists, a classifier and the model of them."""
