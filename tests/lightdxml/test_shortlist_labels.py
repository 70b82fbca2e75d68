import sys
import types
import weakref

import numpy as np
import pytest
import scipy.sparse

from tests.helpers.shortlist_case import (
    EMBEDDINGS,
    FEATURES,
    LABELS,
    Index,
    expected,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml import shortlist_labels as module
from xmc_keras.lightdxml.shortlist_labels import shortlist_labels


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("positives", [False, True])
@pytest.mark.parametrize("products", [1, 2**24])
def test_equals_a_sort(k, positives, products, monkeypatch):
    monkeypatch.setattr(module, "PRODUCTS", products)
    labels = LABELS if positives else None
    found = shortlist_labels(FEATURES, EMBEDDINGS, k, labels)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected(k, positives))


def test_without_any_positive():
    found = shortlist_labels(FEATURES, EMBEDDINGS, 3, scipy.sparse.csr_matrix((50, 12)))
    assert (found >= 0).all()


def test_the_scaled_table_is_freed_at_once(monkeypatch, no_collection):
    held, normalize = [], module.normalize_table

    def remember(rows):
        held.append(normalize(rows))
        return held[0]

    monkeypatch.setattr(module, "normalize_table", remember)
    shortlist_labels(FEATURES, EMBEDDINGS, 3)
    held[0] = weakref.ref(held[0])
    assert held[0]() is None


def test_by_hnsw(monkeypatch):
    hnswlib = types.ModuleType("hnswlib")
    hnswlib.Index = Index
    monkeypatch.setitem(sys.modules, "hnswlib", hnswlib)
    for k in (5, 40):
        found = shortlist_labels(FEATURES, EMBEDDINGS, k, LABELS, "hnsw")
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, expected(k, True))


def test_by_what_takes_less_time(monkeypatch, caplog):
    used = []
    monkeypatch.setattr(module, "search_hnsw", lambda *a: used.append("hnsw") or a[0])
    monkeypatch.setattr(
        module, "search_exactly", lambda *a: used.append("exact") or a[0]
    )
    sizes = []
    for many, installed in ((True, True), (True, False), (False, True)):
        pays = lambda *size, many=many: sizes.append(size) or many  # noqa: E731
        monkeypatch.setattr(module, "is_hnsw_faster", pays)
        spec = object() if installed else None
        monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
        with caplog.at_level("INFO"):
            shortlist_labels(FEATURES, EMBEDDINGS, 3, search="auto")
    assert used == ["hnsw", "exact", "exact"] and sizes == [(50, 12)] * 3
    assert caplog.text.count("pip install .[ann]") == 1


def test_hnsw_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(BadInput, match=r"pip install \.\[ann\].*search: exact"):
        shortlist_labels(FEATURES, EMBEDDINGS, 3, search="hnsw")
