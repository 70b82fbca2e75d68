import dataclasses

import pytest

from xmc_keras.config.config import Config
from xmc_keras.training.planning.memory_plan import PROCESS, XLA, MemoryPlan


@dataclasses.dataclass(frozen=True)
class Plan(MemoryPlan):
    config: Config
    num_documents: int | None = None
    num_labels: int = 30

    def needs(self, gpu=False):
        return {"machine": 5, "GPU": 7} if gpu else {"machine": 9}


def make_plan(num_documents=None, **keys):
    return Plan(Config(data="texts", encoder="minilm", **keys), num_documents)


@pytest.mark.parametrize(
    "room, fits",
    [
        ({"machine": 9}, True),
        ({"machine": 8}, False),
        ({"machine": 5, "GPU": 7}, True),
        ({"machine": 4, "GPU": 7}, False),
        ({"machine": 5, "GPU": 6}, False),
    ],
)
def test_a_plan_fits_where_every_place_has_room(room, fits):
    assert make_plan().fits(room) == fits


def test_steps_are_whole_batches_of_what_is_trained_on():
    keys = {"epochs": 3, "batch_size": 10, "validation_documents": 5}
    assert make_plan(**keys).steps is None
    assert make_plan(**keys).train_documents is None
    assert make_plan(46, **keys).steps == 3 * 5
    assert make_plan(46, train_documents=11, **keys).steps == 3 * 2
    assert make_plan(46, **keys).changed(epochs=1).steps == 5


def test_what_depends_on_nothing():
    assert make_plan().process == make_plan(jit_compile="auto").process == PROCESS
    assert make_plan(jit_compile=True).process == PROCESS + XLA
