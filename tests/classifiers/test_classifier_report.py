"""`report` of a classifier."""

import pytest

from tests.helpers.report_page import Page
from xmc_keras import LightDXMLClassifier, LightXMLClassifier, read_documents

TRAINING = {"curves"}
PREDICTIONS = {"by_frequency", "calibration", "candidates"}


@pytest.fixture(scope="module")
def parts(tiny_data):
    return [read_documents(tiny_data, part) for part in ("train", "test")]


def read_page(path):
    """The words of the page, and the names of the pictures next to it."""
    page = Page(path.read_text("utf-8"))
    folder = path.with_name(f"{path.stem}_pictures")
    pictures = {picture.stem for picture in folder.iterdir()}
    assert len(page.sources) == len(pictures)
    return " ".join(" ".join(page.words).split()), pictures


def test_of_training_and_of_texts(tagger, parts, tmp_path):
    path = tmp_path / "report.html"
    tagger.report(path)
    page, pictures = read_page(path)
    assert pictures == TRAINING
    assert "LightDXML: 20 labels. Metrics in percent, on 6 validation" in page
    assert f"{tagger.metrics_['P@1']:.2f} {tagger.metrics_['P@3']:.2f}" in page
    assert "most popular labels" in page and "embedding_dim 8" in page
    assert "Most confused" not in page
    # Nothing is replaced unasked.
    with pytest.raises(ValueError, match="Replace it with `overwrite=True`"):
        tagger.report(path)
    assert read_page(path)[0] == page
    test = parts[1]
    tagger.report(path, test.texts, test.labels, overwrite=True)
    page, pictures = read_page(path)
    assert pictures == TRAINING | PREDICTIONS
    found = tagger.evaluate(test.texts, test.labels)
    keys = "P@1 P@3 P@5 nDCG@3 nDCG@5 PSP@1 PSP@3 PSP@5".split()
    assert " ".join(f"{found[key]:.2f}" for key in keys) in page
    assert "60 test documents, 20 labels" in page and "most popular" not in page
    assert "Most confused labels" in page and "20 test documents" in page


def test_after_loading(tagger, parts, tmp_path):
    tagger.save(tmp_path / "a.keras")
    loaded = LightDXMLClassifier.load(tmp_path / "a.keras")
    pages = []
    for model in (tagger, loaded):
        path = tmp_path / "report.html"
        model.report(path, overwrite=True)
        pages.append(path.read_text())
    assert pages[0] == pages[1]
    tagger.model_.save(tmp_path / "plain.keras")
    plain = LightDXMLClassifier.load(tmp_path / "plain.keras")
    with pytest.raises(ValueError, match="that knows its training"):
        plain.report(tmp_path / "plain.html")
    with pytest.raises(ValueError, match="that knows its training"):
        plain.report(tmp_path / "plain.html", parts[1].texts, parts[1].labels)
    assert not (tmp_path / "plain.html").exists()


def test_of_a_run_with_clusters(tiny_config, tmp_path):
    from tests.helpers.made_run import make_run

    run = make_run(tmp_path / "run", tiny_config, 0)
    model = LightXMLClassifier.from_run(run)
    model.report(tmp_path / "report.html")
    page, pictures = read_page(tmp_path / "report.html")
    assert pictures == {"curves", "clusters"}
    assert "LightXML on" in page and "50.00" in page


def test_bad_input(tagger, tmp_path):
    with pytest.raises(ValueError, match="1 texts, 2 labels"):
        tagger.report(tmp_path / "a.html", ["a"], [["b"], ["c"]])
    with pytest.raises(ValueError, match="Expected"):
        tagger.report(tmp_path / "a.html", ["a"], [["no such label"]])
    with pytest.raises(ValueError, match="Expected a file to write. Received: a fold"):
        tagger.report(tmp_path)
    with pytest.raises(ValueError, match="Expected a place to write"):
        tagger.report("missing/../a.html")
    assert list(tmp_path.iterdir()) == []
