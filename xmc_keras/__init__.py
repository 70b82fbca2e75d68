"""Extreme multi-label text classification in Keras 3.

Names are imported on first use, so that reading data or a config does not wait
for TensorFlow. Functions whose file has the same name are imported from there, as
in `from xmc_keras.label_features import label_features`.
"""

import importlib

from xmc_keras.version import __version__

_HOMES = {
    "BadInput": "bad_input",
    "BagOfWords": "bag_of_words",
    "CandidateRecall": "candidate_recall",
    "ClusterGenerator": "cluster_generator",
    "Config": "config",
    "DocumentBatches": "document_batches",
    "DynamicCandidateRanker": "dynamic_candidate_ranker",
    "FusedDropout": "fused_dropout",
    "LabelProxy": "label_proxy",
    "LabelSet": "label_set",
    "LightDXML": "lightdxml",
    "LightXML": "lightxml",
    "MultiLayerCLSEncoder": "multi_layer_cls_encoder",
    "NearestLabels": "nearest_labels",
    "PrecisionAtK": "precision_at_k",
    "RowLossScale": "row_loss_scale",
    "RowwiseAdamW": "rowwise_adamw",
    "SWA": "swa",
    "ShortlistClassifier": "shortlist_classifier",
    "SparseDocumentBatches": "sparse_document_batches",
    "SparseTextEncoder": "sparse_text_encoder",
    "TextTokenizer": "text_tokenizer",
    "TokenCache": "token_cache",
    "WarmupDecay": "warmup_decay",
    "WordVectorizer": "word_vectorizer",
    "cluster_labels": "label_clustering",
    "load_config": "config_file",
    "load_encoder": "pretrained",
    "ranking_report": "ranking_metrics",
    "read_documents": "text_folder",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return __all__
