import json
import math
import shutil

import pytest

from xmc_keras.run_folder import RunFolder

KEYS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP", "PSnDCG") for k in (1, 3, 5)]
TEXTS = ["word3a word3b", "word4a word4c word9a word9b"]
KEYS += ["recall@10", "recall@100"]


def test_the_metrics_of_training_and_nothing_else_on_standard_output(tiny_run, call):
    result = call("evaluate", tiny_run.folder, "--json")
    assert result.status == 0
    found = json.loads(result.stdout)
    saved = json.loads((tiny_run.folder / "metrics.json").read_text())
    for key in [*KEYS, "documents", "labels", "skipped_lines"]:
        assert found[key] == pytest.approx(saved[key], abs=1e-6)


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
    head, row = call("evaluate", *arguments, "--skip-bad-lines").stdout.splitlines()
    assert head.split() == KEYS[:9] and row.split()[0] == "LightXML"
    ndcg_at_5 = float(row.split()[6])
    assert ndcg_at_5 <= 100 * (1 + 1 / (1 + 1 / math.log2(3))) / 2 + 0.01


def test_the_other_model_of_the_run(tiny_run, call):
    result = call("evaluate", tiny_run.folder, "--json", "--model", "averaged")
    assert json.loads(result.stdout)["P@1"] > 40


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
    error = refused(tiny_run.folder, *files)
    assert "labels.txt:1: " in error and "'new'" in error
    labels.write_text("a\nb\n")
    error = refused(tiny_run.folder, *files, "--skip-bad-lines")
    assert "None is known: give the label file of the same data set." in error
    assert "none.txt: " in refused(tiny_run.folder, *files[:3], tmp_path / "none.txt")
    assert "with config.yaml in it" in refused(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    (run / "averaged.keras").unlink()
    assert "Expected averaged.keras" in refused(run, "--model", "averaged")
    (run / "best.keras").unlink()
    assert "Expected best.keras or averaged.keras" in refused(run)
    (run / "label_names.txt").unlink()
    assert "label_names.txt: " in refused(run)
