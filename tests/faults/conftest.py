import pytest

from tests.helpers.tiny_data import write_words_recipe


@pytest.fixture(scope="session")
def words_config(tmp_path_factory, tiny_data):
    """Path of a LightDXML config that learns the tiny data in seconds."""
    folder = tmp_path_factory.mktemp("configs")
    return write_words_recipe(folder, tiny_data, num_neighbors=8)
