"""The report in real Chromium.

Needs the extra `browser` and Debian's packages `chromium` and `chromium-driver`.
"""

import os

import pytest

pytest.importorskip("selenium", reason="the extra `browser` is not installed")

from made_run import make_run  # noqa: E402
from selenium import webdriver  # noqa: E402
from test_page import CHROMIUM, DRIVER  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="Debian's packages chromium and chromium-driver are missing",
    ),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("runs")
    names = ["a", "b", "c", "a-run-with-a-name-as-long-as-those-of-a-sweep" * 2]
    return [make_run(folder / name, tiny_config, i) for i, name in enumerate(names)]


@pytest.mark.parametrize("count, width", [(1, 1300), (4, 1300), (4, 500)])
def test_nothing_is_cut_off_and_nothing_fetched(runs, tmp_path, call, count, width):
    output = tmp_path / "page.html"
    paths = [run.path for run in runs[:count]]
    assert call("report", *paths, "--output", output).status == 0
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")  # small in containers
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root has none
    options.add_argument(f"--window-size={width},900")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get(output.as_uri())
        ask = driver.execute_script
        root = "document.documentElement"
        assert ask(f"return {root}.scrollWidth <= {root}.clientWidth")
        images = "[...document.images]"
        loaded = ask(f"return {images}.map(i => i.complete && i.naturalWidth > 0)")
        assert loaded == [True] * 5
        fetched = ask(
            "return performance.getEntriesByType('resource').map(r => r.name)"
        )
        assert [name for name in fetched if not name.startswith("data:")] == []
    finally:
        driver.quit()
