"""Scores as probabilities."""

import numpy as np
import tensorflow as tf

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.labels.label_bands import find_bands
from xmc_keras.recommending.calibration.fit_band_weights import fit_band_weights
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers

LEAST = 1e-7  # distance of a score from 0 and 1, so that it has a logit
# Right labels that a calibration needs at least: fewer have an error of 10 points.
FEWEST_RIGHT = 100
# Of log(s), -log(1 - s) and log(t), and the bias.
IDENTITY = (1.0, 1.0, 0.0, 0.0)
LEAST_COEFFICIENTS = (0.0, 0.0, -np.inf)


class Calibration:
    """Turns the scores of a model into probabilities.

    Of labels with a probability of 80 %, 80 % are right on documents like those of the
    validation split. Beta calibration: with a score s, the probability is the sigmoid
    of a log(s) - b log(1 - s) + c, whose a and b are not negative, so that labels keep
    their order. An addition to the published method is d log(t), with the total t of
    the scores of all labels that are ranked for the document: the number of labels that
    the model expects. On documents with other numbers of labels than the validation
    split has, probabilities hold better by it.

    All labels share the coefficients. With some for each band of labels by frequency,
    the error on new documents was no smaller, and rare labels lost their places:
    `docs/how_to/thresholds.md` has the figures. Thresholds may differ by band.

    A model has it as the attribute `calibration`, and saves it.

    Args:
        coefficients: float array (4,). a, b, d and c.
        label_bands: int array (num_labels,). The band of each label, see `find_bands`,
            by which thresholds may be chosen.
        answers: optional `HeldOutAnswers` with calibrated scores, by which thresholds
            are chosen.

    Example:

    >>> calibration = Calibration([1, 1, 0, -1], [0, 1, 1])
    >>> label_ids, scores = np.array([[0, 2, -1]]), np.array([[0.8, 0.5, 0.0]])
    >>> calibration.apply(label_ids, scores, scores).numpy().round(2).tolist()
    [[0.6..., 0.27..., 0.0]]

    Reference: Kull, Silva Filho, Flach, Beta calibration (AISTATS 2017,
        https://proceedings.mlr.press/v54/kull17a.html), equation 6.
    """

    def __init__(self, coefficients, label_bands, answers=None):
        self.coefficients = np.asarray(coefficients, np.float32)
        self.label_bands = np.asarray(label_bands, np.int8)
        self.answers = answers
        self.thresholds = {}  # by `Target`, once they are chosen

    @classmethod
    def fit(cls, answers, label_bands):
        """Fits a calibration to the answers for validation documents.

        Args:
            answers: `HeldOutAnswers` with the scores of the model.
            label_bands: int array (num_labels,). The band of each label by the
                documents that the model has learnt from.

        Returns:
            `Calibration`, or None if too few labels are right, see `FEWEST_RIGHT`.
        """
        if np.count_nonzero(answers.right) < FEWEST_RIGHT:
            return None
        pairs = answers.real
        ranked = np.where(pairs, answers.scores, 0)
        coefficients = fit_band_weights(
            find_terms(answers.scores, ranked.sum(axis=1, keepdims=True))[pairs],
            answers.right[pairs],
            np.zeros(np.count_nonzero(pairs), int),
            np.array(IDENTITY),
            LEAST_COEFFICIENTS,
        )[0]
        calibration = cls(coefficients, label_bands)
        scores = calibration.apply(answers.label_ids, answers.scores, ranked).numpy()
        kept = HeldOutAnswers(answers.label_ids, scores, answers.relevant)
        return cls(coefficients, label_bands, kept)

    def apply(self, label_ids, scores, ranked):
        """Probabilities of labels.

        Args:
            label_ids: int tensor (documents, n), `-1` pads.
            scores: float tensor of this shape. Scores of the model.
            ranked: float tensor (documents, m). Scores of all labels that the model
                ranks for the documents, 0 for pads.

        Returns:
            float32 tensor (documents, n), 0 for pads.
        """
        a, b, d, c = self.coefficients.tolist()
        scores = tf.clip_by_value(tf.cast(scores, tf.float32), LEAST, 1 - LEAST)
        # TensorFlow Serving may not know Log1p.
        logits = a * tf.math.log(scores) - b * tf.math.log(1 - scores) + c
        totals = tf.reduce_sum(tf.cast(ranked, tf.float32), axis=1, keepdims=True)
        logits += d * tf.math.log(tf.maximum(totals, LEAST))
        return tf.where(label_ids < 0, 0.0, tf.sigmoid(logits))

    def select_labels(self, places):
        """The calibration of a model with some of the labels.

        Args:
            places: int array. The ids of these labels, in their new order.
        """
        answers = self.answers
        if answers is not None:
            answers = answers.select_labels(places, len(self.label_bands))
        return Calibration(self.coefficients, self.label_bands[places], answers)

    def extend_labels(self, counts):
        """The calibration of a model with further labels, with the last ids.

        Args:
            counts: int array. Documents of each new label.
        """
        bands = np.concatenate([self.label_bands, find_bands(counts)])
        answers = self.answers
        if answers is not None:
            answers = answers.extend_labels(len(self.label_bands), len(bands))
        return Calibration(self.coefficients, bands, answers)

    def save(self, path):
        """Writes an `.npz` file, atomically."""
        answers = {} if self.answers is None else self.answers.arrays()
        with atomic_write(path) as file:
            np.savez_compressed(
                file,
                coefficients=self.coefficients,
                label_bands=self.label_bands,
                **answers,
            )

    @classmethod
    def load(cls, path):
        """Reads a file written by `save`."""
        # Opened here because `np.load` leaves a damaged file open.
        with open(path, "rb") as file, np.load(file) as arrays:
            answers = None
            if "label_ids" in arrays:
                answers = HeldOutAnswers.from_arrays(arrays)
            return cls(arrays["coefficients"], arrays["label_bands"], answers)


def find_terms(scores, totals):
    """log(s), -log(1 - s) and log(t), see `Calibration`.

    Args:
        scores: float array (documents, n).
        totals: float array (documents, 1).

    Returns:
        float64 array (documents, n, 3).

    Example:

    >>> find_terms(np.array([[0.5]]), np.array([[1.0]])).round(2).tolist()
    [[[-0.69, 0.69, 0.0]]]
    """
    scores = np.clip(np.asarray(scores, np.float64), LEAST, 1 - LEAST)
    totals = np.log(np.maximum(np.asarray(totals, np.float64), LEAST))
    parts = np.log(scores), -np.log1p(-scores), np.broadcast_to(totals, scores.shape)
    return np.stack(parts, axis=-1)
