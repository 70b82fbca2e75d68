import dataclasses

from xmc_keras.config.config import Config
from xmc_keras.config.describe_config import describe_config


def test_every_key_is_described_with_type_default_and_meaning():
    text = describe_config()
    for field in dataclasses.fields(Config):
        _, _, rest = f"\n{text}".partition(f"\n{field.name}: ")
        accepted = rest.partition("\n    " + field.metadata["help"].split()[0])[0]
        assert accepted.endswith("required") or "default" in accepted
        assert field.metadata["help"].endswith(".")
        assert field.metadata["help"].split()[-1] in text
    assert "negatives: dynamic or static, default dynamic" in text
    assert "swa_start: an integer of at least 0, or null; default null" in text
    assert max(map(len, text.splitlines())) <= 80
