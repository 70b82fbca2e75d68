"""LightXML: generator, ranker and the model of them."""
