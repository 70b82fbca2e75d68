import pytest

from tests.helpers.version_folder import Folder
from xmc_keras.serving.server.model_versions import ModelVersions


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    return Folder(path)


@pytest.fixture
def versions(folder):
    """Starts `ModelVersions` on the folder; stops them at the end."""
    started = []

    def start():
        versions = ModelVersions("m", folder.path, 0.01, folder.loader)
        versions.start()
        started.append(versions)
        return versions

    yield start
    for versions in started:
        versions.stop(0)
