import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def minilm():
    """Folder of the real pretrained encoder, as a string."""
    from xmc_keras.pretrained import minilm_folder

    return str(minilm_folder())


@pytest.fixture
def backbone():
    """A BERT of two layers of four, over 40 tokens."""
    import keras
    import keras_nlp

    keras.utils.set_random_seed(0)
    return keras_nlp.models.BertBackbone(
        vocabulary_size=40,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        max_sequence_length=16,
        dropout=0.0,
    )


@pytest.fixture(autouse=True)
def float32_policy():
    """Leaves the dtype policy as it was, whatever a test sets."""
    yield
    import sys

    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")
