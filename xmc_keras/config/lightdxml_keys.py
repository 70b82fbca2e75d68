"""The keys of a recipe that LightDXML alone has."""

import dataclasses

from xmc_keras.config.config_key import config_key as _key


@dataclasses.dataclass(frozen=True, kw_only=True)
class LightDXMLKeys:
    """What decides how a `LightDXML` is trained, beside the other keys of `Config`.

    Reference: LightDXML (https://arxiv.org/abs/2304.11045).
    """

    embedding_dim: int = _key("Width of a word embedding.", 300, minimum=1)
    residual: bool = _key("Residual block after the sum of word embeddings.", True)
    max_ngram: int = _key(
        "Longest sequence of words that is a feature.", 1, minimum=1, maximum=3
    )
    max_features: int | None = _key(
        "Features, those in most documents; null = any number.", None, minimum=1
    )
    min_documents: int | None = _key(
        "Documents that a feature is in, at least; null = 2, or 1 for fewer than 1,000 "
        "documents. With few documents a label, 1 keeps the names that tell rare ones.",
        None,
        minimum=1,
    )
    freeze_encoder: bool = _key("Train the classifier alone.", False)
    refresh: int = _key(
        "Epochs from one shortlist of negatives to the next.", 8, minimum=1
    )
    num_neighbors: int = _key(
        "Nearest labels that are a document's shortlist, and its candidates in "
        "prediction.",
        400,
        minimum=1,
    )
    search: str = _key(
        "Nearest labels by exact search, by hnsw (pip install .[ann]), or auto: hnsw "
        "where it is there and labels are many.",
        "auto",
        choices=["auto", "exact", "hnsw"],
    )
    max_positives: int | None = _key(
        "Positives of a document that a step learns on; null = all.", 20, minimum=1
    )
    shared_negatives: bool = _key(
        "Score a document against the shortlists of its whole batch.", False
    )
    random_negatives: int = _key(
        "Labels drawn for each batch in addition, where negatives are shared.",
        0,
        minimum=0,
    )
    logq_correction: float = _key(
        "Share of log q that is added to a label's bias after training, where q is the "
        "chance that a batch has it among shared negatives: 0 ranks rare labels too "
        "high, 1 has true odds.",
        0.0,
        minimum=0,
        maximum=1,
    )
    candidates_from: str = _key(
        "Candidates of a prediction: nearest label embeddings, or best of all labels "
        "by the classifier.",
        "embeddings",
        choices=["embeddings", "classifier"],
    )
    label_words: int = _key(
        "Heaviest words of each label's documents, whose cosine with a document is "
        "added to the logit; its scale and what each word counts are learnt. 0 = "
        "none, as published.",
        0,
        minimum=0,
    )
    label_words_scale: float = _key(
        "What that cosine is multiplied by before training.", 6.0, above=0
    )
    beta: float | None = _key(
        "Share of the classifier in a score; null = the best on the validation split.",
        None,
        minimum=0,
        maximum=1,
    )
    proxy_dim: int = _key("Width within the map of centroids.", 1000, minimum=1)
    proxy_epochs: int = _key(
        "Passes over the labels that train the map; 0 = centroids as they are.",
        8,
        minimum=0,
    )
    proxy_learning_rate: float = _key("Rate of the map.", 3e-3, above=0)
    proxy_batch_size: int = _key("Labels a step of the map.", 256, minimum=1)
