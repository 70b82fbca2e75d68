"""What a `.keras` file of a classifier has besides its model."""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np

from xmc_keras.config.config import Config

MEMBER = "classifier.json"


def write_classifier(classifier, path):
    """Writes a fitted classifier, atomically: its model, and a member with the rest."""
    from xmc_keras.runs.model_file import save_model

    config = classifier.config_
    facts = {
        "parameters": classifier.get_params(deep=False),
        "classes": classifier.classes_,
        "label_counts": classifier.label_counts_,
        "num_documents": classifier.num_documents_,
        "label_kind": classifier.label_kind_,
        "config": None if config is None else dataclasses.asdict(config),
    }
    for name in ("history", "metrics"):
        if hasattr(classifier, f"{name}_"):
            facts[name] = getattr(classifier, f"{name}_")
    data = json.dumps(facts, default=_to_json).encode()
    save_model(classifier.model_, path, {MEMBER: data})


def read_facts(path):
    """What `write_classifier` wrote, a dictionary; empty for another model.

    Args:
        path: string or path of a `.keras` file, or of a folder with what is in one.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected a .keras file. Received: no file {path}.")
    try:
        if path.is_dir():
            data = (path / MEMBER).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                data = archive.read(MEMBER)
    # `load_model` says what is wrong
    except (KeyError, FileNotFoundError, zipfile.BadZipFile):
        return {}
    facts = json.loads(data)
    if facts["config"] is not None:
        facts["config"] = Config(**facts["config"])
    return facts


def _to_json(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise ValueError(
        "Expected parameters of text, numbers, lists and dictionaries, to save them. "
        f"Received: {value!r:.80}."
    )
