"""The keys of a config that only LightDXML reads."""

import dataclasses

from xmc_keras.config.keys.config_key import config_key as _key


@dataclasses.dataclass(frozen=True, kw_only=True)
class LightDXMLKeys:
    """Words, label embeddings, shortlists, classifier and their training.

    Reference: LightDXML (https://arxiv.org/abs/2304.11045).
    """

    # Words, for encoder: words
    embedding_dim: int = _key("Width of a word embedding.", 300, minimum=1)
    residual: bool = _key("Residual block after the sum of word embeddings.", True)
    max_ngram: int = _key(
        "Maximum number of words in a feature.", 1, minimum=1, maximum=3
    )
    char_ngrams: list | None = _key(
        "Least and largest number of characters in n-grams within words, which are "
        "features as well; null = none. They help where words are rare or have many "
        "endings.",
        None,
        pair=True,
        minimum=2,
        maximum=8,
    )
    fold_accents: bool = _key(
        "Take accents off Latin, Greek and Cyrillic letters: 'café' is 'cafe'.", False
    )
    max_features: int | None = _key(
        "Maximum number of features, the most frequent ones; null = no limit.",
        None,
        minimum=1,
    )
    min_documents: int | None = _key(
        "Minimum document frequency of a feature; null = 2, or 1 for fewer than 1,000 "
        "documents. With few documents per label, 1 keeps the names that identify "
        "rare labels.",
        None,
        minimum=1,
    )
    freeze_encoder: bool = _key("Train the classifier alone.", False)

    # Shortlists
    refresh: int = _key("Epochs between two shortlists of negatives.", 8, minimum=1)
    num_neighbors: int = _key(
        "Nearest labels in a document's shortlist, and candidates of a prediction.",
        400,
        minimum=1,
    )
    search: str = _key(
        "Search for nearest labels: exact, hnsw (pip install 'xmc-keras[ann]'), or "
        "auto: hnsw where it is installed and faster.",
        "auto",
        choices=["auto", "exact", "hnsw"],
    )
    max_positives: int | None = _key(
        "Positives of a document that a step trains on; null = all.", 20, minimum=1
    )
    shared_negatives: bool = _key(
        "Score a document against the shortlists of its whole batch.", False
    )
    random_negatives: int = _key(
        "Random labels added to each batch, with shared negatives.",
        0,
        minimum=0,
    )
    logq_correction: float | None = _key(
        "Share of log q added to a label's bias after training, where q is the "
        "probability that it is among a batch's shared negatives: 0 ranks rare labels "
        "too high, 1 gives true odds; null = the best on the validation split.",
        None,
        minimum=0,
        maximum=1,
    )

    # Scores
    candidates_from: str = _key(
        "Candidates of a prediction: the nearest label embeddings, or the labels that "
        "the classifier scores highest.",
        "embeddings",
        choices=["embeddings", "classifier"],
    )
    label_words: int = _key(
        "Top words of each label's documents, whose cosine with a document is added to "
        "the logit; its scale and the weight of each word are learned. 0 = none, as "
        "published.",
        0,
        minimum=0,
    )
    label_words_scale: float = _key(
        "Initial scale of that cosine. The learned one is multiplied by a factor from "
        "0.5 to 2 after training, where that is better on the validation split.",
        6.0,
        above=0,
    )
    linear: bool = _key(
        "After training, join a linear one-vs-all model of the words, by weights "
        "chosen on the validation split. Not published.",
        False,
    )
    linear_c: float | None = _key(
        "Weight of the loss in the linear model; null = 4 for up to 20 million pairs "
        "of a document and a label, else 0.5.",
        None,
        above=0,
    )
    beta: float | None = _key(
        "Weight of the classifier in a score; null = the best on the validation split.",
        None,
        minimum=0,
        maximum=1,
    )

    # Label proxy: the map from centroids to label embeddings
    proxy_dim: int = _key("Inner width of the label proxy.", 1000, minimum=1)
    proxy_epochs: int = _key(
        "Passes over the labels that train the proxy; 0 = use the centroids.",
        8,
        minimum=0,
    )
    proxy_learning_rate: float = _key("Learning rate of the proxy.", 3e-3, above=0)
    proxy_batch_size: int = _key("Labels per step of the proxy.", 256, minimum=1)

    # Training
    halve_at: list | None = _key(
        "With schedule: halving, the epochs after which the rates are halved.",
        None,
        form="increasing",
    )
