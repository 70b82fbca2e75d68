"""Generated folders in the form of the paper's benchmark sets."""

import numpy as np

TEST_DOCUMENTS = 40
WORDS_A_LABEL = 3
VOCABULARY = [f"w{i}" for i in range(2000)]


def write_benchmark_folder(folder, num_labels, labels_a_document):
    """Writes AttentionXML's four files, in which every label has a document.

    Args:
        folder: path.
        num_labels: int. That of the real set.
        labels_a_document: int. It determines the number of documents.

    Returns:
        int, the number of training documents.
    """
    rng = np.random.default_rng(0)
    order = rng.permutation(num_labels)
    count = -(-num_labels // labels_a_document)
    words = np.array(VOCABULARY)
    parts = {"train": range(count), "test": range(TEST_DOCUMENTS)}
    for part, documents in parts.items():
        texts, labels = [], []
        for i in documents:
            ids = order[i * labels_a_document : (i + 1) * labels_a_document]
            chosen = (ids[:, None] * 7919 + np.arange(WORDS_A_LABEL) * 104_729) % len(
                words
            )
            texts.append(" ".join(rng.permutation(words[chosen.ravel()])))
            labels.append(" ".join(map(str, ids)))
        (folder / f"{part}_raw_texts.txt").write_text("\n".join(texts) + "\n")
        (folder / f"{part}_labels.txt").write_text("\n".join(labels) + "\n")
    return count
