"""Groups of texts in `fit` of a classifier."""

import numpy as np
import pytest

from xmc_keras import LightDXMLClassifier

KEYS = {"epochs": 1, "embedding_dim": 8, "char_ngrams": None, "linear": False}


@pytest.mark.large
def test_whole_groups_are_held_back(few, monkeypatch):
    from xmc_keras.training import fit as fit_module

    tasks, trained = [], fit_module.SYSTEMS["lightdxml"]

    def keep(task):
        tasks.append(task)
        return trained(task)

    monkeypatch.setitem(fit_module.SYSTEMS, "lightdxml", keep)
    groups = np.arange(60) // 4
    weights = np.ones(60)
    weights[3] = 0  # this text is left out, with its group's name
    model = LightDXMLClassifier(**KEYS, verbose=False, warm_start=True)
    model.fit(*few, weights, groups=groups, validation_split=0.2)
    [task] = tasks
    assert not set(task.train.groups) & set(task.validation.groups)
    assert len(task.validation) == 11 and len(task.train) == 48
    of = dict(zip(few[0], map(str, groups)))
    assert task.validation.groups == [of[text] for text in task.validation.texts]
    model.fit(*few)  # without groups this time
    assert len(tasks[1].validation) == 6 and model.config_.validation_by is None


def test_what_cannot_be_used(few):
    model = LightDXMLClassifier(**KEYS, verbose=False)
    with pytest.raises(ValueError, match="Expected one group per document"):
        model.fit(*few, groups=["a", "b"])
    with pytest.raises(ValueError, match="all 60 of the group 'a'"):
        model.fit(*few, groups=["a"] * 60)
    with pytest.raises(ValueError, match="`groups` or `validation_data`"):
        model.fit(*few, groups=["a"] * 60, validation_data=few)
