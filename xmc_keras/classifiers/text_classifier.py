"""Base class of the classifiers."""

import dataclasses
import math
import numbers
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from xmc_keras.classifiers.classifier_file import read_facts, write_classifier
from xmc_keras.classifiers.classifier_report import write_classifier_report
from xmc_keras.classifiers.hub import download_model, is_handle, upload_classifier
from xmc_keras.classifiers.hub_card import write_hub_card
from xmc_keras.classifiers.label_names import INDICATOR, SINGLE
from xmc_keras.classifiers.labelled_texts import (
    read_labelled_texts,
    read_validation_data,
)
from xmc_keras.classifiers.sample_weights import read_sample_weight
from xmc_keras.config.choose_config import choose_config
from xmc_keras.config.config_file import (
    keys_of_system,
    load_config,
    override_config,
)
from xmc_keras.data.document_groups import list_groups
from xmc_keras.recommending.thresholds.choose_thresholds import choose_thresholds
from xmc_keras.recommending.thresholds.target import Target
from xmc_keras.text.list_texts import list_texts

# Parameters that are no keys of a config.
OTHER = "recipe", "settings", "classes", "warm_start", "random_state", "verbose"
SAMPLES = 64  # texts that an exported model is compared on


class TextClassifier(BaseEstimator):
    """Base class of `LightXMLClassifier` and `LightDXMLClassifier`.

    A subclass has a `system`, a value of the config's key, and a constructor whose
    parameters are keys of a config, and those of `OTHER`. It trains by `fit` of
    `xmc_keras`, as `xmc fit` does.

    It is no `ClassifierMixin`: scikit-learn's splits for classifiers refuse lists of
    labels.
    """

    system = None

    @classmethod
    def from_recipe(cls, recipe, **parameters):
        """Makes a classifier that trains by a recipe.

        Args:
            recipe: string or path: a name of `recipe_names()`, or a YAML file. Its data
                is not read; its sizes are limits.
            **parameters: parameters that override the recipe.
        """
        return cls(recipe=recipe, **parameters)

    @classmethod
    def from_run(cls, run, name=None):
        """Opens the model of a run as a classifier.

        Args:
            run: string, path or `RunFolder`.
            name: optional string. Which of the run's models; by default the best one.
        """
        from xmc_keras.runs.finished_runs import read_metrics
        from xmc_keras.runs.read_history import read_history
        from xmc_keras.runs.run_folder import MODELS, RunFolder

        run = run if isinstance(run, RunFolder) else RunFolder(run)
        config, model = run.config(), run.load_model(name)
        classifier = cls()._check_system(config.system)
        counts, num_documents = run.label_counts()
        names = np.array(model.label_set.names, object)
        classifier._set_fitted(model, config, names, counts, num_documents)
        if run.finished and name in (None, MODELS[0]):  # the model that was evaluated
            classifier.history_ = read_history(run.history_path)
            classifier.metrics_ = read_metrics(run)
        return classifier

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        validation_data=None,
        validation_split="auto",
        groups=None,
        callbacks=(),
    ):
        """Trains a model.

        With `warm_start`, a fitted classifier starts from the weights that it has. `X`
        and `y` are all that it shall know, old and new; labels may be added and left
        out. What it chose for the texts of before stays chosen. The clusters and heads
        of a LightXML go on only with the same labels; else they start at the centroids
        that the trained transformer finds.

        Args:
            X: sequence of strings: a list, a NumPy array, a pandas Series, a column of
                `datasets`.
            y: labels of the texts, see `read_labels`: lists of labels, one label per
                text, or an indicator matrix. A text without labels is an example of
                none.
            sample_weight: optional sequence of numbers, one per text: its weight in the
                losses, relative to their mean. A text of weight 0 is left out.
            validation_data: optional pair of texts and labels to choose the best epoch
                by. By default a share of `X`, drawn at random.
            validation_split: float below 1. This share. Defaults to `"auto"`, a tenth,
                at most 1,000.
            groups: optional sequence of strings or integers, one per text: its group,
                such as its author. Whole groups are drawn then, as close to the share
                as they allow, and so none is both learnt and validated on.
            callbacks: list of additional Keras callbacks.

        Returns:
            The classifier itself.

        Raises:
            ValueError: texts, labels or parameters cannot be used.
        """
        # TensorFlow takes seconds to import: what is wrong is reported before.
        documents, kind, classes = read_labelled_texts(X, y, self.classes)
        if groups is not None:
            if validation_data is not None:
                raise ValueError(
                    "Expected `groups` or `validation_data`. Received: both."
                )
            documents = dataclasses.replace(
                documents, groups=list_groups(groups, len(documents))
            )
        kept, weights = read_sample_weight(sample_weight, len(documents))
        if kept is not None:
            documents = dataclasses.replace(documents.subset(kept), weights=weights)
        validation = None
        if validation_data is not None:
            validation = read_validation_data(validation_data, classes, self.classes)
        config = self._choose(documents, validation_split)
        from xmc_keras.training.fit import fit

        result = fit(
            config,
            documents,
            validation,
            callbacks=callbacks or (),
            progress=bool(self.verbose),
            learn_validation=True,
            start_from=getattr(self, "model_", None) if self.warm_start else None,
        )
        counts = result.model.label_set.encode(documents.labels).sum(axis=0)
        self._set_fitted(
            result.model, config, classes, np.asarray(counts)[0], len(documents), kind
        )
        self.history_, self.metrics_ = result.history, result.metrics
        self._documents = documents
        return self

    def add_labels(self, examples):
        """Adds labels, from a few texts that have them, without training.

        The classifier learns what does not have them from the texts of `fit`, if it
        was not loaded from a file. Other labels keep their scores; `metrics_` stays as
        it was. See `add_labels` of `xmc_keras`.

        Args:
            examples: dictionary from new labels to lists of texts: documents that have
                the label, or a description.

        Returns:
            The classifier itself.

        Raises:
            ValueError: a label exists, or has no text that the model knows a word of.

        Example:

        >>> from xmc_keras import LightDXMLClassifier
        >>> texts, labels = ["a card game", "an editor"] * 10, [["game"], ["tool"]] * 10
        >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels)
        >>> model.add_labels({"card": ["card game"]}).classes_.tolist()
        ['game', 'tool', 'card']
        """
        from xmc_keras.classifiers.changed_labels import add_labels

        self._check_fitted()
        add_labels(self, examples)
        return self

    def remove_labels(self, labels):
        """Removes labels; the others keep their order and scores.

        Args:
            labels: list of labels.

        Returns:
            The classifier itself.

        Raises:
            ValueError: a label is unknown, or none would be left.
        """
        from xmc_keras.classifiers.changed_labels import remove_labels

        self._check_fitted()
        remove_labels(self, labels)
        return self

    def rename_labels(self, labels):
        """Renames labels.

        Args:
            labels: dictionary from labels to other ones.

        Returns:
            The classifier itself.

        Raises:
            ValueError: a label is unknown, or another one has the new name.
        """
        from xmc_keras.classifiers.changed_labels import rename_labels

        self._check_fitted()
        rename_labels(self, labels)
        return self

    def learn(self, X, y):
        """Learns texts with their right labels, such as a person's corrections.

        The rows of labels change as little as it takes; the encoder stays. New labels
        are added first. See `learn` of `xmc_keras`; for thousands of texts `fit` with
        `warm_start` does better.

        Args:
            X: sequence of strings.
            y: all labels of the texts, see `fit`.

        Returns:
            The classifier itself.

        Raises:
            ValueError: texts or labels cannot be used.
        """
        from xmc_keras.classifiers.changed_labels import learn

        self._check_fitted()
        learn(self, X, y)
        return self

    def _read_held_out(self, X, y):
        return read_validation_data((X, y), self.classes_, self.classes)

    def _choose(self, documents, validation_split):
        """The config: parameters, then the recipe, then what fits the documents."""
        given = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in OTHER and not _is_auto(value)
        }
        given |= {**(self.settings or {}), "seed": self._seed()}
        if not _is_auto(validation_split):
            share = validation_split
            if not isinstance(share, numbers.Real) or not 0 < share < 1:
                raise ValueError(
                    "Expected `validation_split` to be a share above 0 and below 1. "
                    f"Received: {share!r}."
                )
            given["validation_documents"] = max(1, math.floor(share * len(documents)))
        if documents.groups is not None:
            given.setdefault("validation_by", "groups")
        if self.warm_start and getattr(self, "config_", None) is not None:
            # A share of other texts than before.
            given.setdefault("validation_documents", None)
            given.setdefault("validation_by", None)
            return override_config(keys_of_system(self.config_), given)
        if self.recipe is not None:
            config = load_config(self.recipe, given)
            self._check_system(config.system)
            return config
        given["system"] = self.system
        from xmc_keras.training.memory import measure_free_memory

        config, reasons = choose_config(documents, given, measure_free_memory())
        if self.verbose:
            sys.stdout.writelines(f"{reason}\n" for reason in reasons)
        return config

    def _seed(self):
        state = self.random_state
        if isinstance(state, numbers.Integral) and 0 <= state < 2**32:
            return int(state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_system(self, system):
        if system != self.system:
            raise ValueError(
                f"Expected a model of {self.system} for {type(self).__name__}. "
                f"Received: {system}."
            )
        return self

    def _set_fitted(self, model, config, classes, counts, num_documents, kind="lists"):
        self.model_, self.config_, self.classes_ = model, config, classes
        self.label_counts_ = np.asarray(counts).astype(np.int64)
        self.num_documents_ = int(num_documents)
        self.label_kind_ = kind
        readers = getattr(model, "tokenizer", None), getattr(model, "vectorizer", None)
        if readers == (None, None):  # it reads features
            self.n_features_in_ = model.encoder.num_features
        places = {str(label): place for place, label in enumerate(classes)}
        names = model.label_set.names
        # Column of each label of the model among the classes.
        self._columns = np.array([places[name] for name in names])
        return self

    def _check_fitted(self):
        if not hasattr(self, "model_"):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted. Call `fit` with texts and "
                "labels, or `load` a file."
            )

    def _rank(self, X):
        """Columns of the classes and scores, best first, both (documents, n)."""
        self._check_fitted()
        from xmc_keras.recommending.recommend import rank_labels

        if scipy.sparse.issparse(X):
            X = scipy.sparse.csr_matrix(X, dtype=np.float32)
            count, received = X.shape[0], X.shape[1]
        else:
            X = list_texts(X)
            count, received = len(X), "texts"
        expected = getattr(self, "n_features_in_", "texts")
        if count == 0:
            most = self.model_.num_predictions
            return np.zeros((0, most), int), np.zeros((0, most), np.float32)
        if received != expected:
            unit = " features" if expected != "texts" else ""
            raise ValueError(f"Expected {expected}{unit}. Received: {received}.")
        ids, scores = rank_labels(self.model_, X)
        return self._columns_of(ids), scores

    def _columns_of(self, ids):
        """Places in `classes_` of labels of the model; `-1` stays."""
        return np.where(np.asarray(ids) < 0, -1, self._columns[ids])

    def predict(self, X, k=None, threshold=None):
        """Predicts labels, in the form that `y` had.

        Args:
            X: sequence of strings.
            k: optional int. Labels per text. By default 5; with one label per text in
                `fit`, 1; with an indicator, all of at least `threshold`.
            threshold: optional. The least score of a label: a float, or a string such
                as `"f1"` or `"precision=0.9"` that it is chosen for on the validation
                texts, see `Target`. Defaults to `None`, no limit, or `0.5` for an
                indicator without `k`.

        Returns:
            List of lists of labels, best first, which may be empty with a `threshold`;
            if `fit` had one label per text and `k` is not given, an array of labels; if
            it had an indicator, a csr matrix (documents, labels) of zeros and ones.
        """
        if threshold is not None:
            threshold = Target.parse(threshold)
        columns, scores = self._rank(X)
        single = self.label_kind_ == SINGLE and k is None and threshold is None
        if single:
            k = 1
        elif self.label_kind_ == INDICATOR and k is None and threshold is None:
            threshold = Target.parse(0.5)
        elif k is None and threshold is None:
            k = 5
        kept = columns >= 0 if k is None else self._keep(columns, k)
        if threshold is not None:
            kept &= self._accept(columns, scores, threshold)
        if self.label_kind_ == INDICATOR:
            return self._matrix(columns, kept, np.ones_like(scores, np.int64))
        found = [self.classes_[row[some]].tolist() for row, some in zip(columns, kept)]
        return np.array([names[0] for names in found]) if single else found

    def _accept(self, columns, scores, threshold):
        """Which scores of columns of the classes reach a threshold."""
        least = choose_thresholds(self.model_, threshold)
        if least.ndim:  # by the model's own label ids
            of_classes = np.ones(len(self.classes_), np.float32)
            of_classes[self._columns] = least
            least = of_classes[np.maximum(columns, 0)]
        return scores >= least

    def recommend(self, X, k=5):
        """Recommends labels.

        Args:
            X: sequence of strings.
            k: int. Labels per text. Defaults to `5`.

        Returns:
            For each text a list of `(label, score)`, best first, scores in [0, 1].
        """
        columns, scores = self._rank(X)
        return [
            list(zip(self.classes_[row[some]], values[some].tolist()))
            for row, some, values in zip(columns, self._keep(columns, k), scores)
        ]

    def predict_proba(self, X, k=100):
        """Scores of the best labels.

        Args:
            X: sequence of strings.
            k: int. Labels per text; all others have 0. Defaults to `100`.

        Returns:
            float32 csr matrix (documents, labels), columns in the order of `classes_`.
        """
        columns, scores = self._rank(X)
        return self._matrix(columns, self._keep(columns, k), scores)

    def _matrix(self, columns, kept, values):
        lengths = np.cumsum([0, *kept.sum(axis=1)])
        shape = len(columns), len(self.classes_)
        arrays = values[kept], columns[kept], lengths
        matrix = scipy.sparse.csr_matrix(arrays, shape)
        matrix.sort_indices()
        return matrix

    @staticmethod
    def _keep(columns, k):
        """Which of the ranked columns are real, and among the `k` best."""
        from xmc_keras.recommending.recommend import check_integer

        kept = columns >= 0
        kept[:, check_integer("k", k, "labels per text") :] = False
        return kept

    def score(self, X, y):
        """P@1: the share of texts whose best label is right, float in [0, 1]."""
        return self.evaluate(X, y)["P@1"] / 100

    def evaluate(self, X, y, threshold=None):
        """Metrics of the model on texts and their labels.

        Labels that training never saw count as relevant and missed.

        Args:
            X: sequence of strings.
            y: their labels, see `fit`.
            threshold: optional, see `predict`.

        Returns:
            Dictionary in percent: `P@1`, `P@3`, `P@5`, and so for nDCG, PSP and PSnDCG;
            `recall@10`, `recall@100`; `F1@5`; `ECE@5`, the expected calibration error;
            with a threshold `selection`, see `measure_selection`. Propensities are
            those of the training labels; a file of Keras alone does not have these,
            and PSP is left out.
        """
        from xmc_keras.evaluation.evaluate import measure_ranking

        self._check_fitted()
        documents = self._read_held_out(X, y)
        if not len(documents):
            raise ValueError("Expected texts to evaluate on. Received: none.")
        if threshold is not None:
            threshold = choose_thresholds(self.model_, threshold)
        columns, scores = self._rank(documents.texts)
        ids = np.full(len(self.classes_) + 1, -1)  # the last is that of -1
        ids[self._columns] = np.arange(len(self._columns))
        counts = self.label_counts_, self.num_documents_
        return measure_ranking(
            ids[columns],
            documents,
            self.model_.label_set,
            config=self.config_,
            counts=counts if self.num_documents_ else None,
            scores=scores,
            thresholds=threshold,
        )

    def report(self, output, X=None, y=None, overwrite=False):
        """Writes a report, an HTML page that needs no other file, see `write_report`.

        Without texts it has the settings, the history of training, the metrics on the
        validation texts, and the label clusters; with texts also metrics, recall,
        calibration and mistakes on these, and what rare labels add.

        Args:
            output: string or path of the page. The pictures go to a folder next to it,
                of its name with `_pictures`.
            X, y: optional texts and their labels, see `fit`; best such that training
                has not seen.
            overwrite: bool. Whether to replace an earlier report. Defaults to `False`.

        Raises:
            ValueError: there is a file, or nothing to report.
        """
        self._check_fitted()
        documents = None
        if X is not None:
            documents = self._read_held_out(X, y)
        write_classifier_report(self, output, documents, overwrite)

    def explain(self, text, label, X=None, y=None, k=5):
        """Explains a label of a text, see `explain`.

        Args:
            text: string.
            label: one of `classes_`.
            X, y: optional texts and labels to look for documents in. By default those
                of `fit`, which a loaded classifier does not have.
            k: int. Documents and words to show. Defaults to `5`.

        Returns:
            `Explanation`.
        """
        from xmc_keras.evaluation.explain import explain

        self._check_fitted()
        documents = getattr(self, "_documents", None)
        if X is not None:
            documents = self._read_held_out(X, y)
        if documents is None:
            raise ValueError(
                "Expected `X` and `y`, the documents to look in. Received: none, and "
                "this classifier was loaded without those of training."
            )
        return explain(self.model_, text, str(label), documents, k)

    def save(self, path, **options):
        """Saves the classifier as one `.keras` file, atomically, or to the hub.

        `keras.saving.load_model` reads the model of both, too.

        Args:
            path: string or path that ends in `.keras`, or `"hf://owner/name"`: a
                repository of the Hugging Face hub, which gets a model card.
            **options: for the hub: `private`, `commit_message`, `token`, and the
                arguments of `model_card`.

        Raises:
            ValueError: there is no place there, or the hub refuses.
        """
        self._check_fitted()
        if is_handle(path):
            upload_classifier(self, path, **options)
            return
        if options:
            raise ValueError(
                f"Expected hf://owner/name for {', '.join(options)}. Received: {path}."
            )
        if Path(path).suffix != ".keras":
            raise ValueError(f"Expected a path that ends in .keras. Received: {path}.")
        write_classifier(self, path)

    def model_card(self, handle=None, **facts):
        """Writes the model card that `save` gives a repository of the hub.

        Args:
            handle: optional string, `"hf://owner/name"`.
            **facts: what the card cannot know: `language`, `license`, `datasets`,
                `tags`; and `metrics`, the dictionary of `evaluate` on test documents
                instead of those in `metrics_`.

        Returns:
            string, Markdown.
        """
        self._check_fitted()
        return write_hub_card(self, handle, **facts)

    @classmethod
    def load(cls, path, token=None):
        """Loads what `save` has saved, or another file of such a model.

        Args:
            path: string or path of a `.keras` file; or of the hub `"hf://owner/name"`,
                also `"hf://owner/name@revision"` and `"hf://owner/name/file.keras"`.
            token: optional string, for a private repository of the hub. By default that
                of `hf auth login`, or `HF_TOKEN`.

        Raises:
            ValueError: there is no such model, or it cannot be read.
        """
        from xmc_keras.runs.model_file import load_model

        place = download_model(path, token) if is_handle(path) else path
        facts, model = read_facts(place), load_model(place)
        names = getattr(getattr(model, "label_set", None), "names", None)
        if names is None:
            raise ValueError(
                f"Expected a model with label names. Received: {path}, without them."
            )
        cls()._check_system(model.system)
        classifier = cls(**facts.get("parameters", {}))
        classes = np.array(facts.get("classes", names), object)
        classifier._set_fitted(
            model,
            facts.get("config"),
            classes,
            facts.get("label_counts", np.zeros(len(names))),
            facts.get("num_documents", 0),
            facts.get("label_kind", "lists"),
        )
        for name in ("history", "metrics"):
            if name in facts:
                setattr(classifier, f"{name}_", facts[name])
        return classifier

    def export(self, folder, texts=None, **options):
        """Exports the model for TensorFlow Serving, see `export`.

        Args:
            folder: string or path. The base folder of the versions.
            texts: optional list of texts to compare the version on. By default some of
                training, or for a loaded classifier the names of labels.
            **options: `k`, `precision`, `encoder_precision`, `version`.

        Returns:
            The number of the version.
        """
        from xmc_keras.serving.export import export

        self._check_fitted()
        if texts is None:
            documents = getattr(self, "_documents", None)
            texts = (
                self.model_.label_set.names if documents is None else documents.texts
            )
            texts = texts[:SAMPLES]
        return export(self.model_, folder, texts, **options)

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_documents", None)
        if (model := state.pop("model_", None)) is not None:
            from xmc_keras.runs.model_file import save_model

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.keras")
                save_model(model, path)
                state["model_"] = path.read_bytes()
        return state

    def __setstate__(self, state):
        state = dict(state)
        if isinstance(data := state.get("model_"), bytes):
            from xmc_keras.runs.model_file import load_model

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.keras")
                path.write_bytes(data)
                state["model_"] = load_model(path)
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def _is_auto(value):
    return isinstance(value, str) and value == "auto"
