"""A small data set that can be learnt in seconds, and its recipe."""

import pytest

from tests.helpers.tiny_data import write_part, write_tiny_encoder

RECIPE = """
data: {data}
encoder: {encoder}
validation_documents: 40
max_tokens: 24
num_feature_layers: 2
max_leaf: 5
top_k: 3
bottleneck_dim: 8
epochs: 3
batch_size: 16
learning_rate: 0.005
head_start: centroids
swa_start: 1
swa_every: 3
num_predictions: 20
checkpoint_minutes: 0.002
"""


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder of 300 and 100 documents, and an encoder of their words."""
    folder = tmp_path_factory.mktemp("data")
    write_part(folder, "train", 300, seed=0)
    write_part(folder, "test", 100, seed=1)
    (folder / "encoder").mkdir()
    write_tiny_encoder(folder / "encoder")
    return folder


@pytest.fixture
def recipe(data, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(data=data, encoder=data / "encoder"))
    return path
