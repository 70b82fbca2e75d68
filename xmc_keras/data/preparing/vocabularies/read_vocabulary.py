"""Reading titles and texts of labels from any usual file."""

import re
from pathlib import Path

from xmc_keras.data.formats.find_format import strip_compression
from xmc_keras.data.formats.label_list import read_described_labels
from xmc_keras.data.preparing.vocabularies.choose_titles import choose_language
from xmc_keras.data.preparing.vocabularies.skos import read_skos
from xmc_keras.data.preparing.vocabularies.vocabulary_rows import (
    read_pairs,
    read_rows,
    starts_with_names,
)
from xmc_keras.files.bad_input import BadInput

RDF = (".ttl", ".nt", ".rdf", ".xml", ".owl", ".skos")
JSON = (".json", ".jsonl")
ROWS = (".csv", ".tsv", ".txt")
CODE = re.compile("[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


def read_vocabulary(path, language=None):
    r"""Reads titles and texts of labels.

    The file is a vocabulary in SKOS (`.ttl`, `.nt`, `.rdf`, `.xml`, `.owl`, `.skos`),
    see `read_skos`; a table with column names or pairs (`.csv`, `.tsv`, `.txt`), see
    `read_rows` and `read_pairs`; or `lbl.json` of the Extreme Classification
    Repository. It may be compressed (`.gz`, `.xz`).

    Args:
        path: string or path.
        language: optional string, a code such as `"en"`: that of titles and texts,
            where there are several. By default the one in which most labels have a
            title. A label without a title in it has one without a language, or in
            another.

    Returns:
        `Vocabulary`, not empty.

    Raises:
        BadInput: the file is missing or damaged, of another kind, or has no labels, or
            none with this language; or rdflib is not installed.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "plants.csv")
    ...     _ = path.write_text("uri,label_en,label_fi\nx:1,rose,ruusu\nx:2,oak,tammi")
    ...     read_vocabulary(path).titles, read_vocabulary(path, "fi").titles
    ({'x:1': 'rose', 'x:2': 'oak'}, {'x:1': 'ruusu', 'x:2': 'tammi'})
    """
    end = Path(strip_compression(Path(path).name)).suffix.lower()
    if language is not None and not CODE.fullmatch(language):
        raise BadInput(
            f"Expected the code of a language, such as en. Received: {language!r:.60}.",
            remedy="Give another `label_language`.",
        )
    if end in RDF:
        found = read_skos(path, language)
    elif end == ".csv" or (end in ROWS and starts_with_names(path)):
        found = read_rows(path, language)
    elif end in JSON + ROWS:
        found = read_described_labels(path) if end in JSON else read_pairs(path)
        choose_language([""], language, path)  # refuses one, as there is none
    else:
        raise BadInput(
            "Expected a file with texts of labels, which ends in "
            f"{', '.join(RDF + JSON + ROWS)}, and perhaps .gz or .xz. Received: "
            f"{end or 'a name without an ending'}.",
            path,
        )
    if not found.names:
        raise BadInput("Expected texts of labels. Received: none.", path)
    return found
