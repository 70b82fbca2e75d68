"""Extreme multi-label text classification in Keras 3.

Names are imported on first use, so that reading data or a config does not wait for
TensorFlow.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "BadInput": "files.bad_input",
    "BagOfWords": "data.features.bag_of_words",
    "Calibration": "recommending.calibration.calibration",
    "CandidateRecall": "metrics.candidate_recall",
    "Client": "serving.client",
    "ClusterGenerator": "lightxml.cluster_generator",
    "ClusterRanker": "lightxml.cluster_ranker",
    "Config": "config.config",
    "DocumentBatches": "data.document_batches",
    "Documents": "data.documents",
    "DynamicCandidateRanker": "lightxml.dynamic_candidate_ranker",
    "Explanation": "evaluation.explanation",
    "FeatureDocuments": "data.feature_documents",
    "FitResult": "training.fit_result",
    "FusedDropout": "encoders.fused.fused_dropout",
    "HeldOutAnswers": "recommending.calibration.held_out_answers",
    "Hybrid": "recommending.hybrid",
    "LabelProxy": "lightdxml.label_proxy",
    "LabelSet": "labels.label_set",
    "LabelWords": "lightdxml.label_words",
    "LightDXML": "lightdxml.lightdxml",
    "LightDXMLClassifier": "classifiers.lightdxml_classifier",
    "LightXML": "lightxml.lightxml",
    "LightXMLClassifier": "classifiers.lightxml_classifier",
    "MultiLayerCLSEncoder": "encoders.multi_layer_cls_encoder",
    "NearestLabels": "lightdxml.nearest_labels",
    "NegativeDocuments": "one_vs_all.negative_documents",
    "OneVsAll": "one_vs_all.one_vs_all",
    "OneVsAllClassifier": "classifiers.one_vs_all_classifier",
    "OneVsAllHead": "one_vs_all.one_vs_all_head",
    "PairedEncoders": "encoders.paired_encoders",
    "PrecisionAtK": "metrics.precision_at_k",
    "RowLossScale": "optimizers.row_loss_scale",
    "RowwiseAdamW": "optimizers.rowwise_adamw",
    "RunFolder": "runs.run_folder",
    "SWA": "training.callbacks.swa",
    "ShortlistClassifier": "lightdxml.shortlist_classifier",
    "SparseDocumentBatches": "data.sparse_document_batches",
    "SparseOneVsAll": "one_vs_all.sparse_one_vs_all",
    "SparseTextEncoder": "encoders.sparse_text_encoder",
    "Target": "recommending.thresholds.target",
    "TextTokenizer": "text.text_tokenizer",
    "TokenCache": "data.token_cache",
    "Vocabulary": "labels.vocabulary",
    "WarmupDecay": "optimizers.warmup_decay",
    "WordVectorizer": "text.word_vectorizer",
    "XLNetBackbone": "encoders.xlnet.xlnet_backbone",
    "add_labels": "recommending.label_changes.add_labels",
    "answer_documents": "evaluation.answer_documents",
    "build_lightdxml": "lightdxml.build",
    "build_model": "lightxml.build",
    "calibrate_ensemble": "evaluation.ensemble.calibrate_ensemble",
    "choose_config": "config.choose_config",
    "choose_thresholds": "recommending.thresholds.choose_thresholds",
    "cluster_labels": "labels.label_clustering",
    "compute_centroids": "labels.label_centroids",
    "describe_config": "config.describe_config",
    "download_set": "data.downloads.download_set",
    "evaluate": "evaluation.evaluate",
    "evaluate_ensemble": "evaluation.ensemble.evaluate_ensemble",
    "evaluate_run": "evaluation.evaluate_run",
    "explain": "evaluation.explain",
    "export": "serving.export",
    "export_runs": "serving.export",
    "fit": "training.fit",
    "fit_one_vs_all": "one_vs_all.fit_one_vs_all",
    "fit_tfidf": "labels.label_features",
    "inverse_propensity": "metrics.inverse_propensity",
    "label_features": "labels.label_features",
    "learn": "recommending.label_changes.learn",
    "load_config": "config.config_file",
    "load_encoder": "encoders.pretrained",
    "make_plan": "training.planning.make_plan",
    "measure_selection": "recommending.thresholds.measure_selection",
    "merge_answers": "evaluation.predict_file",
    "predict_file": "evaluation.predict_file",
    "prepare_data": "data.preparing.prepare_data",
    "ranking_report": "metrics.ranking_metrics",
    "read_documents": "data.documents",
    "read_feature_documents": "data.feature_documents",
    "read_vocabulary": "data.preparing.vocabularies.read_vocabulary",
    "recipe_names": "config.recipes",
    "remove_labels": "recommending.label_changes.change_labels",
    "rename_labels": "recommending.label_changes.change_labels",
    "save_config": "config.config_file",
    "serve": "serving.serve",
    "shortlist_labels": "lightdxml.shortlist_labels",
    "start_from_centroids": "lightxml.start_from_centroids",
    "stochastic_round": "optimizers.row_updates",
    "train_label_proxy": "lightdxml.label_proxy",
    "whole_model": "recommending.whole_model",
    "write_report": "evaluation.report.write_report",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return __all__
