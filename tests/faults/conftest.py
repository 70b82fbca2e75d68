import pytest


@pytest.fixture(scope="session")
def words_config(tmp_path_factory, tiny_data):
    """Path of a LightDXML config that learns the tiny data in seconds."""
    path = tmp_path_factory.mktemp("configs") / "words.yaml"
    path.write_text(
        f"""
system: lightdxml
data: {tiny_data}
encoder: words
validation_documents: 30
embedding_dim: 16
epochs: 4
refresh: 2
proxy_epochs: 2
num_neighbors: 8
num_predictions: 10
batch_size: 16
"""
    )
    return path
