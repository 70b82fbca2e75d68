import gzip
import json
import types

import numpy as np
import pytest
import scipy.sparse

from xmc_keras.data.formats.filter_pairs import FilterPairs
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.formats.matrix_documents import MatrixDocuments
from xmc_keras.data.formats.options import Options
from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.data.formats.tables.dataset_rows import DatasetRows
from xmc_keras.files.bad_input import BadInput


def pairs(reader):
    return [(document.text, document.labels) for document in reader]


@pytest.mark.parametrize(
    ("files", "format"),
    [
        ({"train_texts.txt": "", "train_labels.txt": ""}, "folder"),
        ({"train_raw_texts.txt.gz": "", "train.txt": "2 3 4\n0 1:2\n"}, "folder"),
        ({"trn.json.gz": "", "lbl.json.gz": ""}, "repository"),
        ({"train.jsonl": ""}, "json"),
        ({"train.jsonl": '{"target_ind": [0]}'}, "repository"),
        ({"train.json": "", "lbl.json": ""}, "repository"),
        ({"X.trn.txt": "", "Y.trn.npz": ""}, "pecos"),
        ({"raw/trn_X.txt": "", "trn_X_Y.txt": ""}, "pecos"),
        ({"train.csv": ""}, "csv"),
        ({"train.parquet": ""}, "parquet"),
        ({"train.tsv": "text\tlabels\n"}, "tsv"),
        ({"train.tsv": "3,4\tsea\n"}, "pecos-tsv"),
        ({"trn.txt": "3,4\tsea\n"}, "pecos-tsv"),
        ({"train.txt": "__label__a sea\n"}, "fasttext"),
        ({"train.ft": "__label__a sea\n"}, "fasttext"),
        ({"dataset_dict.json": "{}"}, "datasets"),
    ],
)
def test_a_plain_format_is_found(tmp_path, files, format):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert find_format(tmp_path) == format
    path = next(iter(files))
    if format not in ("folder", "pecos", "datasets"):
        assert find_format(tmp_path / path) == format


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "Received: none of their names, but no file. Name its `format`"),
        (["train.txt"], "train.txt:1: Expected a first line .* Received: '7 8 9'"),
        (["train.csv", "train.parquet"], "Received: parquet or csv"),
    ],
)
def test_what_is_not_plain_has_to_be_named(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_text("7 8 9\n")
    with pytest.raises(BadInput, match=message):
        find_format(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        find_format(tmp_path / "nowhere")


def test_raw_texts_of_the_repository_with_filters(tmp_path):
    rows = [
        {"uid": "a", "title": "Rose", "content": "red", "target_ind": [0, 2]},
        {"uid": "b", "title": "Oak", "content": "", "target_ind": [1]},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for part in ("trn", "tst"):
        (tmp_path / f"{part}.json.gz").write_bytes(gzip.compress(lines.encode()))
    titles = ["Plant", "Tree", "Plant", "Big  oak"]
    lines = "".join(json.dumps({"title": title}) + "\n" for title in titles)
    (tmp_path / "lbl.json").write_text(lines)
    (tmp_path / "filter_labels_train.txt").write_text("")
    (tmp_path / "filter_labels_test.txt").write_text("0 2\n1 3\n")
    parts = find_parts(tmp_path, "repository")
    assert pairs(parts["train"]) == [
        ("Rose red", ["Plant ~0", "Plant ~2"]),
        ("Oak", ["Tree"]),
    ]
    found = list(parts["test"])
    assert [document.labels for document in found] == [["Plant ~0"], ["Tree"]]
    assert [document.filtered for document in found] == [("Plant ~2",), ("Big oak",)]
    for content, message in (
        ("0 4\n", "test.txt:1: .* the label below 4. Received: '0 4'"),
        ("0\n", "test.txt:1: Expected the ids of a document and a label"),
        ("0 -1\n", "test.txt:1: "),
        ("0 1\n2 1\n", "test.txt:2: Expected document ids below 2"),
    ):
        (tmp_path / "filter_labels_test.txt").write_text(content)
        with pytest.raises(BadInput, match=message):
            list(find_parts(tmp_path, "repository")["test"])
    assert FilterPairs(tmp_path / "filter_labels_train.txt").of(0) == []


def test_files_of_texts_and_of_a_matrix(tmp_path):
    """File names of PECOS and the Repository; a header with wrong counts."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/trn_X.txt").write_text("sea\nsky\n")
    (tmp_path / "raw/Y.txt").write_text("blue\nold\nnew\n")
    matrix = tmp_path / "trn_X_Y.txt"
    matrix.write_text("2 3\n0:1 2:1\n1:1\n")
    found = [("sea", ["blue", "new"]), ("sky", ["old"])]
    assert pairs(find_parts(tmp_path, "pecos")["train"]) == found
    for content, message in (
        ("3 3\n0:1\n1:1\n", "trn_X_Y.txt:1: Expected 3 documents.* Received: 2"),
        ("2 2\n0:1\n2:1\n", "trn_X_Y.txt:3: Expected ids below 2.* Received: 2"),
        ("2 4\n0:1\n3:1\n", "Expected a name for each of 4 labels.* Received: 3"),
        ("1 3\n0:1\n", "trn_X.txt:2: Expected 1 texts.* Received: more"),
        ("3 3\n0:1\n1:1\n1:1\n", "trn_X.txt:2: Expected 3 texts.* Received: 2"),
    ):
        matrix.write_text(content)
        with pytest.raises(BadInput, match=message):
            list(find_parts(tmp_path, "pecos")["train"])
    matrix.unlink()
    with pytest.raises(BadInput, match="trn_X.txt: Expected the labels in Y.trn.npz"):
        find_parts(tmp_path, "pecos")


def test_a_line_that_is_left_out_shifts_no_labels(tmp_path):
    texts = tmp_path / "X.trn.txt"
    texts.write_bytes(b"sea\n\xff\n\nsky\n")
    bad = []
    reader = MatrixDocuments(texts, np.eye(4), ["a", "b", "c", "d"], bad.append)
    assert pairs(reader) == [("sea", ["a"]), ("sky", ["d"])]
    assert [str(error).split(": ")[0] for error in bad] == [f"{texts}:2", f"{texts}:3"]


def test_matrices_of_scikit_learn():
    matrix = scipy.sparse.csr_matrix([[1, 0, 1], [0, 1, 1]], dtype=np.float32)
    matrix.data[0] = 0  # stored, but not a label
    found = pairs(MatrixDocuments(["sea", "sky"], matrix, np.array(["a", "b", "c"])))
    assert found == [("sea", ["c"]), ("sky", ["b", "c"])]
    assert matrix.nnz == 4  # unchanged
    assert pairs(MatrixDocuments(["sea"], [[0, 1]])) == [("sea", ["1"])]
    with pytest.raises(BadInput, match="Expected 2 texts.*in memory.* Received: 1"):
        list(MatrixDocuments(["sea"], matrix))
    with pytest.raises(BadInput, match="a name for each of 3 labels"):
        MatrixDocuments(["sea", "sky"], matrix, ["a"])


class Rows(list):
    column_names = ["text", "label"]


def test_a_data_set_of_rows():
    names = types.SimpleNamespace(names=["old", "new"])
    rows = Rows([{"text": "sea", "label": [1, 0]}, {"text": "sky", "label": [0]}])
    rows.features = {"label": types.SimpleNamespace(feature=names)}
    assert pairs(DatasetRows(rows)) == [("sea", ["new", "old"]), ("sky", ["old"])]
    rows.features = {"label": names}
    rows[:] = [{"text": "sea", "label": 1}, {"text": "sky", "label": 2}]
    reader = DatasetRows(rows)
    with pytest.raises(BadInput, match="data set:2: Expected labels"):
        list(reader)
    assert reader.share == 1.0
    rows.features = None
    assert pairs(DatasetRows(rows)) == [("sea", ["1"]), ("sky", ["2"])]
    with pytest.raises(BadInput, match="a column 'body' once. Received: the col"):
        list(DatasetRows(rows, Columns("body")))
    with pytest.raises(BadInput, match="Received: none"):
        list(DatasetRows(Rows()))


def test_columns(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("id,title,body,tags\n1,Sea,deep,blue;very old\n")
    options = Options("title,body", "tags", ";")
    found = pairs(find_parts(path, "csv", options=options)["train"])
    assert found == [("Sea deep", ["blue", "very old"])]
    with pytest.raises(BadInput, match="csv:1: .* 'tag' once.* `label_column`"):
        list(find_parts(path, "csv", options=Options(None, "tag"))["train"])
    path.write_text("text,text,tags\n1,2,3\n")
    with pytest.raises(BadInput, match="csv:1: Expected a column 'text' once"):
        list(find_parts(path, "csv")["train"])
    path.write_text("\n\n")
    with pytest.raises(BadInput, match="Expected column names. Received: none"):
        list(find_parts(path, "csv")["train"])
    path.write_text('text,tags\nsea,"[""very old"", 3]"\n')
    assert pairs(find_parts(path, "csv")["train"]) == [("sea", ["very old", "3"])]


def test_a_quote_that_is_not_closed_is_never_left_out(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('text,labels\nsea,blue\n"sky,blue\nsun,old\n')
    options = Options(quotes=False)
    for skip in (None, lambda part: lambda error: None):
        with pytest.raises(BadInput, match="csv:3: .* A quote opens .*quotes=False"):
            list(find_parts(path, "csv", skip=skip)["train"])
    found = pairs(find_parts(path, "csv", options=options)["train"])
    assert found[1] == ('"sky', ["blue"])


def test_where_pyarrow_or_datasets_is_missing(tmp_path, monkeypatch):
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    (tmp_path / "dataset_info.json").write_text("{}")
    for name in ("pyarrow", "datasets"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(BadInput, match=r"pip install \"xmc-keras\[parquet\]\""):
        list(find_parts(tmp_path, "parquet")["train"])
    with pytest.raises(BadInput, match="pip install datasets"):
        find_parts(tmp_path, "datasets")


def test_missing_parts(tmp_path):
    with pytest.raises(BadInput, match="Expected X.train.txt or X.trn.txt or train_X"):
        find_parts(tmp_path, "pecos")
    with pytest.raises(ValueError, match="Received: 'xml'"):
        find_parts(tmp_path, "xml")
    (tmp_path / "train.txt").write_text("__label__a sea")
    assert set(find_parts(tmp_path, "fasttext")) == {"train"}
    parts = find_parts(tmp_path, "fasttext", test=tmp_path / "train.txt")
    assert pairs(parts["test"]) == [("sea", ["a"])]


def test_labels_of_fasttext_anywhere_in_a_line(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("__label__a deep __label__b sea\n#x sky #y\n")
    reader = find_parts(path, "fasttext", skip=lambda part: lambda error: None)
    assert pairs(reader["train"]) == [("deep sea", ["a", "b"])]
    path.write_text("#x sky #y\n")
    options = Options(prefix="#")
    reader = find_parts(path, "fasttext", options=options)["train"]
    assert pairs(reader) == [("sky", ["x", "y"])]
