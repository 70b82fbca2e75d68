"""Searching the values of keys of a config."""

import itertools
import logging

from xmc_keras.config.resolve_config import limit_sizes, resolve_config
from xmc_keras.data.check_documents import check_split, check_trainable
from xmc_keras.data.label_texts import find_label_texts
from xmc_keras.data.splits import split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.training.search.search_space import format_values
from xmc_keras.training.search.train_trial import keep_record
from xmc_keras.training.search.trial_study import name_trial

logger = logging.getLogger(__name__)

# After this many failed trials, and none that was trained, all would fail.
MOST_FAILED = 3


def check_comparable(config, train):
    """Raises `BadInput` if validation cannot compare trials of a config.

    Args:
        config: a `Config`.
        train: documents of the whole training part.
    """
    check_trainable(train)
    label_set = LabelSet.from_labels(train.labels)
    config = resolve_config(limit_sizes(config, train), len(train), len(label_set))
    part, validation = map(
        train.subset, split_documents(config, len(train), train.groups)
    )
    check_split(part, validation, label_set)
    if config.label_documents:
        find_label_texts(train)
    trained = set(itertools.chain.from_iterable(part.labels))
    if trained.isdisjoint(itertools.chain.from_iterable(validation.labels)):
        raise BadInput(
            "Expected documents to validate on with labels of those to train on, to "
            f"compare trials by. Received: none of {len(validation)}.",
            train.labels_path,
            remedy="Set another split_seed or more validation_documents.",
        )


def run_search(study, num_trials, train, report):
    """Trains the trials of a search one after the other.

    Unfinished trials of an earlier start come first, then new ones, until there are
    `num_trials`, or all combinations of values. The first trial has the values of the
    config, as far as they are searched, so that the best one is not worse.

    Args:
        study: a `TrialStudy` that has begun.
        num_trials: int. Trials in all, of all starts.
        train: function that trains the trial of a number, see `train_trial`, in a
            process of its own: what TensorFlow keeps in memory goes with it, and a
            trial that is killed for its memory ends alone.
        report: function without arguments, called after each trial.

    Raises:
        BadInput: no trial can be trained.
    """
    config, space = study.config, study.space
    most = min(num_trials, space.size)
    if most < num_trials:
        logger.info("There are %d combinations, and so as many trials", most)
    for trial in study.trials:
        if trial.state.name == "PRUNED":  # if the program was killed before it did
            keep_record(study.run(trial.number))
    unfinished = [t.number for t in study.trials if t.state.name == "RUNNING"]
    failed = 0
    while True:
        trials = study.trials
        if unfinished:
            number = unfinished.pop(0)
        elif sum(trial.state.name != "WAITING" for trial in trials) < most:
            own = {} if trials else space.of_config(config)
            number = study.ask(space.propose(trials, config.seed) | own)
        else:
            return
        name, values = name_trial(number), space.values(study.trials[number].params)
        logger.info("Training %s: %s", name, format_values(values))
        train(number)
        trial = study.trials[number]
        if trial.state.name == "PRUNED":
            keep_record(study.run(number))
            logger.info("%s: %s", name, trial.user_attrs.get("diverged", "pruned"))
        elif trial.state.name == "COMPLETE":
            logger.info("%s: P@5 %.2f on the validation split", name, trial.value)
        else:
            failed += 1
            logger.error("%s failed; see above. Start again to repeat it.", name)
        report()
        nothing = not any(trial.state.is_finished() for trial in study.trials)
        if failed == MOST_FAILED and nothing:
            raise BadInput(
                f"Expected a trial that can be trained. Received: {failed} that "
                "failed; see above.",
                study.folder,
            )
