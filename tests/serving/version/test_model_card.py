"""The model card of a version, in plain Python."""

import pytest

from xmc_keras.serving.version.model_card import write_model_card

METRICS = {f"P@{k}": 80.0 / k for k in (1, 3, 5)}
METRICS |= {"train_documents": 1234, "propensity_a": 0.55, "propensity_b": 1.5}


@pytest.mark.parametrize(
    "more, part",
    [
        ({}, "on the test part"),
        ({"evaluated_on": "test"}, "on the test part"),
        ({"evaluated_on": "validation"}, "on the validation documents"),
    ],
)
def test_metrics_and_the_part_they_are_of(more, part):
    config = {"system": "lightdxml", "data": "texts"}
    run = {"name": "a", "config": config, "num_labels": 3, "metrics": METRICS | more}
    card = write_model_card([run], {"score": "Scores."}, "float32", "float32")
    assert f"In percent {part}, after 1,234 training documents" in card
    assert "| P@1 | P@3 | P@5 |\n| --- | --- | --- |\n| 80.00 | 26.67 | 16.00 |" in card
    assert "LightDXML: extreme" in card and "data: texts" in card
