"""Model card of a classifier, in the form of the Hugging Face hub."""

import dataclasses
from pathlib import Path

import xmc_keras
from xmc_keras.config.config import SYSTEMS
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.version.model_card import (
    METRICS,
    format_config,
    format_table,
    name_versions,
)

HANDLE = "hf://"
PAPERS = {
    "lightxml": {
        "title": "LightXML: Transformer with Dynamic Negative Sampling for "
        "High-Performance Extreme Multi-label Text Classification",
        "author": "Jiang, Ting and Wang, Deqing and Sun, Leilei and Yang, Huayi and "
        "Zhao, Zhengyang and Zhuang, Fuzhen",
        "booktitle": "AAAI",
        "year": "2021",
        "url": "https://arxiv.org/abs/2101.03305",
    },
    "lightdxml": {
        "title": "Light-weight Deep Extreme Multilabel Classification",
        "author": "Mishra, Istasis and Dasgupta, Arpan and Jawanpuria, Pratik and "
        "Mishra, Bamdev and Kumar, Pawan",
        "booktitle": "IJCNN",
        "year": "2023",
        "url": "https://arxiv.org/abs/2304.11045",
    },
    "one_vs_all": {
        "title": "Renee: End-to-end training of extreme classification models",
        "booktitle": "MLSys",
        "year": "2023",
        "url": "https://github.com/microsoft/renee",
    },
}


def write_hub_card(
    classifier,
    handle=None,
    *,
    language=None,
    license=None,
    datasets=None,
    tags=(),
    metrics=None,
):
    """Writes the model card of a fitted classifier: Markdown, with YAML before it.

    What is not known is left out, except for the name of the data of `model-index`,
    which the hub requires: it is `Unknown`, unless `datasets` has one.

    Args:
        classifier: a fitted `LightXMLClassifier` or `LightDXMLClassifier`.
        handle: optional string, `"hf://owner/name"`.
        language: optional string or list. Codes of languages, such as `"en"`.
        license: optional string. An identifier of the hub, such as `"apache-2.0"`.
        datasets: optional string or list. Data sets of the hub that it learnt from.
        tags: list of strings. Further tags.
        metrics: optional dictionary. What `evaluate` returned for test documents. By
            default `metrics_`: those on the validation documents, or on the test part
            of a run.

    Returns:
        string.
    """
    if handle is not None and not handle.startswith(HANDLE):
        raise BadInput(f"Expected hf://owner/name. Received: {handle}.")
    part = "test"
    if metrics is None:
        metrics = getattr(classifier, "metrics_", {})
        part = metrics.get("evaluated_on", "validation")
    datasets = [datasets] if isinstance(datasets, str) else list(datasets or [])
    config, encoder = classifier.config_, getattr(classifier.config_, "encoder", "")
    base = encoder.removeprefix(HANDLE) if encoder.startswith(HANDLE) else None
    if encoder and Path(encoder).is_dir():  # its path is of no use on another machine
        encoder = Path(encoder).resolve().name
    results = _list_results(metrics, part, datasets[0] if datasets else None)
    name = (handle or "tagger").rpartition("/")[2]
    sections = [
        _describe(classifier, name, encoder, datasets),
        _show_loading(classifier, handle or "tagger.keras"),
        _list_metrics(metrics, part) if results else None,
        _list_limits(classifier, config),
        _list_config(config, encoder) if config else None,
        _cite(classifier.system),
    ]
    body = "\n\n".join(section for section in sections if section)
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        language=language,
        license=license,
        library_name="keras",
        pipeline_tag="text-classification",
        tags=[
            "multi-label-classification",
            "extreme-multi-label-classification",
            classifier.system,
            *([tags] if isinstance(tags, str) else tags),
        ],
        base_model=base,
        datasets=datasets or None,
        metrics=[result.metric_type for result in results] or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{body}\n"


def _list_results(metrics, part, dataset):
    """`EvalResult`s; an id of a metric is such as `precision_at_1` or `ndcg_at_5`."""
    from huggingface_hub import EvalResult

    kinds = {"P": "precision"}
    return [
        EvalResult(
            task_type="text-classification",
            task_name="Text Classification",
            dataset_type=dataset or "unknown",
            dataset_name=dataset or "Unknown",
            dataset_split=part,
            metric_type=f"{kinds.get(kind, kind.lower())}_at_{k}",
            metric_name=f"{kind}@{k}",
            metric_value=round(metrics[f"{kind}@{k}"], 2),
        )
        for kind, k in (key.split("@") for key in METRICS if key in metrics)
    ]


def _describe(classifier, name, encoder, datasets):
    system, num_labels = classifier.system, len(classifier.classes_)
    unit = "row" if hasattr(classifier, "n_features_in_") else "text"
    lines = [
        f"# {name}\n",
        f"A {SYSTEMS[system]} model, which ranks {num_labels:,} labels for a {unit} "
        "and returns the best ones with their scores.\n",
        f"- System: [{SYSTEMS[system]}]({PAPERS[system]['url']}), extreme multi-label "
        "text classification, made with xmc_keras",
    ]
    if encoder:
        lines.append(f"- Encoder: `{encoder}`")
    if classifier.num_documents_:
        lines.append(f"- Trained on: {classifier.num_documents_:,} {unit}s")
    if datasets:
        url = "https://huggingface.co/datasets"
        links = ", ".join(f"[{one}]({url}/{one})" for one in datasets)
        lines.append(f"- Data: {links}")
    return "\n".join([*lines, f"- Versions: {name_versions()}"])


def _show_loading(classifier, place):
    name, model = type(classifier).__name__, SYSTEMS[classifier.system]
    asked = "rows" if hasattr(classifier, "n_features_in_") else '["A text"]'
    return f"""\
## How to load it

```python
from xmc_keras import {name}

model = {name}.load("{place}")
model.recommend({asked}, k=5)  # [[(label, score), ...]]
```

The Keras model alone is `keras.saving.load_model("{place}")`, after
`from xmc_keras import {model}`."""


def _list_metrics(metrics, part):
    which, count = "test documents", metrics.get("documents")
    if part == "validation":
        which = "validation documents, by which the best epoch was chosen"
        count = metrics.get("validation_documents")
    which = f"{count:,} {which}" if count else which
    lines = ["## Metrics", "", f"In percent on {which}:", "", *format_table(metrics)]
    return "\n".join(lines)


def _list_limits(classifier, config):
    lines = [
        "It knows only the labels that it was trained on, and finds rare ones less "
        "often than frequent ones.",
        "The metrics hold for texts like those of training: of this kind and language.",
        "Scores order the labels of a text; they are no measured probabilities.",
    ]
    if config and getattr(classifier.model_, "tokenizer", None) is not None:
        lines.append(f"Of a text it reads the first {config.max_tokens} tokens.")
    return "\n".join(["## Limits", "", *(f"- {line}" for line in lines)])


def _list_config(config, encoder):
    """The keys that differ from the defaults, but for paths."""
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    keys = {
        key: value
        for key, value in {**dataclasses.asdict(config), "encoder": encoder}.items()
        if key != "data" and value != defaults[key]
    }
    lines = [
        f"What differs from the defaults of xmc_keras {xmc_keras.__version__}:",
        "",
    ]
    return "\n".join(["## Config", "", *lines, *format_config(keys)])


def _cite(system):
    fields = ",\n".join(f"  {key} = {{{x}}}" for key, x in PAPERS[system].items())
    entry = f"@inproceedings{{{system},\n{fields}\n}}"
    return f"## Citation\n\n```bibtex\n{entry}\n```"
