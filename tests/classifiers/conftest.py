import pytest


@pytest.fixture(scope="session")
def few(tiny_data):
    """60 texts and their labels."""
    from xmc_keras import read_documents

    train = read_documents(tiny_data, "train")
    return train.texts[:60], train.labels[:60]


@pytest.fixture(scope="session")
def tagger(few):
    """A small `LightDXMLClassifier` of them, to be left as it is."""
    from xmc_keras import LightDXMLClassifier

    keys = {"epochs": 2, "embedding_dim": 8, "char_ngrams": None, "linear": False}
    return LightDXMLClassifier(**keys, verbose=False).fit(*few)
