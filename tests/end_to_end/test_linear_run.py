"""A run with a linear member in all commands, with another run and without."""

import json

import numpy as np
import pytest

from tests.helpers.answers import names_and_scores
from tests.helpers.fit_runs import METRICS, metrics
from xmc_keras.serving.server.served_model import ServedModel

KEYS = ["embedding_dim=12", "label_words=6", "epochs=3", "refresh=3", "batch_size=16"]
KEYS += ["learning_rate=0.03", "validation_documents=30", "num_predictions=20"]
KEYS += ["system=lightdxml", "encoder=words", "proxy_epochs=0", "num_neighbors=9"]


@pytest.mark.large
def test_all_commands(tiny_data, tmp_path, call):
    recipe = tmp_path / "recipe.yaml"
    lines = [f"data: {tiny_data}", *(key.replace("=", ": ") for key in KEYS)]
    recipe.write_text("\n".join(lines) + "\n")
    joined, plain = tmp_path / "joined", tmp_path / "plain"
    for run, linear in ((joined, "true"), (plain, "false")):
        result = call("fit", recipe, "--run", run, "--set", f"linear={linear}")
        assert result.status == 0, result.stderr
    assert metrics(joined)["learnt_validation"] and "linear_c" not in metrics(plain)
    again = json.loads(call("evaluate", joined, "--json").stdout)
    for key in METRICS:
        assert again[key] == pytest.approx(metrics(joined)[key], abs=1e-6)

    texts = (tiny_data / "test_texts.txt").read_text().splitlines()[:9]
    result = call("predict", joined, "-k", 3, *texts)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for dtype, tolerance in (("float32", 1e-5), ("float16", 0.01)):
        exported = tmp_path / dtype
        result = call("export", joined, exported, "-k", 3, "--precision", dtype)
        assert result.status == 0, result.stderr
        served = ServedModel(exported / "1")
        asked = {"text": np.array([text.encode() for text in texts], object)}
        for row, answer in zip(names_and_scores(served.predict(asked)), answers):
            if dtype == "float32":
                assert [name for name, _ in row] == answer["labels"]
            assert [s for _, s in row] == pytest.approx(answer["scores"], abs=tolerance)
        served.close()

    result = call("report", joined, plain, "--output", tmp_path / "page.html")
    assert result.status == 0 and (tmp_path / "page.html").exists(), result.stderr
    result = call("ensemble", joined, plain, "--json")
    assert result.status == 0, result.stderr
    members = json.loads(result.stdout)["members"]
    assert members["joined"]["P@1"] == pytest.approx(metrics(joined)["P@1"], abs=1e-6)
    # Weights are not chosen by documents that a run has learnt from.
    result = call("ensemble", joined, plain, "--weights", "validation")
    assert result.status == 2 and "Traceback" not in result.stderr
    assert "Expected runs that have not learnt from the validation" in result.stderr
    assert str(joined) in result.stderr and "leave --weights out" in result.stderr
    result = call("export", joined, plain, tmp_path / "both", "-k", 3)
    assert result.status == 0, result.stderr
