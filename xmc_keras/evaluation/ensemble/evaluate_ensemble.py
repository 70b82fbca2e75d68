"""Metrics of several runs as one model."""

import logging
import statistics
import time

import numpy as np

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.splits import split_documents
from xmc_keras.evaluation.evaluate import measure_predictions
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.finished_runs import name_runs, read_metrics

logger = logging.getLogger(__name__)

# Weights chosen by fewer documents are chosen by chance.
FEWEST = 20


def evaluate_ensemble(runs, documents, train=None, model=None):
    """Evaluates finished runs as one model, which ranks labels by their mean score.

    For each document every run offers its best labels, a label that several offer
    counts once, and every run scores all of them.

    Args:
        runs: list of `RunFolder`, at least two, trained on the same data; see
            `open_finished_runs`.
        documents: `Documents` or `FeatureDocuments` to evaluate on.
        train: optional documents of the training part. With them the runs get the
            weights that rank documents best which no run has trained on; by default
            all runs weigh the same.
        model: optional string. Which of the runs' models; the best ones by default.

    Returns:
        Dictionary of metrics, see `evaluate`; `weights`, a list of floats;
        `weighing_documents`; `members`, a dictionary from the runs' names to metrics;
        and `mean member`, their mean.

    Raises:
        BadInput: the runs know none of the documents' labels, or there are too few
            documents to choose weights by, or a linear model has learnt from them.
    """
    config, label_set = runs[0].config(), runs[0].label_set()
    check_labels_known(documents, label_set)
    held_out = None
    if train is not None:
        for run in runs:
            run.check_data(train)
        check_untrained(runs)
        configs = [run.config() for run in runs]
        held_out = train.subset(find_untrained(configs, train))

    # TensorFlow takes seconds to import: other errors are reported before.
    from xmc_keras.evaluation.ensemble.average_scores import average_scores
    from xmc_keras.evaluation.ensemble.member_weights import choose_member_weights
    from xmc_keras.recommending.rank_together import rank_together, unite_labels

    models = [run.load_model(model, label_set) for run in runs]
    weights = [1 / len(runs)] * len(runs)
    if held_out is not None:
        logger.info("Weights by %d documents that no run trained on", len(held_out))
        members, _ = score_members(runs, models, held_out.texts)
        labels = unite_labels([member.label_ids for member in members]).numpy()
        scores = [member.scores_of(labels) for member in members]
        relevant = label_set.encode(held_out.labels)
        weights = choose_member_weights(labels, scores, relevant)

    begun = time.monotonic()
    members, seconds = score_members(runs, models, documents.texts)
    top, scores = rank_together(
        [member.label_ids for member in members],
        lambda labels: average_scores([m.scores_of(labels) for m in members], weights),
        min(member.label_ids.shape[1] for member in members),
    )
    taken = time.monotonic() - begun
    filtered = encode_filtered_labels(documents, label_set)

    def measure(top, scores, seconds):
        return measure_predictions(
            top,
            seconds,
            documents,
            label_set,
            filtered,
            config=config,
            counts=runs[0].label_counts(),
            scores=scores,
        )

    metrics = measure(top.numpy(), scores.numpy(), taken)
    found = {
        name: measure(member.label_ids, member.scores, took)
        for name, member, took in zip(name_runs(runs), members, seconds)
    }
    mean = {key: statistics.mean(row[key] for row in found.values()) for key in metrics}
    metrics.update(
        skipped_lines=documents.skipped,
        propensity_a=config.propensity_a,
        propensity_b=config.propensity_b,
        runs=[str(run.path) for run in runs],
        weights=weights,
        weighing_documents=0 if held_out is None else len(held_out),
        members=found,
    )
    metrics["mean member"] = mean
    return metrics


def check_untrained(runs):
    """Raises `BadInput` if a run has learnt from its validation split in the end."""
    for run in runs:
        if read_metrics(run).get("learnt_validation"):
            raise BadInput(
                "Expected runs that have not learnt from the validation split, to "
                "choose weights by it. Received: one whose linear model has, in the "
                "end.",
                run.path,
                remedy="Set linear: false, or weigh the runs equally.",
            )


def find_untrained(configs, train):
    """Indices of documents of the training part that no run trained on.

    Args:
        configs: list of `Config`, of each run.
        train: documents of the training part.

    Returns:
        Sorted int64 array, of at most as many as the largest validation split.
    """
    free = np.arange(len(train))
    for config in configs:
        trained_by_one, _ = split_documents(config, len(train), train.groups)
        free = np.setdiff1d(free, trained_by_one)
    if len(free) < FEWEST:
        raise BadInput(
            f"Expected a validation split of {FEWEST} documents or more that no run "
            f"was trained on, to choose weights by. Received: {len(free)}.",
            remedy="Train runs with one split_seed and more validation_documents, or "
            "weigh the runs equally.",
        )
    most = max(config.validation_documents for config in configs)
    drawn = np.random.default_rng(configs[0].seed).permutation(free)
    return np.sort(drawn[:most])


def score_members(runs, models, texts):
    """`MemberScores` of each run for some texts, and the seconds that each took."""
    from xmc_keras.data.inputs import build_inputs
    from xmc_keras.evaluation.ensemble.member_scores import MemberScores

    members, seconds = [], []
    for run, model in zip(runs, models):
        logger.info("Scoring %d documents with %s", len(texts), run.path)
        begun = time.monotonic()
        batches = build_inputs(model, texts, config=run.config(), cache=run.cache_path)
        members.append(MemberScores(model, batches))
        seconds.append(time.monotonic() - begun)
    return members, seconds
