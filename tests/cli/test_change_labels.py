"""`xmc add-labels`, `remove-labels` and `rename-labels`: the runs that they make."""

import json
import shutil

import numpy as np
import pytest

from xmc_keras.data.documents import read_documents
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.changes.old_documents import read_added, read_old_documents
from xmc_keras.runs.finished_runs import open_finished_runs, read_metrics
from xmc_keras.runs.run_folder import RunFolder


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def examples(tiny_data):
    """Documents of one known label, which are those of two new ones, too."""
    documents = read_documents(tiny_data, "train")
    name = documents.labels[0][0]
    own = [t for t, names in zip(documents.texts, documents.labels) if name in names]
    return name, [{"text": text, "labels": ["new one", "twin", name]} for text in own]


@pytest.fixture
def added(call, tiny_run, examples, tmp_path):
    path = write_lines(tmp_path / "new.jsonl", examples[1])
    result = call("add-labels", tiny_run.folder, path, "--run", tmp_path / "added")
    assert result.status == 0, result.stderr
    return RunFolder(tmp_path / "added")


def test_added_labels_are_a_finished_run(call, tiny_run, examples, added, tmp_path):
    before = RunFolder(tiny_run.folder)
    names = before.label_set().names
    assert added.label_set().names == [*names, "new one", "twin"]
    counts, documents = added.label_counts()
    own, total = before.label_counts()
    np.testing.assert_array_equal(counts[:-2], own)
    assert counts[-2:].tolist() == 2 * [len(examples[1])]
    assert documents == total + len(examples[1])
    clusters = added.clusters()
    assert sorted(clusters[clusters >= 0]) == list(range(len(names) + 2))
    model = added.load_model()
    np.testing.assert_array_equal(model.label_clusters.clusters, clusters)
    metrics = read_metrics(added)
    assert metrics["P@1"] == read_metrics(before)["P@1"]
    assert metrics["unmeasured_changes"] == 1
    (change,) = metrics["changes"]
    assert change["change"] == "add-labels" and change["labels"] == ["new one", "twin"]
    assert change["from"] == str(tiny_run.folder.resolve())
    # What has the label of which the new ones are copies has them, too.
    texts = [row["text"] for row in examples[1]]
    best = [dict(row) for row in model.recommend(texts, k=5)]
    assert np.mean(["new one" in row for row in best]) > 0.8
    predicted = call("predict", added.path, texts[0], "-k", 10)
    assert predicted.status == 0 and "new one" in predicted.stdout


@pytest.mark.large
def test_commands_take_the_run(call, added, tmp_path):
    evaluated = call("evaluate", added.path)
    assert evaluated.status == 0, evaluated.stderr
    result = call("export", added.path, tmp_path / "exports")
    assert result.status == 0, result.stderr
    card = next((tmp_path / "exports").rglob("*.md")).read_text()
    assert "and before add-labels" in card and "22 labels" in card
    report = call("report", added.path, "--output", tmp_path / "report.html")
    assert report.status == 0, report.stderr


def test_changes_follow_each_other(call, tiny_run, examples, added, tmp_path):
    name, before = examples[0], files_of(tiny_run.folder)
    names = tmp_path / "names.txt"
    names.write_text(f"twin\tsecond\n{name}\tfirst\n")
    result = call("rename-labels", added.path, names, "--run", tmp_path / "renamed")
    assert result.status == 0, result.stderr
    renamed = RunFolder(tmp_path / "renamed")
    expected = added.label_set().names
    expected[expected.index(name)], expected[-1] = "first", "second"
    assert renamed.label_set().names == expected
    result = call(
        *("remove-labels", renamed.path, "--label", "new one", "--evaluate"),
        *("--run", tmp_path / "removed"),
    )
    assert result.status == 0, result.stderr
    removed = RunFolder(tmp_path / "removed")
    expected.remove("new one")
    assert removed.label_set().names == expected
    metrics = read_metrics(removed)
    commands = [change["change"] for change in metrics["changes"]]
    assert commands == ["add-labels", "rename-labels", "remove-labels"]
    assert metrics["unmeasured_changes"] == 0 and metrics["labels"] == 21
    # What it learnt has the names of now, and the examples count as learnt.
    assert read_added(removed)[0][1] == ["new one", "second", "first"]
    old = read_old_documents(removed)
    assert any("second" in labels for labels in old.labels)
    assert any(labels == ["first"] or "first" in labels for labels in old.labels)
    assert not any(name in labels for labels in old.labels)
    # Two equal changes make equal runs, that an ensemble takes.
    again = call(
        *("remove-labels", renamed.path, "--label", "new one"),
        *("--run", tmp_path / "again"),
    )
    assert again.status == 0
    open_finished_runs([removed.path, tmp_path / "again"])
    assert files_of(tiny_run.folder) == before


def test_descriptions_are_examples(call, tiny_run, tmp_path):
    path = tmp_path / "label_texts.txt"
    text = read_documents(RunFolder(tiny_run.folder).config().data, "train").texts[0]
    path.write_text(f"described\t{text}\n")
    result = call("add-labels", tiny_run.folder, path, "--run", tmp_path / "b")
    assert result.status == 0, result.stderr
    assert RunFolder(tmp_path / "b").label_set().names[-1] == "described"


def test_a_command_again(call, tiny_run, tmp_path):
    name = RunFolder(tiny_run.folder).label_set().names[3]
    arguments = ("--label", name, "third", "--run", tmp_path / "b")
    command = "rename-labels", tiny_run.folder, *arguments
    assert call(*command).status == 0
    before = files_of(tmp_path / "b")
    refused = call(*command)
    assert refused.status == 2 and "Expected no earlier run" in refused.stderr
    assert call(*command, "--resume").status == 0
    assert files_of(tmp_path / "b") == before
    other = call(*command[:4], "other", *command[5:], "--resume")
    assert other.status == 2 and "--overwrite" in other.stderr
    assert call(*command[:4], "other", *command[5:], "--overwrite").status == 0
    assert "other" in LabelSet.load(tmp_path / "b/label_names.txt").names


def test_without_the_old_documents(call, tiny_run, examples, tmp_path, caplog):
    """A run whose data has gone takes new labels, with a warning."""
    shutil.copytree(tiny_run.folder, tmp_path / "a")
    run = RunFolder(tmp_path / "a")
    arrays = dict(np.load(run.label_counts_path))
    arrays["data"] = np.array("null")
    np.savez(run.label_counts_path, **arrays)
    text = run.config_path.read_text().replace(run.config().data, "gone")
    run.config_path.write_text(text)
    (run.path / "digests.json").unlink()
    path = write_lines(tmp_path / "new.jsonl", examples[1])
    result = call("add-labels", run.path, path, "--run", tmp_path / "b")
    assert result.status == 0
    assert "score too high" in caplog.text and "with --data" in caplog.text
    assert RunFolder(tmp_path / "b").label_set().names[-1] == "twin"


@pytest.mark.parametrize(
    "rows,said",
    [
        ([{"text": "sea", "labels": ["{known}"]}], "Expected labels that the run"),
        ([{"text": "???", "labels": ["new"]}], "a word that the model knows for 'new'"),
    ],
)
def test_bad_files(call, tiny_run, tmp_path, rows, said):
    known = RunFolder(tiny_run.folder).label_set().names[0]
    rows = [
        {**row, "labels": [x.format(known=known) for x in row["labels"]]}
        for row in rows
    ]
    path = write_lines(tmp_path / "new.jsonl", rows)
    result = call("add-labels", tiny_run.folder, path, "--run", tmp_path / "b")
    assert result.status == 2 and said in result.stderr
    assert result.stderr.count("error:") == 1 and str(path) in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "command,given,said",
    [
        ("remove-labels", ("--label", "nobody"), "one of the 20 labels"),
        ("remove-labels", ("{all}",), "a label that stays"),
        ("remove-labels", (), "neither"),
        ("rename-labels", ("--label", "nobody", "x"), "one of the 20 labels"),
        ("rename-labels", ("--label", "{0}", "{1}"), "that no other label has"),
        ("rename-labels", ("--label", "{0}", " "), "white space"),
    ],
)
def test_bad_names(call, tiny_run, tmp_path, command, given, said):
    names = RunFolder(tiny_run.folder).label_set().names
    every = tmp_path / "all.txt"
    every.write_text("\n".join(names))
    given = [part.format(*names, all=every) for part in given]
    result = call(command, tiny_run.folder, *given, "--run", tmp_path / "b")
    assert result.status == 2 and said in result.stderr, result.stderr
    assert not (tmp_path / "b").exists()


def test_the_run_itself_is_no_target(call, tiny_run):
    name = RunFolder(tiny_run.folder).label_set().names[0]
    result = call(
        *("remove-labels", tiny_run.folder, "--label", name),
        *("--run", tiny_run.folder, "--overwrite"),
    )
    assert result.status == 2 and "another folder" in result.stderr


@pytest.mark.large
def test_learning(call, tiny_run, tmp_path):
    """Documents on which the run is wrong, with a new label on one of them."""
    before = files_of(tiny_run.folder)
    run = RunFolder(tiny_run.folder)
    names = run.label_set().names
    texts = [f"word{i}a word{i}b word{i + 1}c" for i in range(6)]
    rows = [{"text": t, "labels": [names[(i + 9) % 20]]} for i, t in enumerate(texts)]
    rows[0]["labels"].append("newest")
    path = write_lines(tmp_path / "corrections.jsonl", rows)
    command = "learn", tiny_run.folder, path, "--run", tmp_path / "b"
    result = call(*command)
    assert result.status == 0, result.stderr
    learnt = RunFolder(tmp_path / "b")
    assert learnt.label_set().names == [*names, "newest"]
    counts, _ = learnt.label_counts()
    expected = np.append(run.label_counts()[0], 0)
    for row in rows:
        for name in row["labels"]:
            expected[learnt.label_set().id(name)] += 1
    np.testing.assert_array_equal(counts, expected)
    best = [
        model.recommend(texts, k=10)
        for model in (run.load_model(), learnt.load_model())
    ]
    right = [
        np.mean([dict(own).get(row["labels"][0], 0) for own, row in zip(found, rows)])
        for found in best
    ]
    assert right[1] > right[0]
    assert read_added(learnt) == [(row["text"], row["labels"]) for row in rows]
    made = files_of(tmp_path / "b")
    assert call(*command, "--resume").status == 0 and files_of(tmp_path / "b") == made
    write_lines(path, rows[:3])
    other = call(*command, "--resume")
    assert other.status == 2 and "that this command made" in other.stderr
    assert files_of(tiny_run.folder) == before


@pytest.mark.large
def test_a_training_from_a_run(call, tiny_run, tiny_config, tmp_path):
    result = call(
        *("fit", tiny_config, "--from", tiny_run.folder, "--run", tmp_path / "b"),
        *("--set", "epochs=1", "--set", "swa_start=null", "--set", "swa_every=null"),
    )
    assert result.status == 0, result.stderr
    first = read_metrics(RunFolder(tmp_path / "b"))["P@1"]
    assert first > read_metrics(RunFolder(tiny_run.folder))["P@1"] - 10


def test_a_run_of_another_system(call, tiny_run, tmp_path):
    config = tmp_path / "words.yaml"
    data = RunFolder(tiny_run.folder).config().data
    config.write_text(f"system: lightdxml\ndata: {data}\nencoder: words\n")
    result = call("fit", config, "--from", tiny_run.folder, "--run", tmp_path / "b")
    assert result.status == 2 and "of system: lightdxml" in result.stderr
    assert not (tmp_path / "b").exists()


def test_a_run_that_would_start_from_itself(call, tiny_run, tiny_config):
    before = files_of(tiny_run.folder)
    own = "--from", tiny_run.folder, "--run", tiny_run.folder
    result = call("fit", tiny_config, *own, "--overwrite")
    assert result.status == 2 and "itself" in result.stderr
    assert files_of(tiny_run.folder) == before
