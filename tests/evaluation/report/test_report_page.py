"""The report in real Chromium."""

import shutil

import pytest

from tests.helpers.chromium import MARKS, chromium
from tests.helpers.made_run import make_run

pytestmark = MARKS

OTHERS = ["b", "c", "a-run-with-a-name-as-long-as-those-of-a-sweep" * 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_config):
    """Folder of a run; its first page caches the predictions there."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "a", tiny_config, 0)
    return folder


@pytest.fixture(scope="module")
def browser():
    driver = chromium()
    yield driver
    driver.quit()


@pytest.mark.parametrize("names", [["a"], ["a", *OTHERS]], ids=len)
def test_nothing_is_cut_off_and_nothing_fetched(folder, tmp_path, call, browser, names):
    for name in names[1:]:  # the same run: only the amount of content matters
        shutil.copytree(folder / "a", folder / name)
    output = tmp_path / "page.html"
    paths = [folder / name for name in names]
    assert call("report", *paths, "--output", output).status == 0
    ask, root = browser.execute_script, "document.documentElement"
    for width in (1300, 500):
        browser.set_window_size(width, 900)
        browser.get(output.as_uri())
        assert ask("return window.innerWidth") == width
        assert ask(f"return {root}.scrollWidth <= {root}.clientWidth")
        images = "[...document.images]"
        loaded = ask(f"return {images}.map(i => i.complete && i.naturalWidth > 0)")
        assert loaded == [True] * 5
        fetched = ask(
            "return performance.getEntriesByType('resource').map(r => r.name)"
        )
        assert [name for name in fetched if not name.startswith("data:")] == []
