"""Check that an exported version predicts the same as the model."""

import math
from pathlib import Path

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.load_version import WARMUP_FILE, load_version
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.version.serving_ops import find_graph_problems

# Limit for a graph without weights and names; fits the largest vocabularies.
MOST_GRAPH_BYTES = 16 * 2**20
TOLERANCE = 1e-5  # for float32 scores
# Share of the texts that must keep their best labels with weights in fewer bits.
LABELS = 5
AGREEMENT = {"float16": 0.995, "int8": 0.98}


def check_export(version_folder, inputs, expected, precision):
    """Loads a version as a server does, with warm-up, and compares its predictions.

    Args:
        version_folder: path.
        inputs: dictionary of inputs from `ServingModule.inputs_of`.
        expected: list of `(label, score)`, best first, for each document of `inputs`:
            the predictions of the models in this process, with the k of
            `serving_default`.
        precision: `"float32"`, `"float16"` or `"int8"`. The coarsest dtype of the
            stored weights.

    Returns:
        Share of the documents with the same five best labels.

    Raises:
        BadInput: a check failed.
    """
    problems = find_graph_problems(version_folder)
    graph_bytes = Path(version_folder, "saved_model.pb").stat().st_size
    if graph_bytes > MOST_GRAPH_BYTES:
        problems.append(f"The graph has {graph_bytes} bytes: it contains weights.")
    if not Path(version_folder, WARMUP_FILE).exists():
        problems.append("There are no warm-up requests.")
    if problems:
        raise _failure(" ".join(problems))
    try:
        model = load_version(version_folder)
    except ServingError as error:
        raise _failure(f"It does not load: {error.message}") from None
    try:
        answer = model.predict(inputs)
    except ServingError as error:
        raise _failure(f"It does not answer: {error.message}") from None
    finally:
        model.close()
    return _compare(answer, expected, precision)


def _compare(answer, expected, precision):
    labels = [[label.decode("utf-8") for label in row] for row in answer["labels"]]
    same = [
        {label for label in row[:LABELS] if label} == {n for n, _ in best[:LABELS]}
        for row, best in zip(labels, expected)
    ]
    agreement = float(np.mean(same))
    if precision != "float32":
        # Allows three standard deviations more, because few texts vary by chance.
        n, share = len(same), 1 - AGREEMENT[precision]
        allowed = n * share + 3 * math.sqrt(n * share * (1 - share))
        if n - sum(same) > allowed:
            raise _failure(
                f"The best {LABELS} labels agree on {agreement:.1%} of the texts, less "
                f"than {AGREEMENT[precision]:.1%}. Export with more precision."
            )
        return agreement
    width = answer["scores"].shape[1]
    scores = np.zeros((len(expected), width))  # a pad's score is 0
    for row, best in zip(scores, expected):
        row[: len(best)] = [score for _, score in best]
    difference = np.abs(answer["scores"] - scores).max()
    # Also fails for NaN.
    if not difference <= TOLERANCE:
        raise _failure(f"Scores differ by {difference:.2g}, more than {TOLERANCE:g}.")
    for row, row_scores, best in zip(labels, answer["scores"], expected):
        known = dict(best)
        last = best[-1][1] if best else 0.0
        for label, score in zip(row, row_scores):
            # An unexpected label may tie with the last expected one.
            if label and abs(score - known.get(label, last)) > TOLERANCE:
                raise _failure(f"It gives label {label!r} a score of {score:.6f}.")
    return agreement


def _failure(reason):
    return BadInput(
        "Expected the exported model to predict the same as the run. Received: one "
        f"that does not, so nothing was exported. {reason}"
    )
