"""The keys of a LightXML for a data set."""

import numpy as np

from xmc_keras.config.choose_lightdxml import MOST_LINEAR
from xmc_keras.config.processor import has_fast_bfloat16

# Texts are cut to the shortest of these that most documents fit in.
LENGTHS = (32, 64, 96, 128, 192, 256, 384, 512)
FITTING = 0.75  # share of the documents
TOKENS_A_WORD = 1.5
SAMPLE = 10_000  # documents whose words are counted
# From this many training documents on: batch size, epochs, learning rate of the heads.
# A small batch has more steps. On 675 reports of CodiEsp the eighth epoch was the best.
SIZES = (
    (20_000, 32, 4, 0.005),
    (5_000, 16, 4, 0.0025),
    (1_000, 16, 8, 0.0025),
    (0, 16, 12, 0.0025),
)
PATIENCE = 3
# Up to this many labels each has a cluster of its own, and no ranker is needed, as the
# paper has it on its smallest set, Eurlex-4K.
UNCLUSTERED = 4_000


def choose_lightxml(documents, num_labels, room):
    """Chooses the keys of a LightXML with MiniLM, joined with a model of words.

    Args:
        documents: `Documents` to train on.
        num_labels: int. Labels that they have.
        room: result of `measure_free_memory`, or an empty dictionary.

    Returns:
        `(keys, reasons)`, see `choose_lightdxml`.

    Example:

    >>> from xmc_keras import Documents
    >>> documents = Documents(["a puzzle game for children"] * 40, [["game"]] * 40)
    >>> keys, _ = choose_lightxml(documents, 1, {})
    >>> keys["encoder"], keys["max_tokens"], keys["epochs"]
    ('minilm', 32, 12)
    """
    num_documents = len(documents)
    batch_size, epochs, rate = choose_steps(num_documents)
    fast = "GPU" in room or has_fast_bfloat16()
    keys = {
        "system": "lightxml",
        "encoder": "minilm",
        "max_tokens": choose_length(documents.texts),
        "pooling": "mean",
        "head_start": "centroids",
        "words": num_labels <= MOST_LINEAR,
        "epochs": epochs,
        "patience": PATIENCE,
        "batch_size": batch_size,
        "head_learning_rate": rate,
        "precision": "mixed_bfloat16" if fast else "float32",
    }
    clusters = f"for {num_labels:,} labels"
    if num_labels <= UNCLUSTERED:
        keys["max_leaf"] = 1
        clusters += ", without a ranker"
    size = f"for {num_documents:,} documents"
    words = "a model of words knows rare labels and names better"
    if not keys["words"]:
        words = f"with {num_labels:,} labels its linear part would take hours"
    reasons = [
        (("words",), words),
        (("max_tokens",), "three quarters of the texts fit in"),
        (("batch_size", "epochs", "head_learning_rate"), size),
        (("max_leaf",), clusters),
        (("precision",), f"bfloat16 is {'fast' if fast else 'slow'} here"),
    ]
    return keys, reasons


def choose_steps(num_documents):
    """Batch size, epochs and rate of the heads for some training documents.

    >>> choose_steps(500), choose_steps(44_437)
    ((16, 12, 0.0025), (32, 4, 0.005))
    """
    return next(size[1:] for size in SIZES if num_documents >= size[0])


def choose_length(texts):
    """The shortest of `LENGTHS` for three quarters of the texts, or the longest.

    >>> choose_length(["a b c"]), choose_length(["a " * 70]), choose_length(["a"] * 9)
    (32, 128, 32)
    """
    sample = texts[:: 1 + len(texts) // SAMPLE]
    words = np.quantile([len(text.split()) for text in sample], FITTING)
    tokens = TOKENS_A_WORD * words + 2
    return next((length for length in LENGTHS if length >= tokens), LENGTHS[-1])
