import pytest

from tests.helpers.rest_server import OneVersion, serving


@pytest.fixture(scope="module")
def model(golden_model):
    return golden_model


@pytest.fixture(scope="module")
def port(model):
    with serving(OneVersion("m", model)) as port:
        yield port
