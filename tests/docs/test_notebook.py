"""docs/notebook.ipynb: its cells run in order, and its outputs are of one such run."""

import contextlib
import io
import json

import pytest
from matplotlib import pyplot

from docs.hooks.pages import notebook as to_markdown
from tests.helpers.notebook import Notebook
from tests.helpers.project import PROJECT

PATH = PROJECT / "docs/notebook.ipynb"
CELLS = json.loads(PATH.read_text("utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def printed(cell):
    """Lines that stand as printed below a cell."""
    streams = [output for output in cell["outputs"] if output.get("name") == "stdout"]
    return "".join(line for output in streams for line in output["text"]).splitlines()


def displays(start):
    """Displays below the cells that begin with some text."""
    shown = [output.get("data", {}) for cell in CODE for output in cell["outputs"]]
    lines = ["".join(data.get("text/plain", ())) for data in shown]
    return [line for line in lines if line.startswith(start)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder next to the data, as docs/ is, and figures that no window shows."""
    (tmp_path / "data").symlink_to(PROJECT / "data")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pyplot.switch_backend("agg")
    return tmp_path


@pytest.mark.large
def test_cells_run(folder, monkeypatch):
    notebook = Notebook(monkeypatch)
    namespace = {"__name__": "notebook"}
    for number, cell in enumerate(CODE, 1):
        code = compile("".join(cell["source"]), f"cell {number}", "exec")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(code, namespace)
        # Digits depend on the processor.
        lines = output.getvalue().splitlines()
        assert len(lines) == len(printed(cell)), f"cell {number} printed {lines}"
    epochs = [line for line in notebook.lines if line.startswith("Epoch ")]
    assert len(epochs) == len(displays("Epoch ")) == 7
    assert len(pyplot.get_fignums()) == 1
    pyplot.close()
    model, metrics = namespace["model"], namespace["metrics"]
    baseline = model.metrics_["baselines"]["nearest label by TF-IDF"]
    assert metrics["P@1"] > baseline["P@1"] + 10
    assert namespace["answer"]["scores"][0].numpy().tolist() == pytest.approx(
        [score for _, score in model.recommend([namespace["text"]])[0]], abs=1e-5
    )


def test_outputs_are_of_one_run():
    assert [cell["execution_count"] for cell in CODE] == [*range(1, len(CODE) + 1)]
    assert not [o for cell in CODE for o in cell["outputs"] if "ename" in o]
    assert "nbconvert --to notebook --execute" in "".join(CELLS[0]["source"])


def test_its_page_shows_all_of_it():
    page = to_markdown("notebook.ipynb", shown=[])
    for cell in CELLS:
        assert "".join(cell["source"]) in page
    assert page.count("```python\n") == len(CODE)
    assert page.count("](data:image/png;base64,") == 1
    assert "/tmp" not in page and "Warning" not in page
