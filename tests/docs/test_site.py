"""The documentation site: that it builds strictly and leaves no public name out."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest

import xmc_keras
from docs.hooks.public_names import homes, summary
from tests.helpers.project import PROJECT
from xmc_keras.cli.program import COMMANDS
from xmc_keras.config.config import Config

pytest.importorskip("mkdocs", reason="the site needs pip install '.[docs]'")
NAMES = sorted(set(xmc_keras.__all__) - {"__version__"})
LOADED = r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=[\"']?(https?:[^\"'\s>]*)"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Dictionary from the path of each page to its HTML."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    run = subprocess.run(
        [*build, "--site-dir", folder],
        cwd=PROJECT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    # A broken link, anchor or reference is a warning, and so fails.
    assert run.returncode == 0, f"The site does not build:\n{run.stdout}{run.stderr}"
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*.html")
    }


def test_every_page_is_built(site):
    pages = {
        path.relative_to(PROJECT / "docs").with_suffix(".html").as_posix()
        for path in (PROJECT / "docs").rglob("*.md")
    }
    assert pages <= set(site)
    for path, page in site.items():
        assert "<!-- make:" not in page, f"{path} has a part that was not made."


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_described(site, name):
    home = homes()[name]
    assert summary(home, name), f"xmc_keras.{home}.{name} has no docstring."
    pages = [path for path in site if path.startswith("reference/")]
    assert any(f'id="xmc_keras.{name}"' in site[path] for path in pages), (
        f"{name} is on no page of docs/reference/. A page shows the names of "
        f"xmc_keras/{home.split('.')[0]} by '<!-- make: reference ... -->'."
    )


def test_every_key_of_a_recipe_is_described(site):
    for field in dataclasses.fields(Config):
        assert f'id="{field.name}"' in site["reference/config.html"], field.name


def test_every_command_is_described(site):
    page = site["reference/command_line.html"]
    for command in COMMANDS:
        assert f'id="{command}"' in page and f"usage: xmc {command} " in page, command
    assert "proxy_batch_size" not in page  # keys of a recipe have their own page


def test_pages_load_nothing_from_the_network(site):
    found = {path: re.findall(LOADED, page) for path, page in site.items()}
    assert not {path: urls for path, urls in found.items() if urls}


def test_pages_have_no_tags_but_those_of_markdown(site):
    # A `<s>` in a docstring would be read as one, and strike the page through.
    tags = "a article b code dd div dl dt em h1 h2 h3 img li ol p pre small span strong"
    tags += " table tbody td th thead tr ul"
    for path, page in site.items():
        article = page.partition("<article")[2].partition("</article>")[0]
        found = set(re.findall(r"<([a-z]\w*)", article))
        assert found <= set(tags.split()), f"{path} {found}"


def test_each_name_is_described_once(site):
    ids = [
        name
        for path, page in site.items()
        if path.startswith("reference/")
        for name in re.findall(r'<h2 id="xmc_keras\.(\w+)"', page)
    ]
    assert sorted(ids) == sorted(set(ids)) and len(ids) > 50


def test_links_of_the_readme_exist(site):
    text = (PROJECT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)#?([^)]*)\)", text)
    assert len(links) > 10
    for path, anchor in links:
        assert (PROJECT / path).is_file(), path
        if anchor:
            page = site[path.removeprefix("docs/").replace(".md", ".html")]
            assert f'id="{anchor}"' in page, f"{path}#{anchor}"


def test_the_readme_is_short_and_shows_python_early():
    lines = (PROJECT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 200
    assert lines.index("```python") < 60
