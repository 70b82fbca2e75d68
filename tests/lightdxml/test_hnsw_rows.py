import sys

import numpy as np
import pytest

from tests.helpers.shortlist_case import EMBEDDINGS, FEATURES, Index, expected
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml.hnsw_rows import search_hnsw


@pytest.mark.parametrize("k", [3, 99])
def test_what_the_graph_is_asked(k, monkeypatch):
    module = type(sys)("hnswlib")
    module.Index = Index
    monkeypatch.setitem(sys.modules, "hnswlib", module)
    found = search_hnsw(FEATURES, EMBEDDINGS, k)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected(k, False))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(BadInput, match=r"pip install \.\[ann\]"):
        search_hnsw(FEATURES, EMBEDDINGS, 3)
