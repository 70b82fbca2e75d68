"""Search among label names and titles, against plain loops."""

import logging
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xmc_keras.serving.server.label_search import LabelSearch

LETTERS = "abAB -éÉß:ü名́ "
WORDS = st.text(LETTERS, min_size=1, max_size=6)


def fold(text):
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not 0x300 <= ord(c) < 0x370).casefold()


def rank(label, query):
    """0 for a label that is the query, 1 where it begins with it, 2 where it has it."""
    words = [fold(part) for part in label if part]
    ranks = [
        [query == x for x in words],
        [x.startswith(query) for x in words],
        [query in x for x in words],
    ]
    return next((number for number, has in enumerate(ranks) if any(has)), None)


@example([("é", "a"), ("a", "")], "A")
@given(st.lists(st.tuples(WORDS, st.just("") | WORDS), min_size=1, max_size=8), WORDS)
def test_finds_what_a_loop_finds(labels, query):
    names, titles = ("".join(f"{x}\n" for x in column) for column in zip(*labels))
    search = LabelSearch(names.encode(), titles.encode())
    found = [tuple(x.values()) for x in search.find(query)]
    query = fold(" ".join(query.split()))
    ranks = [rank(label, query) for label in labels] if query else [None] * len(labels)
    assert sorted(found) == sorted(x for x, r in zip(labels, ranks) if r is not None)
    tiers = [ranks[labels.index(label)] for label in found]
    assert tiers == sorted(tiers)


def test_best_come_first():
    names = b"a game\nmy-game\nendgame\ngames\ngame\nq7\n"
    search = LabelSearch(names, b"\n\n\n\n\nThe Game\n")
    found = [label["name"] for label in search.find(" GAME ")]
    assert found == ["game", "games", "a game", "my-game", "q7", "endgame"]
    assert [label["name"] for label in search.find("game", limit=3)] == found[:3]
    assert search.find("the  game") == [{"name": "q7", "title": "The Game"}]
    assert search.find("") == search.find(" \n") == search.find("no such") == []
    assert search.find("game\nmy") == []  # not over two lines


def test_titles_by_name():
    search = LabelSearch(b"b\na\n\xc3\xa9\n", b"Bee\n\nE acute")
    assert search.titles_of(["é", "a", "b", "none", "\ud800"]) == [
        "E acute",
        "",
        "Bee",
        "",
        "",
    ]
    assert search.has_titles and search.names == ["b", "a", "é"]
    search = LabelSearch(b"a\n")
    assert search.titles_of(["a"]) == [""] and not search.has_titles


def test_a_version_without_labels_or_with_damaged_ones(tmp_path, caplog):
    extra = tmp_path / "assets.extra"
    assert len(LabelSearch.read(tmp_path)) == 0
    assert LabelSearch.read(tmp_path).find("a") == []
    extra.mkdir()
    (extra / "labels.txt").write_bytes(b"a\nb\xff\n")
    (extra / "label_titles.txt").write_bytes(b"Of one label alone\n")
    with caplog.at_level(logging.WARNING):
        search = LabelSearch.read(tmp_path)
    assert "Expected 2 titles. Received: 1." in caplog.text
    assert search.find("B") == [{"name": "b\ufffd", "title": ""}]
    assert search.titles_of(["a"]) == [""]


def test_a_million_labels_are_searched_fast():
    numbers = range(1_000_000)
    names = "".join(f"http://example.org/onto/p{n}\n" for n in numbers)
    titles = "".join(f"Title {n} of a subject\n" for n in numbers)
    search = LabelSearch(names.encode(), titles.encode())
    for query in ("o", "title", "subject", "zz", "p999999", "not there", "99 of"):
        began = time.process_time()
        found = search.find(query)
        # A tenth of a second; a loop over labels takes ten times as long.
        assert time.process_time() - began < 0.4, query
        assert len(found) == {"zz": 0, "not there": 0, "p999999": 1}.get(query, 20)


@pytest.mark.parametrize(
    "query", ["a" * 10_000_000, "a " * 10_000, "\ud800", "\0", "é́"]
)
def test_any_query_is_answered(query):
    assert isinstance(LabelSearch(b"a\naaaa\n").find(query), list)
