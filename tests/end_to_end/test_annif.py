"""Annif itself, from PyPI, as the client of the server."""

import json

import pytest

from benchmarks.shared.annif_client import AnnifClient, install_annif
from benchmarks.shared.environments import NotInstalled
from tests.helpers.programs import run_benchmark
from tests.helpers.server_process import Server
from tests.helpers.tiny_data import WORDS, write_part, write_words_recipe
from xmc_keras.runs.run_folder import RunFolder

pytestmark = pytest.mark.large

URI = "http://www.example.org/onto/"
OUTSIDER = list(WORDS)[4]  # a label that the vocabulary lacks
TITLES = {URI + name: f"Büro {name[-2:]}" for name in WORDS if name != OUTSIDER}


@pytest.fixture(scope="module")
def program(made_once):
    def make(folder):
        try:
            install_annif(folder / "environment")
        except NotInstalled as error:
            pytest.skip(f"Annif cannot be installed: {error}")

    return made_once("annif", make) / "environment/bin/annif"


def write_data(folder):
    """Annif's corpora, and a vocabulary in SKOS without one of the labels."""
    for part, count in (("train", 200), ("test", 300)):
        write_part(folder, part, count, seed=count)
        texts, labels = (
            (folder / f"{part}_{kind}.txt").read_text().splitlines()
            for kind in ("texts", "labels")
        )
        cells = [" ".join(f"<{URI}{n}>" for n in row.split()) for row in labels]
        rows = [f"{text}\t{cell}\n" for text, cell in zip(texts, cells)]
        (folder / f"{part}.tsv").write_text("".join(rows))
        for kind in ("texts", "labels"):
            (folder / f"{part}_{kind}.txt").unlink()
    concepts = "".join(
        f'<{uri}> a skos:Concept ; skos:prefLabel "{title}"@de, "office"@en .\n'
        for uri, title in [*TITLES.items(), (f"{URI}other", "Anderes")]
    )
    prefix = "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
    (folder / "vocabulary.ttl").write_text(prefix + concepts, encoding="utf-8")


def test_annif(program, tmp_path, call):
    source, data, run = (tmp_path / name for name in ("source", "data", "run"))
    source.mkdir()
    write_data(source)
    options = ["--label-texts", source / "vocabulary.ttl", "--label-language", "de"]
    result = call("prepare", source, data, *options)
    assert result.status == 0, result.stderr
    assert f"1 of 20 labels has no title and no text, such as '{URI}{OUTSIDER}'" in (
        result.stdout
    )
    recipe = write_words_recipe(tmp_path, data, titles=True, num_predictions=20)
    assert call("fit", recipe, "--run", run).status == 0
    assert call("export", run, tmp_path / "versions").status == 0

    server = Server(tmp_path / "versions", tmp_path / "log", "--name", "tags").ready()
    try:
        (tmp_path / "annif").mkdir()
        client = AnnifClient(program, tmp_path / "annif", server.url, "tags", "de")
        client.load_vocabulary(source / "vocabulary.ttl")
        check(client, source, data, run, call)
    finally:
        server.stop()


def check(client, source, data, run, call):
    said, _ = client.run("show-project", "tags")
    assert "Trained:" in said and "True" in said.partition("Trained:")[2][:30]

    text = "word7a word7c word9b"
    [expected] = RunFolder(run).load_model().recommend([text], k=20)
    inside = [pair for pair in expected if pair[0] in TITLES and pair[1] > 0]
    found = client.suggest(text, limit=4)
    assert [uri for uri, _, _ in found] == [uri for uri, _ in inside[:4]]
    assert [title for _, title, _ in found] == [TITLES[uri] for uri, _ in inside[:4]]
    for (*_, score), (_, same) in zip(found, inside):
        assert score == pytest.approx(same, abs=1e-4)

    # Annif ignores the label that its vocabulary lacks, and so does a filter.
    metrics, logged = client.evaluate(source / "test.tsv")
    assert metrics["Documents_evaluated"] == 300
    assert "JSON" not in logged and "HTTP" not in logged
    left_out = data / "left_out.txt"
    left_out.write_text(f"{URI}{OUTSIDER}\n" * 300)
    arguments = ["--texts", data / "test_texts.txt", "--filter", left_out, "--json"]
    arguments += ["--labels", data / "test_labels.txt"]
    result = call("evaluate", run, *arguments)
    assert result.status == 0, result.stderr
    ours = json.loads(result.stdout)
    assert ours["filtered_pairs"] > 0 and 20 < ours["F1@5"] < 100
    assert metrics["F1@5"] == pytest.approx(ours["F1@5"] / 100, abs=5e-5)


def test_the_benchmark(program, tiny_run, tmp_path):
    """Labels that are no URIs, with a prefix."""
    path = tmp_path / "annif.json"
    arguments = [tiny_run.folder, "--annif", program, "--documents", "40"]
    done = run_benchmark("accuracy.annif", *arguments, "--json", path)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    [found] = record["measured"]
    assert record["annif"] and found["documents"] == 40
    same = found["of xmc evaluate"]
    assert 0.1 < same < 1
    for key in ("F1@5 of annif eval", "of the model in float32"):
        assert found[key] == pytest.approx(same, abs=5e-5)
