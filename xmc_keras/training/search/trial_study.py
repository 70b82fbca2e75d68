"""The study of a search: its trials, in a file of its folder."""

import contextlib
import dataclasses
from pathlib import Path

from xmc_keras.config.at_most import AtMost
from xmc_keras.config.config import Config
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.search.search_space import SearchSpace, import_optuna

STUDY = "study.db"
NAME = "search"
# Nothing ends in the first fifth, where rates may still warm up, nor before five trials
# are finished and three of them can be compared at that point.
WARMUP = 0.2
FIRST, LEAST = 5, 3
# Reports are numbered by the share of the epochs that is done, in thousandths.
STEPS = 1000


class TrialStudy:
    """The trials of a search, in the SQLite file `study.db` of its folder.

    Optuna writes the file in transactions: it is whole, whenever a program is killed.
    A trial is `RUNNING` from when its values are chosen until it is finished or pruned,
    also if its training fails or is interrupted.

    The median pruner compares the best P@5 of a trial so far with the median of the
    others after the same share of their epochs. So trials of other numbers of epochs
    can be compared, because the schedule of the learning rate spans all epochs.

    Args:
        folder: string or path.

    Attributes:
        study: the `optuna.Study`.

    Raises:
        BadInput: Optuna is not installed.
    """

    def __init__(self, folder):
        optuna = import_optuna()
        import sqlalchemy  # a requirement of Optuna

        self.folder = Path(folder)
        self.path = self.folder / STUDY
        with explain_disk_errors(folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self.errors(RuntimeError):  # of a version that Optuna does not read
            self._storage = optuna.storages.RDBStorage(
                f"sqlite:///{self.path.resolve()}",
                # Connections are closed after each use, in all processes.
                engine_kwargs={"poolclass": sqlalchemy.pool.NullPool},
            )
            self.study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=FIRST,
                    n_warmup_steps=round(WARMUP * STEPS),
                    n_min_trials=LEAST,
                ),
            )

    @contextlib.contextmanager
    def errors(self, *others):
        """Context manager in which errors of the file and `others` raise `BadInput`."""
        import optuna
        import sqlalchemy

        try:
            yield
        except (
            optuna.exceptions.StorageInternalError,
            sqlalchemy.exc.SQLAlchemyError,
            *others,
        ) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise BadInput(
                f"Expected the study of a search. Received: {reason}.",
                self.path,
                remedy="Free disk space, restore the file, or choose another `runs`.",
            ) from error

    @property
    def begun(self):
        """Whether the search has begun, a bool."""
        return "config" in self._about

    @property
    def config(self):
        """The `Config` whose values are searched."""
        values = dict(self._about["config"])
        for key in self._about["limits"]:
            values[key] = AtMost(values[key])
        return Config(**values)

    @property
    def space(self):
        """The `SearchSpace`."""
        texts = self._about["space"]
        return SearchSpace([f"{key}={values}" for key, values in texts.items()])

    @property
    def trials(self):
        """Optuna's `FrozenTrial`s, a list."""
        return self.study.get_trials(deepcopy=False)

    @property
    def _about(self):
        return self.study.user_attrs.get("about", {})

    def begin(self, config, space, settings, digest):
        """Notes what is searched, or compares it with what was noted.

        Args:
            config: a `Config`.
            space: a `SearchSpace`.
            settings: list of strings `"key=value"`, which `config` was made with.
            digest: string. That of the training part.

        Raises:
            BadInput: another search was begun here.
        """
        values = dataclasses.asdict(config)
        about = {
            "config": values,
            "limits": [key for key, x in values.items() if isinstance(x, AtMost)],
            "space": space.texts,
            "settings": " ".join(settings),
            "digest": digest,
        }
        if not self.begun:
            self.study.set_user_attr("about", about)
            return
        changed = [
            *_changes(self._about["space"], about["space"], "not searched"),
            *_changes(self._about["config"], values, "null"),
        ]
        if not changed and self._about["settings"] != about["settings"]:
            was, now = self._about["settings"], about["settings"]
            changed = [f"settings were {was or 'none'}, are {now or 'none'}"]
        if not changed and self._about["digest"] != digest:
            changed = ["other texts or labels"]
        if changed:
            raise BadInput(
                "Expected the search that was begun in this folder. Received: "
                f"{'; '.join(changed)}.",
                self.folder,
                remedy="Choose another `runs`.",
            )

    def ask(self, params):
        """Begins a trial with parameters of `SearchSpace`; returns its number."""
        import optuna

        kinds = {k: v.distribution(optuna) for k, v in self.space.keys.items()}
        # A trial that was queued before the program was killed comes first.
        if not self.study.get_trials(states=[optuna.trial.TrialState.WAITING]):
            self.study.enqueue_trial(params)
        return self.study.ask(kinds).number

    def live(self, number):
        """The `optuna.Trial` of a number, for the process that trains it."""
        import optuna

        return optuna.Trial(self.study, self._id(number))

    def end(self, number, value=None):
        """Ends a trial: finished with a value, or pruned without."""
        from optuna.trial import TrialState

        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        values = None if value is None else [value]
        self._storage.set_trial_state_values(self._id(number), state, values)

    def _id(self, number):
        study_id = self._storage.get_study_id_from_name(NAME)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)

    def run(self, number):
        """The `RunFolder` of a trial."""
        return RunFolder(self.folder / name_trial(number))


def name_trial(number):
    """The name of a trial and of its folder."""
    return f"trial-{number}"


def _changes(before, now, missing):
    """The keys that differ between two dictionaries, in words."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    words = [[format_value(x.get(key, missing)) for x in (before, now)] for key in keys]
    return [f"{key} was {old}, is {new}" for key, (old, new) in zip(keys, words)]
