"""A data folder of a comparison."""

import dataclasses
from pathlib import Path

from xmc_keras.data.documents import Documents, documents_digest, read_documents
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.labels.label_set import LabelSet


@dataclasses.dataclass
class DataSet:
    """A data folder, read.

    Args:
        folder: path.
        train, test: `Documents`.
        about: dictionary of `name`, sizes and a digest.
    """

    folder: Path
    train: Documents
    test: Documents
    about: dict


def read_data_set(folder):
    """Reads a `DataSet`; raises `BadInput` if it has no texts and labels."""
    folder = Path(folder).resolve()
    train, test = (read_documents(folder, part, True) for part in ("train", "test"))
    label_set = LabelSet.from_labels(train.labels)
    unknown = len(label_set.unknown(test.labels))
    pairs = sum(len(set(names)) for names in test.labels)
    filtered = encode_filtered_labels(test, label_set)
    about = {
        "data": folder.name,
        "train_documents": len(train),
        "test_documents": len(test),
        "labels": len(label_set),
        "unknown_share": round(unknown / max(1, pairs), 4),
        "filtered_pairs": 0 if filtered is None else int(filtered.nnz),
        "skipped_lines": train.skipped + test.skipped,
        "digest": (documents_digest(train) + documents_digest(test))[::8],
    }
    return DataSet(folder, train, test, about)
