import pytest

from tests.helpers.rest_server import OneVersion, serving
from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile


@pytest.fixture
def corrections(tmp_path):
    return CorrectionsFile(tmp_path / "corrections.jsonl", seconds=0.2)


@pytest.fixture
def port(named_model, corrections):
    """A server of the small model, with names and titles, that keeps corrections."""
    with serving(OneVersion("m", named_model), corrections=corrections) as port:
        yield port
