"""Inputs and outputs of the training of one system."""

import dataclasses
import typing
from pathlib import Path

from xmc_keras.config.config import Config
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.runs.run_folder import RunFolder


@dataclasses.dataclass(kw_only=True)
class Task:
    """Documents, labels and options to train with, see `fit`.

    Args:
        config: a `Config`, see `resolve_config`.
        everything: documents of the whole training part, whose label counts define
            the propensities.
        train, validation: documents to train on and to validate on.
        learn_validation: bool. Whether a linear model may learn from `validation` in
            the end: it was drawn from `everything`, and a test part measures the model.
        label_set: a `LabelSet` of the labels of `everything`.
        run: a `RunFolder`, or None.
        continued: bool. Whether an earlier run is continued.
        any_memory, callbacks, progress, start_from: see `fit`.
        workers: `Workers` that train together.
        chief_cache: optional string. The folder of the chief's token caches.
        transformer: optional `MemberScores` of the validation documents by a model
            that a linear model is joined to, see `join_words`.
    """

    config: Config
    everything: typing.Any
    train: typing.Any
    validation: typing.Any
    learn_validation: bool
    label_set: LabelSet
    run: RunFolder | None
    continued: bool
    any_memory: bool
    callbacks: typing.Sequence
    progress: bool
    start_from: typing.Any = None
    workers: Workers = dataclasses.field(default_factory=Workers)
    chief_cache: str | None = None
    transformer: typing.Any = None

    @property
    def cache(self):
        """The folder of token caches, or None."""
        if self.run is not None:
            return self.run.cache_path
        # Of the chief's run, where its disk is shared.
        path = self.chief_cache
        return path if path is not None and Path(path).is_dir() else None


@dataclasses.dataclass(kw_only=True)
class Trained:
    """A model right after training, before it is evaluated.

    Args:
        model: a `LightXML` or `LightDXML`.
        checkpoint: the `RunCheckpoint`, to be removed once the run has its metrics.
        history: list of dictionaries, one per epoch.
        vectorizer: transforms texts to TF-IDF rows; None for features.
        label_features: csr matrix (labels, features), see `label_features`.
        found: dictionary of additional metrics.
        held_out: optional `HeldOutAnswers` to the validation documents, from before the
            model has learnt from them.
    """

    model: typing.Any
    checkpoint: typing.Any
    history: list
    vectorizer: typing.Any
    label_features: typing.Any
    found: dict
    held_out: typing.Any = None
