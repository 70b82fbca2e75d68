"""Extreme multi-label text classification in Keras 3.

Names are imported on first use, so that reading data or a config does not wait
for TensorFlow. Functions whose file has the same name are imported from there, as
in `from xmc_keras.labels.label_features import label_features`.
"""

import importlib

from xmc_keras.version import __version__

_HOMES = {
    "BadInput": "bad_input",
    "BagOfWords": "data.features.bag_of_words",
    "CandidateRecall": "metrics.candidate_recall",
    "ClusterGenerator": "lightxml.cluster_generator",
    "Config": "config.config",
    "DocumentBatches": "data.document_batches",
    "DynamicCandidateRanker": "lightxml.dynamic_candidate_ranker",
    "FusedDropout": "encoders.fused.fused_dropout",
    "LabelProxy": "lightdxml.label_proxy",
    "LabelSet": "labels.label_set",
    "LightDXML": "lightdxml.lightdxml",
    "LightXML": "lightxml.lightxml",
    "MultiLayerCLSEncoder": "encoders.multi_layer_cls_encoder",
    "NearestLabels": "lightdxml.nearest_labels",
    "PrecisionAtK": "metrics.precision_at_k",
    "RowLossScale": "optimizers.row_loss_scale",
    "RowwiseAdamW": "optimizers.rowwise_adamw",
    "SWA": "training.callbacks.swa",
    "ShortlistClassifier": "lightdxml.shortlist_classifier",
    "SparseDocumentBatches": "data.sparse_document_batches",
    "SparseTextEncoder": "encoders.sparse_text_encoder",
    "TextTokenizer": "text.text_tokenizer",
    "TokenCache": "data.token_cache",
    "WarmupDecay": "optimizers.warmup_decay",
    "WordVectorizer": "text.word_vectorizer",
    "cluster_labels": "labels.label_clustering",
    "load_config": "config.config_file",
    "load_encoder": "encoders.pretrained",
    "ranking_report": "metrics.ranking_metrics",
    "read_documents": "data.documents",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return __all__
