import json
import re

import numpy as np
import pytest

from tests.helpers.programs import start
from tests.helpers.tiny_data import write_words_recipe

GIB = 2**30


@pytest.fixture
def plan(call, monkeypatch):
    """Runs the program, on a machine with `available` bytes."""

    def plan(*arguments, available=100 * GIB):
        monkeypatch.setattr(
            "xmc_keras.cli.plan.measure_free_memory", lambda: {"machine": available}
        )
        return call("plan", *arguments)

    return plan


def test_the_program(tiny_config):
    stdout, stderr = start("plan", tiny_config).communicate()
    out = stdout.decode()
    assert out.startswith("20 labels in 4 clusters of at most 5, 51 training steps\n")
    # The figures of the parts make those of the sum.
    rows = [line.split("  ")[-1].strip() for line in out.splitlines()]
    rows = dict(zip((re.split(r"  +", line)[0] for line in out.splitlines()), rows))
    parts = [float(rows[p]) for p in ("process", "weights", "moments", "averages")]
    steps = ("gradients", "activations", "label rows", "scores", "update")
    parts += [float(rows[p]) for p in steps]
    assert sum(parts) == pytest.approx(float(rows["training step"]), abs=0.05)
    assert out.endswith("The run fits.\n")
    assert "Traceback" not in stderr.decode() and "Warning" not in stderr.decode()


def test_json(plan, tiny_config):
    result = plan(tiny_config, "--json")
    assert result.status == 0
    report = json.loads(result.stdout)
    assert (report["labels"], report["clusters"]) == (20, [4, 5])
    assert (report["documents"], report["steps"]) == (160, 3 * 17)
    assert report["fits"] and report["remedies"] == []
    peak = report["phases_gb"]["training step"]
    assert report["training_step_gb"]["8"]["16"] == peak
    assert set(report["training_step_gb"]) == {"4", "8", "16"}
    assert report["needs_gb"] == {"machine": max(report["phases_gb"].values())}
    assert report["room_gb"] == {"machine": 100 * GIB / 1e9}


def test_without_the_data(plan, tiny_config):
    sizes = ["--labels", "670091", "--documents", "490449"]
    arguments = ["--set", "data=not_here", "--set", "max_leaf=100", *sizes]
    result = plan(tiny_config, *arguments, "--json")
    report = json.loads(result.stdout)
    assert report["clusters"] == [8192, 82] and report["documents"] == 490_449
    without = json.loads(plan(tiny_config, *arguments[:-2], "--json").stdout)
    assert without["steps"] is None
    assert without["phases_gb"] == report["phases_gb"]
    out = plan(tiny_config, *arguments).stdout
    assert "670,091 labels in 8,192 clusters of at most 82, 183,909 training" in out
    assert "training steps" not in plan(tiny_config, *arguments[:-2]).stdout
    # Without a ranker there is no int8.
    single = plan(tiny_config, *arguments, "--set", "max_leaf=1").stdout
    assert "SavedModel int8" in out and "SavedModel int8" not in single


def test_what_just_fits(plan, tiny_config):
    needed = json.loads(plan(tiny_config, "--json").stdout)["needs_gb"]["machine"]
    for share, words in (
        (0.999, "does not fit"),
        (1.001, "but only just"),
        (1.2, "fits."),
    ):
        result = plan(tiny_config, available=int(needed * share * 1e9))
        assert result.status == (share < 1) and words in result.stdout


def test_what_does_not_fit(plan, tiny_config):
    sizes = ["--labels", "3000000", "--set", "bottleneck_dim=512"]
    # Not measured either: that would take what is not there.
    result = plan(tiny_config, *sizes, "--measure", available=9 * GIB)
    assert result.status == 1 and result.stderr == ""
    last = result.stdout.splitlines()[-3:]
    assert last[0].endswith("9.7 GB free.") and last[1] == "The run does not fit."
    assert re.match(r"These help: .*bottleneck_dim: 256 \(\d+\.\d GB\)", last[2])
    result = plan(tiny_config, *sizes, "--json", available=9 * GIB)
    assert result.status == 1
    report = json.loads(result.stdout)
    assert not report["fits"] and "measured" not in report
    for remedy in report["remedies"]:
        assert remedy["needs_gb"]["machine"] < report["needs_gb"]["machine"]
    assert {"bottleneck_dim", "needs_gb"} in [set(r) for r in report["remedies"]]


def test_workers(plan, tiny_config):
    alone = json.loads(plan(tiny_config, "--json").stdout)
    result = plan(tiny_config, "--workers", "4", "--shard-labels", "--json")
    assert result.status == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["workers"], report["worker_documents"]) == (4, 2)
    assert report["shard_labels"] is True and "workers" not in alone
    for size in ("weights_gb", "moments_gb"):
        assert 4 * report[size]["label table"] == alone[size]["label table"]
    assert report["steps"] == alone["steps"] and report["disk_gb"] == alone["disk_gb"]
    out = plan(tiny_config, "--workers", "4").stdout
    assert "one of 4 workers, with 2 documents of a batch\n" in out
    assert "Memory of the machine for a worker: " in out
    table = out.partition("received in a training step")[2].split("\n\n")[0]
    sizes = [float(line.split()[-1]) for line in table.splitlines()[1:]]
    assert sum(sizes[:-1]) == pytest.approx(sizes[-1], abs=0.02) and sizes[-1] > 0
    assert "label rows" in table and "logits" not in table


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--workers", "0"], "Expected --workers to be at least 1"),
        (["--shard-labels"], "Expected --shard-labels with --workers of at least 2"),
        (["--workers", "3"], "multiple of the workers, 3. Received: 8"),
        (["--workers", "2", "--measure"], "Expected --measure without --workers"),
        (
            ["--workers", "8", "--shard-labels"],
            "Expected at most as many workers as clusters, 4. Received: 8",
        ),
        (
            ["--workers", "2", "--shard-labels", "--set", "max_leaf=1"],
            "max_leaf: 1, where a label is a cluster. Leave --shard-labels out.",
        ),
    ],
)
def test_bad_workers(plan, tiny_config, arguments, message):
    result = plan(tiny_config, *arguments)
    assert (result.status, result.stdout) == (2, ""), result.stderr
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_labels_of_a_lightdxml_are_not_dealt_out(plan, tmp_path):
    recipe = tmp_path / "words.yaml"
    recipe.write_text("system: lightdxml\ndata: x\nencoder: words\n")
    sizes = ["--labels", "50", "--features", "90", "--set", "batch_size=8"]
    done = plan(recipe, *sizes, "--workers", "2")
    assert done.status == 0 and "word rows" in done.stdout, done.stderr
    done = plan(recipe, *sizes, "--workers", "2", "--shard-labels")
    assert done.status == 2 and "Expected system: lightxml or one_vs_all" in done.stderr


@pytest.mark.large
def test_measured(plan, tiny_config):
    out = plan(tiny_config, "--measure", "1").stdout
    assert re.search(r"\nMeasured: \d+\.\d{3} s per training step, \d+\.\d\d GB", out)
    assert re.search(r"\nTraining takes \d+\.\d\d hours at that rate\.\n$", out)


def test_the_trial_draws_the_data_as_it_is(tiny_config, monkeypatch):
    from xmc_keras.config.config_file import load_config
    from xmc_keras.data.documents import Documents
    from xmc_keras.encoders.encoder_shape import EncoderShape
    from xmc_keras.training.planning import measure_transformer as trial
    from xmc_keras.training.planning.lightxml_plan import LightXMLPlan

    config = load_config(tiny_config)
    sizes = 4, 100, 2
    plan = LightXMLPlan(config, EncoderShape.named(config.encoder), *sizes)
    texts = [f"word{i}" for i in range(100)]
    labels = [["b"] if i % 2 else ["a", "c", "d"][: 1 + i % 3] for i in range(100)]
    documents = Documents(texts, labels, list(range(100)), "t", "l")

    def tokenizer(texts):
        ids = np.array([int(text[4:]) for text in texts], np.int32)
        return ids, np.arange(len(ids) + 1)

    tokens, matrix = trial.draw_documents(plan, documents, 3, tokenizer)
    drawn = tokens.token_ids.tolist()
    assert len(drawn) == len(set(drawn)) == 3 * config.batch_size
    for i, row in zip(drawn, matrix.toarray()):
        assert ["abcd"[j] for j in np.flatnonzero(row)] == labels[i]
    # No more than there are.
    assert len(trial.draw_documents(plan, documents, 50, tokenizer)[0]) == 100

    tokens, matrix = trial.make_random_documents(plan, 3)
    assert tokens.lengths.tolist() == [config.max_tokens] * 24
    assert tokens.token_ids.max() < plan.encoder.vocabulary_size
    assert matrix.shape == (24, 4) and (matrix.sum(axis=1) == 2).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--labels", "0"], "Expected --labels to be at least 1"),
        (["--measure", "-1"], "Expected --measure to be at least 1"),
        (["--documents", "9"], "Expected --labels with --documents"),
        (["--set", "data=not/here"], "not/here: Expected the folder of the data, or"),
        (
            ["--set", "top_k=5"],
            "Expected top_k to be at most the number of clusters, 4",
        ),
        (["--set", "levels=[4]"], "levels below the number of clusters, 4, for 20"),
        (
            ["--set", "num_feature_layers=5", "--set", "level_layers=[1,3]"],
            "level_layers to be at most the layers of the encoder, 2",
        ),
        (["--set", "max_tokens=40"], "at most the positions of the encoder, 32"),
        (["--set", "num_feature_layers=3"], "at most the layers of the encoder, 2"),
        (["--set", "validation_documents=160"], "the training documents less one, 159"),
        (["--set", "encoder=no/such"], "Expected `encoder` to be a keras-nlp preset"),
    ],
)
def test_bad_input(arguments, message, plan, tiny_config):
    result = plan(tiny_config, *arguments)
    assert result.status == 2 and result.stdout == ""
    assert message in result.stderr.splitlines()[-1]


@pytest.mark.large
@pytest.mark.parametrize("num_labels", [4096, 200_000])
@pytest.mark.parametrize(
    "max_tokens, recompute", [(32, "false"), (128, "false"), (128, "true")]
)
def test_the_peak_is_what_a_real_step_takes(
    num_labels, max_tokens, recompute, tmp_path
):
    """To a tenth, in a separate process."""
    config = tmp_path / "shape.yaml"
    config.write_text("data: none\nencoder: minilm\nbatch_size: 16\n")
    settings = (f"max_tokens={max_tokens}", "bottleneck_dim=400", "epochs=1")
    settings += (f"recompute={recompute}",)
    settings = [word for setting in settings for word in ("--set", setting)]
    sizes = ["--labels", num_labels, "--documents", 4600]
    process = start("plan", config, *settings, *sizes, "--measure", "2", "--json")
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    report = json.loads(stdout)
    measured = report["measured"]
    assert measured["steps"] == 2 and report["steps"] == 3600 / 16
    assert measured["hours"] == pytest.approx(measured["step_s"] / 16)
    peak = measured["peak_gb"]["machine"]
    assert report["phases_gb"]["training step"] == pytest.approx(peak, rel=0.1)


@pytest.fixture
def words_config(tmp_path, tiny_data):
    return write_words_recipe(tmp_path, tiny_data, batch_size=8, epochs=3)


def test_lightdxml_of_its_data(plan, words_config):
    report = json.loads(plan(words_config, "--json").stdout)
    assert (report["labels"], report["features"], report["cycles"]) == (20, 60, 2)
    assert (report["documents"], report["steps"]) == (160, 3 * 17)
    assert 2 <= report["words"] <= 8 and "clusters" not in report
    assert report["parameters"]["encoder"] == 60 * 16 + 16 * 17
    assert report["parameters"]["classifier"] == 20 * 17
    assert set(report["training_step_gb"]["8"]) == {"3", "6", "12"}
    peak = report["phases_gb"]["training step"]
    assert report["training_step_gb"]["8"]["12"] == peak
    out = plan(words_config).stdout
    assert out.startswith("20 labels, 60 features, ")
    assert "12 neighbors" in out and out.endswith("The run fits.\n")
    small = plan(words_config, "--set", "max_features=7", "--json").stdout
    assert json.loads(small)["features"] == 7


def test_lightdxml_of_features(plan, words_config, tmp_path):
    (tmp_path / "train.txt").write_text("3 9 5\n0,1 1:1 2:1\n3 4:1\n0 8:1 3:2 2:1\n")
    settings = ("--set", f"data={tmp_path}", "--set", "validation_documents=1")
    report = json.loads(plan(words_config, *settings, "--json").stdout)
    assert (report["labels"], report["features"], report["words"]) == (3, 9, 2.0)
    result = plan(words_config, *settings, "--set", "system=lightxml")
    assert result.status == 2


def test_lightdxml_without_the_data(plan, words_config):
    sizes = ("--labels", "670091", "--documents", "490449", "--features", "135909")
    settings = ("--set", "embedding_dim=300", "--set", "num_neighbors=500")
    out = plan(words_config, *sizes, *settings).stdout
    assert out.partition("\n")[0] == (
        # Three epochs of 490,419 documents, in batches of 8.
        "670,091 labels, 135,909 features, 75 per document, 183,909 steps in 2 cycles"
    )
    assert "shortlists " in out and "SavedModel float16" in out
    result = plan(words_config, *sizes, *settings, available=5 * GIB)
    assert result.status == 1
    assert "These help: embedding_dim: 150" in result.stdout
    result = plan(words_config, *sizes[:4])
    assert result.status == 2 and "Expected the number of features" in result.stderr
    result = plan(words_config, *sizes[2:])
    assert result.status == 2 and "Expected --labels with --documents" in result.stderr


def test_lightdxml_does_not_begin_a_run_that_does_not_fit(
    call, words_config, tmp_path, monkeypatch
):
    room = {"machine": 10**9}
    monkeypatch.setattr(
        "xmc_keras.training.planning.check_memory.measure_free_memory", lambda: room
    )
    result = call("fit", words_config, "--run", tmp_path / "run")
    assert result.status == 2
    assert "Expected a run that fits into memory" in result.stderr
    assert "1.3 GB for the machine, which has 1.0" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", ["its own", "none"])
def test_lightdxml_measured(data, plan, words_config):
    sizes = ("--labels", "50", "--documents", "200", "--features", "30")
    result = plan(words_config, *(sizes if data == "none" else ()), "--measure", "2")
    assert result.status == 0, result.stderr
    assert re.search(r"\nMeasured: \d+\.\d{3} s per training step", result.stdout)
    assert re.search(
        r"\nTraining takes \d+\.\d\d hours at that rate\.\n"
        r"\d+\.\d\d hours of it are exact search for shortlists\.\n$",
        result.stdout,
    )


def test_numbers_of_words_for_an_encoder_that_reads_tokens(plan, tiny_config):
    for option in ("--features", "--words"):
        result = plan(tiny_config, "--labels", "20", option, "9")
        assert result.status == 2 and "Leave them out." in result.stderr


@pytest.mark.parametrize(
    "text, foreign",
    [("La vida en el campo", True), ("A text editor for the web", False)],
)
def test_texts_in_another_language_than_the_encoder(
    plan, tmp_path, caplog, text, foreign
):
    for part in ("train", "test"):
        (tmp_path / f"{part}_texts.txt").write_text(f"{text}\n" * 9)
        (tmp_path / f"{part}_labels.txt").write_text("a b\n" * 9)
    (tmp_path / "mine.yaml").write_text(f"data: {tmp_path}\nencoder: minilm\n")
    assert plan(tmp_path / "mine.yaml").status == 0
    warned = "9 of 9 texts looked at are not English" in caplog.text
    assert warned == foreign
    words = ["system=lightdxml", "encoder=words"]
    settings = [part for key in words for part in ("--set", key)]
    caplog.clear()
    assert plan(tmp_path / "mine.yaml", *settings).status == 0
    assert "English" not in caplog.text
