import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.text import map_texts as module
from xmc_keras.text.map_texts import map_texts


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=30)), st.integers(1, 200))
def test_parts_keep_order_and_size(texts, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_CHARACTERS", most)
        patch.setattr(module, "PER_TEXT", 1)
        parts = map_texts(list, texts)
    assert [text for part in parts for text in part] == texts
    for part in parts:
        assert part
        # The first text may start before the border, so it does not count.
        assert len(part) == 1 or sum(len(t) + 1 for t in part[1:]) <= most


def test_an_error_comes_through():
    with pytest.raises(ZeroDivisionError):
        map_texts(lambda part: 1 / 0, ["a"])


@pytest.mark.parametrize("texts", ["text", [b"text"]])
def test_what_is_no_list_of_strings(texts):
    with pytest.raises(ValueError, match="Expected a list of strings"):
        map_texts(len, texts)
