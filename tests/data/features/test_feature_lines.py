import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xmc_keras.data.features import feature_lines as module
from xmc_keras.data.features.feature_lines import LARGEST_ID, parse_feature_lines
from xmc_keras.files.bad_input import BadInput

IDS = st.integers(0, LARGEST_ID)
WEIGHTS = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOCUMENTS = st.lists(
    st.tuples(st.lists(IDS, max_size=4), st.lists(st.tuples(IDS, WEIGHTS), max_size=4)),
    min_size=1,
    max_size=6,
)
# Pieces of almost correct lines, which random bytes seldom produce.
PIECES = "0 1 22 2147483647 99999999999999999999 . , : - + e 1e9 1e39 .5 5. 1.2.3 nan"
PIECES = [*PIECES.split(), *" \n\t\r#\0_é٣", "inf", "0x1", "1_0", "1:2", "3:.4"]
ALMOST = st.lists(st.sampled_from(PIECES), max_size=12).map("".join).map(str.encode)


def written(labels, features, form):
    labels = ",".join(map(str, labels))
    return " ".join([labels, *(f"{i}:{form(w)}" for i, w in features)])


def as_lists(found):
    dtypes = ["int32", "int64", "int32", "float32", "int64"]
    assert [part.dtype.name for part in found] == dtypes
    assert len(found.weights) == len(found.feature_ids) == found.num_features.sum()
    assert len(found.label_ids) == found.num_labels.sum()
    return [part.tolist() for part in found]


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, st.sampled_from([repr, "{:.3f}".format, "{:+.9E}".format]))
def test_round_trip(documents, form):
    lines = [written(*document, form) for document in documents]
    found = parse_feature_lines("".join(f"{x}\n" for x in lines).encode(), "f.txt")
    weights = [float(form(w)) for _, features in documents for _, w in features]
    assert as_lists(found) == [
        [i for labels, _ in documents for i in labels],
        [len(labels) for labels, _ in documents],
        [i for _, features in documents for i, _ in features],
        np.array(weights, np.float32).tolist(),
        [len(features) for _, features in documents],
    ]


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS)
def test_well_formed_lines_are_parsed_at_once(documents):
    content = "".join(f"{written(*d, repr)} \r\n" for d in documents).encode()
    at_once = module._parse_at_once(content)
    assert at_once is not None
    assert as_lists(at_once) == as_lists(module._parse_one_by_one(content, "f.txt", 1))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=30) | ALMOST)
@example(b"1.2.3 4:1-2")
@example(b"1:2:3")
@example(b"1:2,3")
@example(b"1,2:3")
@example(b"1 2 3:4")
@example(b"1:2 3")
@example(b"1, 2 3:4")
@example(b"1 ,2 3:4")
@example(b"1: 2")
@example(b"1 :2")
@example(b":")
@example(b",")
@example(b"1,,2")
@example(b"1::2")
@example(b"1:2 ,")
@example(b"-1:2")
@example(b"1e1:2")
@example(b"1:e")
@example(b"1:-")
@example(b"1:1e")
@example(b"1:1e39")
@example(b"2147483647:1")
@example(b"00000000000000001:1")
@example(b"\n\n \n")
def test_both_ways_agree_on_any_bytes(content):
    content += b"\n"
    at_once = module._parse_at_once(content)
    try:
        slowly = module._parse_one_by_one(content, "f.txt", 1)
    except BadInput:
        assert at_once is None
    else:
        assert at_once is None or as_lists(at_once) == as_lists(slowly)
        assert np.isfinite(slowly.weights).all()


@pytest.mark.parametrize(
    "line, message",
    [
        (b"1,x 2:3", "a label id that is an integer from 0 to 2147483646. Received: "),
        (b"-1 2:3", "a label id .* Received: '-1'"),
        (b"1 2", "id:weight with a weight .* Received: '2'"),
        (b"1 2:x", "id:weight with a weight .* Received: '2:x'"),
        (b"1 2:nan", "a weight that is a finite number. Received: '2:nan'"),
        (b"1 2:-inf", "a weight that is a finite number. Received: '2:-inf'"),
        (b"1 2:1e39", "a weight that is a finite number. Received: '2:1e39'"),
        (b"1 2147483647:1", "an id .* Received: '2147483647:1'"),
        (b"1 2:3 # so", "id:weight .* Received: '#'"),
    ],
)
def test_errors_say_what_is_wrong(line, message):
    with pytest.raises(BadInput, match=r"^f\.txt:12: Expected .*" + message):
        parse_feature_lines(b"1 2:3\n\n" + line + b"\n1 2:3\n", "f.txt", line=10)
