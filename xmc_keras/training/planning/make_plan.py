"""The plan of a run, from its data or from sizes that are given."""

from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.data.check_reads import check_reads_features
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.data.splits import read_part
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.training.planning.lightdxml_plan import LightDXMLPlan
from xmc_keras.training.planning.lightxml_plan import LightXMLPlan

SAMPLE = 4096  # documents whose words are counted, and that a trial draws from
SIZES = {
    "labels": "labels, to plan without the data",
    "documents": "training documents, likewise",
    "features": "words of the vocabulary of lightdxml, likewise (max_features)",
    "words": "of them in a document on average, likewise (75)",
}


def add_sizes(parser):
    """Adds the options of `SIZES`."""
    for name, help in SIZES.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=help)


def check_sizes(args):
    """BadInput where sizes are none or do not go together."""
    for name in SIZES:
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise BadInput(f"Expected --{name} to be at least 1.")
    for name in ("documents", "features", "words"):
        if getattr(args, name) and not args.labels:
            raise BadInput(f"Expected --labels with --{name}. Received: no --labels.")


def make_plan(config, args):
    """A plan of a config, and documents of its data to try it on.

    Args:
        config: a `Config`.
        args: the command line's, with `SIZES`.

    Returns:
        `(plan, documents)`: a `LightXMLPlan` or `LightDXMLPlan`; the `Documents`, or,
        where words are the features, `FeatureDocuments` of some, or None without data.

    Raises:
        BadInput: there is no such folder, or a size is missing.
    """
    words = config.system == "lightdxml" and config.encoder == "words"
    documents, num_features, mean, most_labels = None, 0, 0.0, 8
    if args.labels is not None:
        sizes = args.labels, args.documents
        if words:
            num_features, mean = args.features or config.max_features, args.words or 75
        if num_features is None:
            raise BadInput(
                "Expected --features with --labels for encoder: words, or "
                "max_features in the config. Received: neither."
            )
    else:
        if not Path(config.data).is_dir():
            raise BadInput(
                "Expected the folder of the data, or its --labels and --documents. "
                "Received: no such folder.",
                config.data,
            )
        documents = read_part(config.data, "train", skip_bad_lines=True)
        if isinstance(documents, FeatureDocuments):
            check_reads_features(config, documents.texts_path)
        sizes = len(LabelSet.from_labels(documents.labels)), len(documents)
        most_labels = max(map(len, documents.labels))
        if words:
            documents = sample_rows(config, documents)
            num_features = documents.num_features
            mean = documents.features.nnz / len(documents)
    encoder = None if words else EncoderShape.named(config.encoder)
    if config.system == "lightxml":
        return LightXMLPlan(config, encoder, *sizes, most_labels), documents
    plan = LightDXMLPlan(config, *sizes, num_features, mean, most_labels, encoder)
    return plan, documents


def sample_rows(config, documents):
    """`FeatureDocuments` of some documents, by the vocabulary of all."""
    some = documents.subset(range(0, len(documents), 1 + len(documents) // SAMPLE))
    if isinstance(documents, FeatureDocuments):
        return some
    from xmc_keras.lightdxml.build import fit_vectorizer

    vectorizer = fit_vectorizer(config, documents.texts)
    rows = vectorizer.transform(some.texts)
    paths = some.texts_path, some.labels_path
    return FeatureDocuments(rows, some.labels, some.lines, *paths)
