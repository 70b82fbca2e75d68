import json
import math
import shutil

import numpy as np
import pytest

from tests.helpers.slow_metrics import slow_ndcg, slow_precision, slow_recall
from xmc_keras import BadInput, Documents
from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.evaluation.evaluate_run import evaluate_run
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.text.text_tokenizer import TextTokenizer

KEYS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP", "PSnDCG") for k in (1, 3, 5)]
TEXTS = ["word3a word3b", "word4a word4c word9a word9b"]
KEYS += ["recall@10", "F1@5"]


def test_the_metrics_of_training_and_nothing_else_on_standard_output(tiny_run, call):
    result = call("evaluate", tiny_run.folder, "--json")
    assert result.status == 0
    found = json.loads(result.stdout)
    saved = json.loads((tiny_run.folder / "metrics.json").read_text())
    for key in [*KEYS, "documents", "labels", "skipped_lines"]:
        assert found[key] == pytest.approx(saved[key], abs=1e-6)
    # Ten labels are predicted: nobody knows the recall of a hundred.
    assert "recall@100" not in found and "recall@100" not in saved


def test_other_documents(tiny_run, tiny_data, tmp_path, call):
    texts, labels = tmp_path / "texts.txt", tmp_path / "labels.txt"
    texts.write_text("\n".join(TEXTS))
    labels.write_text("label03\nlabel09 label04\n")
    arguments = [tiny_run.folder, "--texts", texts, "--labels", labels]
    found = json.loads(call("evaluate", *arguments, "--json").stdout)
    assert found["documents"] == 2
    top = RunFolder(tiny_run.folder).load_model().recommend(TEXTS, k=3)
    hits = [
        len({name for name, _ in row} & relevant)
        for row, relevant in zip(top, [{"label03"}, {"label09", "label04"}])
    ]
    assert found["P@3"] == pytest.approx(100 * sum(hits) / 6)
    # A label that training never saw counts as relevant and unreachable.
    labels.write_text("label03\nlabel09 new\n")
    head, row = call("evaluate", *arguments).stdout.splitlines()
    assert head.split() == KEYS[:9] and row.split()[0] == "LightXML"
    ndcg_at_5 = float(row.split()[6])
    assert ndcg_at_5 <= 100 * (1 + 1 / (1 + 1 / math.log2(3))) / 2 + 0.01


def test_what_a_filter_leaves_out(tiny_run, tmp_path, call, caplog):
    caplog.set_level("INFO")
    rows = RunFolder(tiny_run.folder).load_model().recommend(TEXTS, k=10)
    rows = [[name for name, _ in row] for row in rows]
    relevant = [{"label03"}, {"label09", "label04"}]
    gone = [{rows[0][0], rows[0][4]}, {"label04", "nowhere"}]
    files = [tmp_path / f"{name}.txt" for name in ("texts", "labels", "filter")]
    for path, lines in zip(files, (TEXTS, relevant, gone)):
        lines = [line if isinstance(line, str) else " ".join(line) for line in lines]
        path.write_text("\n".join(lines) + "\n")
    names = ("--texts", "--labels", "--filter")
    arguments = [part for pair in zip(names, files) for part in pair]
    result = call("evaluate", tiny_run.folder, *arguments, "--json")
    assert result.status == 0, result.stderr
    found = json.loads(result.stdout)
    left = [[n for n in row if n not in out] for row, out in zip(rows, gone)]
    relevant = [labels - out for labels, out in zip(relevant, gone)]
    for k in (1, 3, 5):
        assert found[f"P@{k}"] == pytest.approx(100 * slow_precision(left, relevant, k))
        assert found[f"nDCG@{k}"] == pytest.approx(100 * slow_ndcg(left, relevant, k))
    assert found["recall@10"] == pytest.approx(100 * slow_recall(left, relevant, 10))
    assert found["filtered_pairs"] == 3  # of four, one of which nobody could predict
    relevant = 1 + ("label03" in gone[0])
    said = f"{files[2]}: filtered 4 pairs of document and label, {relevant} of them rel"
    assert said in caplog.text
    dropped = sum(map(len, rows)) - sum(map(len, left))
    assert f"The filter removes {dropped} predictions" in caplog.text


def test_the_other_model_of_the_run(tiny_run, call):
    result = call("evaluate", tiny_run.folder, "--json", "--model", "averaged")
    assert json.loads(result.stdout)["P@1"] > 40


def test_labels_by_their_own_probability(tiny_run, tiny_data, call):
    def found(*arguments):
        result = call("evaluate", tiny_run.folder, "--json", *arguments)
        return {key: json.loads(result.stdout)[key] for key in KEYS}

    model = RunFolder(tiny_run.folder).load_model()
    texts = (tiny_data / "test_texts.txt").read_text().splitlines()
    lines = (tiny_data / "test_labels.txt").read_text().splitlines()
    tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
    tokens, size = TokenCache(*tokenizer(texts)), len(texts)
    batches = DocumentBatches(tokens, None, size, tokenizer.pad_id, shuffle=False)
    outputs = model(next(batches.batches()))
    candidates = batches.restore(np.array(outputs["candidates"]))
    logits = batches.restore(np.array(outputs["logits"]))
    order = np.argsort(np.where(candidates < 0, np.inf, -logits), kind="stable")
    names = np.array(model.label_set.names)
    top = names[np.take_along_axis(candidates, order, axis=1)[:, :10]]
    relevant = [set(line.split()) for line in lines]
    alone = found("--score", "label")
    for k in (1, 3, 5):
        assert alone[f"P@{k}"] == pytest.approx(100 * slow_precision(top, relevant, k))
    assert found("--score", "product") == found() != alone


def test_bad_input(tiny_run, tmp_path, call):
    def refused(*arguments):
        result = call("evaluate", *arguments, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    texts, labels = tmp_path / "texts.txt", tmp_path / "labels.txt"
    texts.write_text("word3a word3b\n\n")
    labels.write_text("label03 new\nlabel04\n")
    files = ["--texts", texts, "--labels", labels]
    assert "--texts and --labels together" in refused(tiny_run.folder, *files[:2])
    assert "texts.txt:2: " in refused(tiny_run.folder, *files)
    texts.write_text("word3a word3b\nword4a\n")
    (tmp_path / "filter.txt").write_text("label03\n")
    labels.write_text("label03\nlabel04\n")
    error = refused(tiny_run.folder, *files, "--filter", tmp_path / "filter.txt")
    assert "texts.txt:2: " in error and "Received: 2 and 1, so this line" in error
    (tmp_path / "filter.txt").write_text("\nelse\n")
    error = refused(tiny_run.folder, *files, "--filter", tmp_path / "filter.txt")
    assert "filter.txt:2: Expected labels of the training part" in error
    error = refused(tiny_run.folder, "--filter", tmp_path / "filter.txt")
    assert "Expected --filter with --texts and --labels" in error
    labels.write_text("a\nb\n")
    error = refused(tiny_run.folder, *files, "--skip-bad-lines")
    assert "None is known: use the label file of the same data set." in error
    assert "none.txt: " in refused(tiny_run.folder, *files[:3], tmp_path / "none.txt")
    assert "with config.yaml in it" in refused(tmp_path)
    (tmp_path / "config.yaml").write_text(
        "system: lightdxml\ndata: a\nencoder: words\n"
    )
    error = refused(tmp_path, "--score=label")
    assert "its score. Received: lightdxml. Leave --score out." in error
    (tmp_path / "config.yaml").write_text("data: a\nencoder: minilm\nmax_leaf: 1\n")
    error = refused(tmp_path, "--score=product")
    assert "Expected a run with a ranker, to choose its score. Received: max" in error
    assert error.endswith("Leave --score out.\n")
    with pytest.raises(BadInput, match="Leave `score` out"):
        evaluate_run(RunFolder(tmp_path), Documents(["a"], [["b"]]), score="product")
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    (run / "averaged.keras").unlink()
    assert "Expected averaged.keras" in refused(run, "--model", "averaged")
    (run / "best.keras").unlink()
    assert "Expected best.keras. Received: no model" in refused(run)
    (run / "best.keras").touch()
    (run / "label_names.txt").unlink()
    assert "label_names.txt: " in refused(run)


def test_labels_that_are_not_those_of_the_model(tiny_run, tmp_path, call):
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    names = (run / "label_names.txt").read_text().splitlines()
    (run / "label_names.txt").write_text("\n".join(names[::-1]) + "\n")
    (run / "digests.json").unlink()  # it would be found by its digest
    result = call("evaluate", run)
    assert result.status == 2 and result.stderr.startswith(f"error: {run}/best.keras: ")
    assert "Expected a model with the labels of label_names.txt" in result.stderr
