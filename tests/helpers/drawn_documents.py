"""Documents whose texts name most of their labels, for tests of probabilities."""

import numpy as np

from xmc_keras.data.documents import Documents

NAMES = "game editor puzzle python library server".split()


def draw_documents(seed, count):
    """Texts that name most of their labels, and words of none."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        own = rng.permutation(NAMES)[: rng.integers(1, 4)]
        named = [name for name in own if rng.random() < 0.7]
        others = [f"word{i}" for i in rng.integers(0, 50, 4)]
        texts.append(" ".join(rng.permutation([*named, *others])))
        labels.append(own.tolist())
    return Documents(texts, labels)


def write_drawn_data(folder, train=700, test=300):
    """Writes both parts as a folder of data; returns them in a dictionary."""
    folder.mkdir()
    parts = {"train": draw_documents(0, train), "test": draw_documents(1, test)}
    for part, documents in parts.items():
        lines = "\n".join(documents.texts) + "\n"
        (folder / f"{part}_texts.txt").write_text(lines)
        lines = "\n".join(map(" ".join, documents.labels)) + "\n"
        (folder / f"{part}_labels.txt").write_text(lines)
    return parts
