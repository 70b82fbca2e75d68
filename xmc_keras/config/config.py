"""The keys of a recipe."""

import dataclasses

from xmc_keras.config.config_conflicts import find_conflicts
from xmc_keras.config.keys.config_key import convert_value
from xmc_keras.config.keys.lightdxml_keys import LightDXMLKeys
from xmc_keras.config.keys.lightxml_keys import LightXMLKeys
from xmc_keras.config.keys.one_vs_all_keys import OneVsAllKeys
from xmc_keras.config.keys.shared_keys import SharedKeys
from xmc_keras.config.keys.transformer_keys import TransformerKeys

# Values of the key `system`, and how they are written.
SYSTEMS = {
    "lightxml": "LightXML",
    "lightdxml": "LightDXML",
    "one_vs_all": "one-vs-all",
}


# A dataclass takes the fields of its last base first: this is the order of a file.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(OneVsAllKeys, LightDXMLKeys, LightXMLKeys, TransformerKeys, SharedKeys):
    """How a model is trained, as flat keys.

    `describe_config()` lists the keys with the values that they accept, their
    defaults and their meaning. Values are checked when a config is made: a wrong
    value, keys that exclude each other, and a key of another system with another
    value than its default raise `ValueError`. Sizes that are null depend on the data:
    `fit()` chooses them. `load_config()` reads a config from a file; `configs/` has
    the recipes of the papers.

    Example:

    >>> config = Config(encoder="minilm", epochs=4)
    >>> config.epochs, config.max_leaf, config.head_learning_rate
    (4, 100, 0.005)
    >>> Config(encoder="minilm", top_k=0)
    Traceback (most recent call last):
    ValueError: Expected top_k to be an integer of at least 1, or null. Received: 0.
    >>> Config(encoder="minilm", refresh=2)
    Traceback (most recent call last):
    ValueError: Expected keys of lightxml. Received: refresh, a key of lightdxml. ...

    Reference: Jiang et al., LightXML (https://arxiv.org/abs/2101.03305), Table 1.
    """

    @property
    def title(self):
        """What is trained, in words, for example of a table of metrics."""
        return SYSTEMS[self.system] + " and words" * self.words

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = convert_value(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        for _, message in find_conflicts(vars(self)):
            raise ValueError(message)
