"""A joined run in all commands, with another run and without."""

import json

import numpy as np
import pytest

from tests.helpers.answers import names_and_scores
from tests.helpers.fit_runs import METRICS, metrics
from xmc_keras.serving.server.served_model import ServedModel

SHARED = ["epochs=3", "batch_size=16", "validation_documents=30"]
SHARED += ["num_predictions=20"]
LINEAR = ["embedding_dim=12", "label_words=6", "refresh=3", "learning_rate=0.03"]
LINEAR += ["system=lightdxml", "encoder=words", "proxy_epochs=0", "num_neighbors=9"]
WORDS = ["system=one_vs_all", "max_tokens=16", "num_feature_layers=1", "pooling=mean"]
WORDS += ["optimizer=rowwise_sgd", "head_learning_rate=0.3", "head_start=centroids"]
CASES = {"linear": LINEAR, "words": WORDS}


@pytest.mark.large
@pytest.mark.parametrize("key", CASES)
def test_all_commands(key, tiny_data, tiny_encoder, tmp_path, call):
    recipe = tmp_path / "recipe.yaml"
    keys = [*SHARED, *CASES[key]]
    if key == "words":
        keys.append(f"encoder={tiny_encoder}")
    lines = [f"data: {tiny_data}", *(pair.replace("=", ": ") for pair in keys)]
    recipe.write_text("\n".join(lines) + "\n")
    joined, plain = tmp_path / "joined", tmp_path / "plain"
    for run, value in ((joined, "true"), (plain, "false")):
        result = call("fit", recipe, "--run", run, "--set", f"{key}={value}")
        assert result.status == 0, result.stderr
    assert metrics(joined)["learnt_validation"]
    assert "learnt_validation" not in metrics(plain)
    again = json.loads(call("evaluate", joined, "--json").stdout)
    for name in METRICS:
        assert again[name] == pytest.approx(metrics(joined)[name], abs=1e-6)

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
    # It is not calibrated: no answers are kept from before it learnt its documents.
    result = call("ensemble", joined, plain, "--weights", "validation")
    assert result.status == 2 and "Traceback" not in result.stderr
    assert "before its linear model learnt from these" in result.stderr
    assert str(joined) in result.stderr and "leave --weights out" in result.stderr
    result = call("export", joined, plain, tmp_path / "both", "-k", 3)
    assert result.status == 0, result.stderr
