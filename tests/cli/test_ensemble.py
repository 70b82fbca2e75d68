"""trainers/ensemble.py: averages over the union, against plain Python."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask
from tests.helpers.made_run import make_run
from tests.helpers.slow_metrics import slow_ndcg, slow_precision
from xmc_keras.cli.several_runs import ensemble
from xmc_keras.config.config import Config
from xmc_keras.data.documents import Documents, read_documents
from xmc_keras.data.filters import leave_out
from xmc_keras.data.splits import split_documents, validation_split
from xmc_keras.evaluation.ensemble.find_untrained import find_untrained
from xmc_keras.files.bad_input import BadInput
from xmc_keras.metrics.ranking_metrics import ranking_report
from xmc_keras.runs import read_test_part
from xmc_keras.serving.graph.serving_module import ServingModule


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_config):
    """Three clusterings of one data set."""
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder / name, tiny_config, i) for i, name in enumerate("abc")]


@pytest.fixture(scope="module")
def models(runs):
    return [run.load_model() for run in runs]


def all_scores(model, texts):
    """Scores of all labels (texts, labels), by hand from the model's weights."""
    places = {word: i for i, word in enumerate(model.tokenizer.get_vocabulary())}
    ids = np.zeros((len(texts), model.max_tokens), "int32")
    for row, text in zip(ids, texts):
        words = [places[word] for word in text.split()][: model.max_tokens - 2]
        words = [places["[CLS]"], *words, places["[SEP]"]]
        row[: len(words)] = words
    x = {"token_ids": ids, "padding_mask": ids > 0, "segment_ids": 0 * ids}
    features = model.encoder(x).numpy()  # (texts, dim)
    table = model.generator.clusters.numpy()
    rows = np.array([table.ravel().tolist().index(i) for i in range(20)])
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    clusters = features @ model.generator.kernel.numpy()
    clusters = sigmoid(clusters + model.generator.bias.numpy())
    kernel, bias = model.ranker.bottleneck.get_weights()
    labels = model.ranker.label_embeddings.numpy()[rows]
    logits = (features @ kernel + bias) @ labels.T  # started from one half
    return clusters[:, rows // table.shape[1]] * sigmoid(logits)


def by_hand(models, texts, weights):
    """Best ten labels of each text, and those that each model offers."""
    scores = [all_scores(model, texts) for model in models]
    rows = [model.recommend(texts, 10) for model in models]
    top, offered = [], []
    for i in range(len(texts)):
        kept = [
            [model.label_set.id(name) for name, _ in found[i]]
            for model, found in zip(models, rows)
        ]
        mean = {
            label: sum(w * own[i, label] for w, own in zip(weights, scores))
            for label in set().union(*kept)
        }
        top.append(sorted(mean, key=mean.get, reverse=True)[:10])
        offered.append(kept)
    return np.array(top), offered


def without(top, gone, label_set):
    """Rows of label ids without those of some names, with pads at the end."""
    rows = [
        [i for i in row if label_set.names[i] not in names]
        for row, names in zip(top, gone)
    ]
    return np.array([row + [-1] * (10 - len(row)) for row in rows])


@pytest.mark.parametrize("weights", ["equal", "validation"])
def test_metrics_are_those_of_averages_over_the_union(
    runs, models, tiny_data, tmp_path, call, caplog, monkeypatch, weights
):
    caplog.set_level("INFO")
    test = read_documents(tiny_data, "test")
    gone = [()] * len(test)
    if weights == "validation":  # two are enough to weigh
        runs, models = runs[:2], models[:2]
        # And with labels that are left out, a right one and any other.
        gone[::2] = [(names[0], "label07") for names in test.labels[::2]]
        leave_out(test, gone, "test_filter.txt")
        parts = {"test": test, "train": read_documents(tiny_data, "train")}
        read = lambda folder, part, *rest, **named: parts[part]  # noqa: E731
        for module in (ensemble, read_test_part):
            monkeypatch.setattr(module, "read_part", read)
    paths = [run.path for run in runs]
    arguments = ["--weights", weights, "--output", tmp_path / "out"]
    result = call("ensemble", *paths, *arguments)
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "out/metrics.json").read_text())
    assert sum(found["weights"]) == pytest.approx(1)
    if weights == "equal":
        assert found["weights"] == [1 / 3] * 3 and found["weighing_documents"] == 0
        assert "--weights" not in caplog.text
    else:
        assert found["weighing_documents"] == 30
        logged = caplog.text.split("--weights ")[1].split()[0]
        shares = [float(share) for share in logged.split(",")]
        assert shares == pytest.approx(found["weights"], abs=1e-4)
    relevant = models[0].label_set.encode(test.labels)
    counts, documents = runs[0].label_counts()
    n = np.asarray(counts, float)
    weight = 1 + (np.log(documents) - 1) * 2.5**0.55 * (n + 1.5) ** -0.55
    top, offered = by_hand(models, test.texts, found["weights"])
    left = without(top, gone, models[0].label_set)
    for key, value in ranking_report(left, relevant, weight).items():
        assert found[key] == pytest.approx(value, abs=1e-6)
    assert found["filtered_pairs"] == sum(len(set(names)) for names in gone)
    means = []
    for i, name in enumerate("abc"[: len(runs)]):
        own = without([row[i] for row in offered], gone, models[0].label_set)
        expected = ranking_report(own, relevant, weight)
        member = found["members"][name]
        assert {key: member[key] for key in expected} == pytest.approx(expected)
        means.append(member["P@1"])
    assert found["mean member"]["P@1"] == pytest.approx(sum(means) / len(runs))
    assert found["documents"] == 60 and found["labels"] == 20
    head = result.stdout.splitlines()
    names = [" ".join(line.split()[:-9]) for line in head[1:]]
    assert names == [*"abc"[: len(runs)], "mean member", "ensemble"]


@pytest.mark.parametrize("weights", ["equal", "validation"])
def test_other_documents(runs, models, tiny_data, tmp_path, call, weights):
    texts = ["word3a word3b", "word4a word4c word9a word9b"]
    labels = [{"label03"}, {"label09", "label04", "new"}]
    gone = [set(), {"label04"}]
    arguments = ["--data", tiny_data, "--weights", weights] * (weights != "equal")
    files = {"texts": texts, "labels": labels, "filter": gone}
    for name, rows in files.items():
        rows = [row if isinstance(row, str) else " ".join(row) for row in rows]
        (tmp_path / name).write_text("\n".join(rows) + "\n")
        arguments += [f"--{name}", tmp_path / name]
    result = call("ensemble", *(run.path for run in runs[:2]), *arguments, "--json")
    assert result.status == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["documents"] == 2 and found["filtered_pairs"] == 1
    assert found["weighing_documents"] == (30 if weights == "validation" else 0)
    top, _ = by_hand(models[:2], texts, found["weights"])
    left = without(top, gone, models[0].label_set)
    names = [[models[0].label_set.names[i] for i in row if i >= 0] for row in left]
    for k in (1, 3, 5):
        relevant = [row - out for row, out in zip(labels, gone)]
        expected = 100 * slow_precision(names, relevant, k)
        assert found[f"P@{k}"] == pytest.approx(expected)
        assert found[f"nDCG@{k}"] == pytest.approx(100 * slow_ndcg(names, relevant, k))


def test_the_exported_ensemble_ranks_alike(models, tiny_data):
    from xmc_keras.data.inputs import make_batches
    from xmc_keras.data.token_cache import TokenCache
    from xmc_keras.evaluation.ensemble.average_scores import average_scores
    from xmc_keras.evaluation.ensemble.member_scores import MemberScores
    from xmc_keras.recommending.rank_together import rank_together
    from xmc_keras.text.text_tokenizer import TextTokenizer

    texts, weights = read_documents(tiny_data, "test").texts, [3, 1, 2]
    members = []
    for model in models:
        tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
        tokens = TokenCache(*tokenizer(texts))
        members.append(
            MemberScores(model, make_batches(tokens, tokenizer.pad_id, None, 64))
        )
    ids, scores = rank_together(
        [member.label_ids for member in members],
        lambda ids: average_scores([m.scores_of(ids) for m in members], weights),
        5,
    )
    served = ask(
        ServingModule(models, 5, weights=weights), "serving_default", text=texts
    )
    names = models[0].label_set.names
    expected = [[names[i].encode() for i in row] for row in ids.numpy()]
    assert served["labels"].tolist() == expected
    np.testing.assert_allclose(served["scores"], scores, atol=1e-5)


def test_documents_that_no_run_learnt_from():
    def config(**values):
        return Config(data="none", encoder="none", **values)

    train = Documents(["a"] * 500, [["b"]] * 500)
    _, held_out = validation_split(500, 40, 3)
    same = [config(seed=3, validation_documents=40)] * 2
    assert find_untrained(same, train).tolist() == held_out.tolist()
    # Two seeds: what both held back or left out, and no more than one held back.
    few = [
        config(seed=seed, validation_documents=40, train_documents=100)
        for seed in (0, 1)
    ]
    found = find_untrained(few, train)
    assert len(found) == 40
    for one in few:
        trained, _ = split_documents(one, 500)
        assert not set(found) & set(trained)
    others = [config(seed=seed, validation_documents=40) for seed in (0, 1)]
    with pytest.raises(BadInput, match="Expected a validation split of 20 documents"):
        find_untrained(others, train)


def test_clusters_have_a_seed_of_their_own(tiny_config, tmp_path, call, monkeypatch):
    seeds = []

    def cluster_labels(rows, max_leaf, seed):
        seeds.append(seed)
        raise BadInput("Enough.")

    monkeypatch.setattr(
        "xmc_keras.training.systems.fit_lightxml.cluster_labels", cluster_labels
    )
    for settings in (["seed=3"], ["seed=3", "cluster_seed=0"]):
        settings = [f"--set={setting}" for setting in settings]
        result = call(
            *("fit", tiny_config, "--run", tmp_path / "run", *settings),
            tensorflow=False,
        )
        assert f"error: {tiny_config}: Enough." in result.stderr
    assert seeds == [3, 0]


def test_bad_input(runs, tiny_config, tiny_data, tmp_path, call):
    a, b = (run.path for run in runs[:2])

    def refused(*arguments):
        result = call("ensemble", *arguments, tensorflow=False)
        assert (result.status, result.stdout) == (2, ""), result.stderr
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    assert "Expected at least 2 runs. Received: 1." in refused(a)
    files = ["--texts", tmp_path / "texts", "--labels", tmp_path / "labels"]
    assert "--texts and --labels together" in refused(a, b, *files[:2])
    for path, line in zip(files[1::2], ("a text", "elsewhere")):
        path.write_text(f"{line}\n")
    assert "labels:1: Expected labels of the tr" in refused(a, b, *files)
    assert "Expected a threshold: f1" in refused(a, b, "--threshold", "best")
    assert "Expected each run once" in refused(a, b, a)
    assert "with config.yaml in it" in refused(a, tmp_path)
    other = tmp_path / "other"
    shutil.copytree(a, other)
    (other / "digests.json").unlink()  # files that were changed on purpose
    (other / "label_names.txt").write_text("x\ny\n")
    assert "same labels as" in (error := refused(a, other)) and "2, not 20" in error
    shutil.copy(a / "label_names.txt", other)
    counts = dict(np.load(a / "label_counts.npz"))
    np.savez(other / "label_counts.npz", **{**counts, "digest": "another"})
    assert "same training part as" in refused(a, other)
    (other / "metrics.json").unlink()
    assert "Expected a finished run" in refused(a, other)
    assert "the folder of a run" in refused(a, b, "--output", other)
    out = tmp_path / "out"
    out.mkdir()
    (out / "metrics.json").write_text("{}")
    assert "Expected no earlier file" in refused(a, b, "--output", out)
    assert (out / "metrics.json").read_text() == "{}"
    # The folder of the data has gone.
    for name in ("first", "second"):
        shutil.copytree(a, tmp_path / name)
        text = (a / "config.yaml").read_text().replace(str(tiny_data), "gone")
        (tmp_path / name / "config.yaml").write_text(text)
        (tmp_path / name / "digests.json").unlink()
    error = refused(tmp_path / "first", tmp_path / "second")
    assert f"no folder {Path.cwd() / 'gone'} or " in error and "with --data." in error


def test_the_weights_of_an_export(runs, tmp_path, call):
    paths = [run.path for run in runs]
    for weights, message in (
        ("1,2", "Expected as many weights as models, 3. Received: 2."),
        ("1,-2,3", "numbers of at least 0"),
        ("0,0,0", "not all 0"),
        ("a,b,c", "separated by commas: a,b,c"),
    ):
        result = call(
            "export",
            *(*paths, tmp_path / "out", f"--weights={weights}"),
            tensorflow=False,
        )
        assert result.status == 2 and message in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.large
def test_exported_with_weights(runs, tmp_path, call):
    paths = [run.path for run in runs]
    result = call("export", *paths, tmp_path / "out", "--weights", "3,1,0")
    assert result.status == 0, result.stderr
    card = (tmp_path / "out/1/assets.extra/model_card.md").read_text()
    assert "Weight in the ensemble: 75%." in card
    assert "Weight in the ensemble: 0%." in card
    assert tf.saved_model.contains_saved_model(str(tmp_path / "out/1"))
