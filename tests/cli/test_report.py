"""`xmc report`: a page of one run, of several runs, and errors."""

import shutil

import numpy as np
import pytest
import scipy.sparse

from tests.helpers.made_run import make_run
from tests.helpers.report_page import Page
from xmc_keras.config.config import Config
from xmc_keras.data.documents import read_documents
from xmc_keras.evaluation.report import run_predictions as predictions_file
from xmc_keras.evaluation.report.html_table import make_html_table
from xmc_keras.evaluation.report.page import format_settings
from xmc_keras.evaluation.report.pictures import shorten
from xmc_keras.evaluation.report.run_predictions import predict_run
from xmc_keras.evaluation.report.run_report import RunReport
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs import read_test_part
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import RunFolder

PICTURES = {"by_frequency", "calibration", "candidates", "clusters", "curves"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder / name, tiny_config, i) for i, name in enumerate("abc")]
    long = folder / ("a-run-of-a-sweep-with-a-very-long-name-of-the-config" * 2)
    runs.append(make_run(long, tiny_config, 3, "score=label", "seed=4"))
    return runs


@pytest.fixture(scope="module")
def drawn():
    """The test documents on a page."""
    return np.sort(np.random.default_rng(0).permutation(60)[:20])


@pytest.fixture(scope="module")
def best(runs, tiny_data, drawn):
    """The five best labels of these documents, for each run."""
    texts = read_documents(tiny_data, "test").texts
    texts = [texts[i] for i in drawn]
    return [run.load_model().recommend(texts, 5) for run in runs]


@pytest.mark.large
@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.large), 4])
def test_one_page_of_one_run_and_of_four(
    runs, tiny_data, drawn, best, tmp_path, call, count
):
    output = tmp_path / "deep" / "page.html"
    paths = [run.path for run in runs[:count]]
    result = call("report", *paths, "--output", output)
    assert (result.status, result.stdout) == (0, ""), result.stderr
    text = output.read_text("utf-8")
    page = Page(text)
    assert len(page.sources) == len(PICTURES)
    assert all(one.startswith("data:image/png;base64,") for one in page.sources)
    folder = tmp_path / "deep" / "page_pictures"
    found = {path.stem: path.read_bytes() for path in folder.iterdir()}
    assert set(found) == PICTURES
    assert all(image.startswith(b"\x89PNG") for image in found.values())
    names = {path.name for path in (tmp_path / "deep").iterdir()}
    assert names == {"page.html", "page_pictures"}
    words = "".join(page.words)
    assert all(run.path.name in words for run in runs[:count])
    assert ("score" in words and "product" in words) == (count == 4)
    # The marks of twenty documents, computed by hand.
    test = read_documents(tiny_data, "test")
    expected = {"right": 0, "wrong": 0, "found": 0, "missed": 0}
    for i, *rows in zip(drawn, *best[:count]):
        right, seen = set(test.labels[i]), set()
        for row in rows:
            given = {name for name, _ in row}
            expected["right"] += len(given & right)
            expected["wrong"] += len(given - right)
            seen |= given
        expected["found"] += len(right & seen)
        expected["missed"] += len(right - seen)
    assert {kind: page.chips.count(kind) for kind in expected} == expected


@pytest.mark.large
def test_warnings_and_what_was_chosen(runs, tmp_path, call):
    folder = tmp_path / "warned"
    shutil.copytree(runs[0].path, folder)
    run = RunFolder(folder)
    quality = {"P@1": 61.234, "P@3": 40.0, "P@5": 30.0}
    found = {"warnings": ["P@1 is below <popular>."], "best_epoch": 0, "beta": 0.35}
    run.save_metrics({**read_metrics(run), **found, "validation": quality})
    output = tmp_path / "page.html"
    result = call("report", folder, runs[1].path, "--output", output)
    assert result.status == 0, result.stderr
    words = " ".join(Page(output.read_text("utf-8")).words)
    assert "Warning, warned: P@1 is below <popular>." in " ".join(words.split())
    assert words.count("Warning") == 1  # the other run has none
    chosen = words.partition("Chosen on the validation split")[2].partition("Training")
    assert "best epoch 0 –" in " ".join(chosen[0].split())
    assert "61.23 / 40.00 / 30.00" in chosen[0] and "0.35" in chosen[0]
    assert "logq" not in chosen[0]
    again = call("report", runs[1].path, "--output", output, "--overwrite")
    assert again.status == 0 and "Chosen on" not in output.read_text("utf-8")


def test_other_documents(runs, tmp_path, call):
    files = {"texts": ["word3a word3b", "word4a"], "labels": ["label03 new", "label04"]}
    arguments = [runs[0].path, "--output", tmp_path / "page.html"]
    for name, lines in files.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        arguments += [f"--{name}", tmp_path / name]
    assert call("report", *arguments[:-2]).status == 2  # texts without labels
    result = call("report", *arguments)
    assert result.status == 0, result.stderr
    page = Page((tmp_path / "page.html").read_text())
    words = "".join(page.words)
    assert all(text in words for text in files["texts"]) and "new" in words
    top = runs[0].load_model().recommend(files["texts"], 5)
    right = [{"label03", "new"}, {"label04"}]
    hits = sum(len({n for n, _ in row} & own) for row, own in zip(top, right))
    found = {kind: page.chips.count(kind) for kind in ("right", "found", "missed")}
    assert found == {"right": hits, "found": hits, "missed": 3 - hits}


def test_predictions_are_computed_once(runs, tiny_data, tmp_path, monkeypatch):
    run = runs[0]
    test = read_documents(tiny_data, "test")
    relevant = run.label_set().encode(test.labels)
    first = predict_run(run, test, relevant)
    model = run.load_model()
    rows = model.recommend(test.texts, 10)
    for ids, scores, row in zip(first.label_ids, first.scores, rows):
        assert [run.label_set().names[i] for i in ids] == [name for name, _ in row]
        np.testing.assert_allclose(scores, [score for _, score in row], atol=1e-5)
    assert (first.step, first.kept) == (5, 2)
    # A label is a candidate of the model if its cluster's rank is below top_k.
    pairs = np.repeat(np.arange(60), np.diff(relevant.indptr)), relevant.indices
    for document, label, rank in zip(*pairs, first.ranks):
        assert (rank < first.kept) == (label in first.label_ids[document])
    with monkeypatch.context() as patch:
        patch.setattr(predictions_file, "predict_documents", None)
        again = predict_run(run, test, relevant)
    np.testing.assert_array_equal(again.ranks, first.ranks)
    assert (again.step, again.kept) == (5, 2)
    # A filter applies to cached predictions too.
    pairs = range(60), first.label_ids[:, 0]
    best = scipy.sparse.csr_matrix((np.ones(60), pairs), relevant.shape)
    with monkeypatch.context() as patch:
        patch.setattr(predictions_file, "predict_documents", None)
        filtered = predict_run(run, test, relevant, filtered=best)
    shifted = np.pad(first.label_ids[:, 1:], [(0, 0), (0, 1)], constant_values=-1)
    np.testing.assert_array_equal(filtered.label_ids, shifted)
    np.testing.assert_array_equal(filtered.scores[:, :-1], first.scores[:, 1:])
    # The cache is not used for other documents, nor if it is damaged.
    computed = []

    def predict(*arguments):
        computed.append(arguments)
        return first

    monkeypatch.setattr(predictions_file, "predict_documents", predict)
    few = test.subset(range(7))
    predict_run(run, few, relevant[:7])
    assert len(computed) == 1
    (run.path / predictions_file.FILE).write_bytes(b"PK damaged")
    predict_run(run, test, relevant)
    assert len(computed) == 2


def test_clusters_that_are_missing(runs, tmp_path, call):
    shutil.copytree(runs[0].path, tmp_path / "run")
    (tmp_path / "run/clusters.npy").unlink()
    result = call("report", tmp_path / "run", "--output", tmp_path / "page.html")
    assert result.status == 2 and not (tmp_path / "page.html").exists()
    error = f"{tmp_path}/run/clusters.npy: Expected an array of the run. Received: "
    assert error in result.stderr and "--overwrite" in result.stderr


def test_lightdxml_has_no_clusters(tiny_data, tmp_path, call):
    from tests.helpers.tiny_lightdxml import make_lightdxml

    documents = read_documents(tiny_data, "train")
    label_set = LabelSet.from_labels(documents.labels)
    config = Config(
        data=str(tiny_data), encoder="words", system="lightdxml", num_predictions=5
    )
    run = RunFolder(tmp_path / "words")
    run.begin(config, label_set, None, documents)
    model = make_lightdxml(
        names=label_set.names, num_candidates=7, num_predictions=5, max_positives=3
    )
    model.compile()
    run.save_model(model, "best")
    run.save_metrics({"P@1": 5.0})
    result = call("report", run.path, "--output", tmp_path / "page.html")
    assert result.status == 0, result.stderr
    words = "".join(Page((tmp_path / "page.html").read_text()).words)
    assert "Without label clusters: words." in words
    assert "No training history was recorded." in words
    assert "words: 7 labels." in words
    found = {path.stem for path in (tmp_path / "page_pictures").iterdir()}
    assert found == {"by_frequency", "calibration", "candidates"}


def test_texts_are_never_html(runs, tiny_data, tmp_path, call, monkeypatch):
    """Texts, label and run names of any kind appear verbatim in the page."""
    evil = "<script>alert(1)</script> & \"'" + "x" * 700
    read = read_test_part.read_part

    def with_evil(*arguments):
        documents = read(*arguments)
        documents.texts[:] = [evil] * len(documents)
        return documents

    run = tmp_path / "<b>&run"
    shutil.copytree(runs[0].path, run)
    monkeypatch.setattr(read_test_part, "read_part", with_evil)
    result = call("report", run, "--output", tmp_path / "page.html")
    assert result.status == 0, result.stderr
    page = Page((tmp_path / "page.html").read_text())
    words = "".join(page.words)
    assert words.count(evil[:500]) == 20 and evil not in words
    assert "<b>&run" in words


def test_nothing_is_replaced_unasked(runs, tmp_path, call):
    output = tmp_path / "page.html"
    output.write_text("mine")
    arguments = [runs[0].path, "--output", output]
    result = call("report", *arguments, tensorflow=False)
    assert result.status == 2 and "Expected no earlier file" in result.stderr
    assert output.read_text() == "mine"
    output.unlink()
    (tmp_path / "page_pictures").mkdir()
    result = call("report", *arguments, tensorflow=False)
    assert result.status == 2 and "Expected no earlier pictures" in result.stderr
    result = call("report", *arguments, "--overwrite")
    assert result.status == 0 and output.read_text().startswith("<!DOCTYPE html>")
    assert len(list((tmp_path / "page_pictures").iterdir())) == 5


def test_bad_input(runs, tmp_path, call):
    a = runs[0].path

    def refused(*arguments):
        arguments = [*arguments, "--output", tmp_path / "page.html"]
        result = call("report", *arguments, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        assert not (tmp_path / "page.html").exists()
        return result.stderr

    assert "Expected each run once" in refused(a, a)
    for place in (".", "/", "missing/../page.html"):
        result = call("report", a, "--output", place, tensorflow=False)
        assert result.status == 2, result.stderr
        assert result.stderr.startswith(f"error: {place}: Expected a place to write")
    other = tmp_path / "other"
    shutil.copytree(a, other)
    (other / "metrics.json").unlink()
    assert "Expected a finished run" in refused(a, other)
    shutil.copy(a / "metrics.json", other)
    (other / "digests.json").unlink()  # files that were changed on purpose
    (other / "label_names.txt").write_text("x\n")
    assert "same labels as" in refused(a, other)
    shutil.copy(a / "label_names.txt", other)
    history = (other / "history.csv").read_bytes()
    (other / "history.csv").write_bytes(history[:-2] + b"\xff\n")
    error = refused(other)
    assert "other/history.csv:4: Expected UTF-8. Received: other bytes. Rest" in error
    (other / "history.csv").write_bytes(history.replace(b"val_loss", b"v"))
    assert "other/history.csv:1: " in refused(other)
    (other / "history.csv").write_bytes(history)
    (other / "best.keras").unlink()
    assert "Expected best.keras" in refused(other)


def test_a_table_marks_the_best():
    text = make_html_table(
        ["run", "P@1"], [["a", 2.0], ["b", None], ["c", 3.0]], {1: 3.0}
    )
    assert '<td class="best">3.00</td>' in text and text.count("best") == 1
    assert "<td>–</td>" in text


def test_long_names_keep_the_end_that_distinguishes_them():
    assert shorten("short") == "short"
    found = shorten("configuration-of-a-sweep-with-all-of-it-12")
    assert len(found) == 28 and found.endswith("all-of-it-12")


def test_settings_that_are_lists():
    plain, cascade = (
        RunReport(name, Config(encoder="minilm", **keys), {}, {})
        for name, keys in (("plain", {}), ("cascade", {"levels": [64, 256]}))
    )
    words = format_settings([plain, cascade])
    assert words.count("<tr>") == 2 and "levels" in words and "[64, 256]" in words
    assert format_settings([cascade, cascade]).endswith("<p>None.</p>")
