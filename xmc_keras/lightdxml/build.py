"""Building a LightDXML model, its vectorizer and its optimizer from a config."""

import keras

from xmc_keras.encoders.multi_layer_cls_encoder import build_encoder
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.optimizers.warmup_decay import DECAYS, WarmupDecay
from xmc_keras.text.word_vectorizer import WordVectorizer

TABLES = ["token_embeddings", "label_weights", "gains"]
# Multiple of the encoder's learning rate: gains start at one and have farther to go.
GAINS_RATE = 3


def fit_vectorizer(config, texts):
    """Fits the `WordVectorizer` of a config to training documents.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(system="lightdxml", data="texts", encoder="words", max_ngram=2)
    >>> fit_vectorizer(config, ["text editor", "image editor"]).num_features
    5
    """
    return WordVectorizer.fit(
        texts,
        min_documents=config.min_documents,
        max_features=config.max_features,
        max_ngram=config.max_ngram,
        char_ngrams=config.char_ngrams,
        fold_accents=config.fold_accents,
    )


def build_lightdxml(
    config,
    label_names,
    vectorizer=None,
    backbone=None,
    tokenizer=None,
    num_features=None,
):
    """Builds the LightDXML model of a config, not yet compiled.

    Args:
        config: a `Config` of `system: lightdxml`.
        label_names: list of strings.
        vectorizer: the `WordVectorizer`, for `encoder: words`.
        backbone, tokenizer: see `load_encoder`, for another encoder.
        num_features: optional int. Number of features, instead of a vectorizer, for
            documents that are feature vectors and not texts.

    Returns:
        A `LightDXML`.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(system="lightdxml", data="texts", encoder="words")
    >>> build_lightdxml(config, ["a", "b"], num_features=9).encoder.dim
    300
    """
    if vectorizer is not None:
        num_features = vectorizer.num_features
    if backbone is None:
        encoder = SparseTextEncoder(
            num_features,
            config.embedding_dim,
            config.feature_dropout,
            config.residual,
            name="encoder",
        )
    else:
        encoder = build_encoder(config, backbone)
    encoder.trainable = not config.freeze_encoder
    lexical = None
    if config.label_words:
        lexical = LabelWords(
            len(label_names),
            num_features,
            config.label_words,
            initial_scale=config.label_words_scale,
            name="label_words",
        )
    return LightDXML(
        encoder,
        len(label_names),
        num_candidates=max(config.num_neighbors, config.num_predictions),
        candidates_from=config.candidates_from,
        beta=0.75 if config.beta is None else config.beta,
        max_positives=config.max_positives,
        shared_negatives=config.shared_negatives,
        random_negatives=config.random_negatives,
        initial_probability=config.initial_probability,
        lexical=lexical,
        vectorizer=vectorizer,
        tokenizer=tokenizer,
        max_tokens=config.max_tokens,
        label_names=label_names,
        num_predictions=config.num_predictions,
        name="lightdxml",
    )


def lightdxml_optimizer(config, num_batches):
    """Builds the row-wise AdamW of a config, with its learning rates.

    Args:
        config: a `Config`.
        num_batches: int. Steps per epoch.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(system="lightdxml", data="texts", encoder="words", epochs=26,
    ...     schedule="halving", halve_at=[14, 21, 25], learning_rate=0.008)
    >>> rate = lightdxml_optimizer(config, 10)._learning_rate
    >>> [round(float(rate(step)), 4) for step in (0, 140, 141, 251)]
    [0.008, 0.008, 0.004, 0.001]
    """
    total = config.epochs * num_batches
    warmup = round(config.warmup * total)
    if config.schedule == "halving":
        ends = [epoch * num_batches for epoch in config.halve_at]
        rates = [config.learning_rate / 2**i for i in range(len(ends) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)
    else:
        decay = DECAYS[config.schedule]
        rate = WarmupDecay(config.learning_rate, total, warmup, decay)
    head_rate = config.head_learning_rate or config.learning_rate
    optimizer = RowwiseAdamW(
        rate,
        weight_decay=config.weight_decay,
        multipliers={
            "shortlist_classifier": head_rate / config.learning_rate,
            "label_words/gains": GAINS_RATE,
        },
        rowwise=[] if config.optimizer == "adamw" else TABLES,
        partial=TABLES if config.optimizer == "partial_rowwise_adamw" else [],
        global_clipnorm=config.clip_norm,
    )
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "scale", "gains"]
    )
    return optimizer
