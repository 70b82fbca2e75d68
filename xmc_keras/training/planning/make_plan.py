"""Planning a run from its documents or from sizes."""

from xmc_keras.config.resolve_config import limit_sizes
from xmc_keras.data.check_documents import check_reads_features, check_trainable
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.training.planning.check_memory import TRANSFORMER_PLANS
from xmc_keras.training.planning.lightdxml_plan import LightDXMLPlan

SAMPLE = 4096  # documents to count words in, and to draw training steps from
WORDS = 75  # words per document, if nothing else is known


def make_plan(
    config,
    train=None,
    num_labels=None,
    num_documents=None,
    num_features=None,
    num_words=None,
    workers=1,
    shard_labels=False,
):
    """Estimates memory, disk space and steps of a run before it starts.

    Args:
        config: a `Config`.
        train: optional `Documents` or `FeatureDocuments` to train on. Without them the
            sizes below are used, of which `num_labels` is required.
        num_labels: optional int.
        num_documents: optional int.
        num_features: optional int. Words in the vocabulary of a LightDXML, by default
            `max_features` of the config.
        num_words: optional int. Words per document on average. Defaults to `75`.
        workers: int. Workers, such as GPUs, among which each batch is split; memory is
            that of one of them. Defaults to `1`.
        shard_labels: bool. Whether the label table is dealt out over the workers.
            Defaults to `False`: each has all of it.

    Returns:
        `(plan, sample)`: a `LightXMLPlan` or `LightDXMLPlan`, and documents to measure
        training steps on, or None. For `encoder: words` the sample is
        `FeatureDocuments`.

    Raises:
        BadInput: the documents do not fit the config, or a size is missing.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(system="lightdxml", encoder="words", embedding_dim=100)
    >>> plan, _ = make_plan(config, num_labels=5000, num_features=20_000)
    >>> sum(plan.parameters.values()) > 5000 * 100 + 20_000 * 100
    True
    """
    if train is not None:
        config = limit_sizes(config, train)
    words = config.system == "lightdxml" and config.encoder == "words"
    if not words and (num_features or num_words):
        raise BadInput(
            "Expected numbers of features and words with encoder: words alone. "
            f"Received: encoder: {config.encoder}, which reads tokens. Leave them out."
        )
    encoder = None if words else EncoderShape.named(config.encoder)
    most_labels, mean = 8, 0.0
    if train is not None:
        check_trainable(train)
        if isinstance(train, FeatureDocuments):
            check_reads_features(config, train.texts_path)
        num_labels = len(LabelSet.from_labels(train.labels))
        num_documents = len(train)
        most_labels = max(map(len, train.labels))
        num_features = 0
        if words:
            train = sample_rows(config, train)
            num_features = train.num_features
            mean = train.features.nnz / len(train)
    elif words:
        mean = num_words or WORDS
        num_features = num_features or config.max_features
        if num_features is None:
            raise BadInput(
                "Expected the number of features for encoder: words, or max_features "
                "in the config. Received: neither.",
                remedy="Give `num_features`.",
            )
    sizes, shares = (num_labels, num_documents), (workers, shard_labels)
    if config.system in TRANSFORMER_PLANS:
        plan = TRANSFORMER_PLANS[config.system]
        return plan(config, encoder, *sizes, most_labels, *shares), train
    features = num_features or 0, mean, most_labels
    return LightDXMLPlan(config, *sizes, *features, encoder, *shares), train


def sample_rows(config, documents):
    """Samples documents as `FeatureDocuments` with the vocabulary of all documents."""
    some = documents.subset(range(0, len(documents), 1 + len(documents) // SAMPLE))
    if isinstance(documents, FeatureDocuments):
        return some
    from xmc_keras.lightdxml.build import fit_vectorizer

    vectorizer = fit_vectorizer(config, documents.texts)
    rows = vectorizer.transform(some.texts)
    paths = some.texts_path, some.labels_path
    return FeatureDocuments(rows, some.labels, some.lines, *paths)
