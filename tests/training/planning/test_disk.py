"""The plan's disk, compared with the bytes of real runs."""

import contextlib
import os
import threading

import pytest

from xmc_keras import Config, fit, read_documents
from xmc_keras.training.planning.make_plan import make_plan


class Watch(threading.Thread):
    """Notes the most bytes that the files of a folder have together."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.most = folder, 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.002):
            self.most = max(self.most, count_bytes(self.folder))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.join()


def count_bytes(folder):
    size = 0
    for path, _, names in os.walk(folder):  # folders may be removed meanwhile
        for name in names:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(path, name)).st_size
    return size


# Sizes that make the weights large against the structure of the files.
LIGHTXML = {"max_tokens": 16, "num_feature_layers": 2, "bottleneck_dim": 16_384}
LIGHTDXML = {"system": "lightdxml", "encoder": "words", "embedding_dim": 8192}
LIGHTDXML |= {"residual": False, "refresh": 1, "proxy_epochs": 0, "num_neighbors": 5}


@pytest.mark.large
@pytest.mark.parametrize(
    "keys",
    [
        {**LIGHTXML, "swa_start": 1, "swa_every": 1},
        {**LIGHTDXML},
        pytest.param(LIGHTXML, marks=pytest.mark.large),
        pytest.param(
            {**LIGHTXML, "negatives": "static", "epochs": 3}, marks=pytest.mark.large
        ),
        pytest.param({**LIGHTDXML, "label_words": 3}, marks=pytest.mark.large),
        pytest.param(
            {**LIGHTDXML, "label_words": 3, "linear": True}, marks=pytest.mark.large
        ),
    ],
)
def test_disk_of_a_run(keys, tiny_data, tiny_encoder, tmp_path):
    config = Config(**{"epochs": 2, "encoder": str(tiny_encoder), **keys})
    train, test = (read_documents(tiny_data, part) for part in ("train", "test"))
    plan, _ = make_plan(config, train)
    with Watch(tmp_path) as watch:
        fit(config, train, test=test, run=tmp_path / "run", progress=False)
    run = tmp_path / "run"
    for name in ("best.keras", "averaged.keras"):
        assert (name in plan.disk) == (run / name).exists()
        if name in plan.disk:
            size = (run / name).stat().st_size
            assert size == pytest.approx(plan.disk[name], rel=0.1)
    cache = count_bytes(tmp_path / "cache")
    assert cache <= plan.disk["token cache"] + 60 * 4 * 16 + 5000  # and the test part
    rest = 300_000  # logs and pictures
    end, peak = (plan.disk[k] for k in ("when it is finished", "in training, at most"))
    assert 0.9 * end < count_bytes(tmp_path) < 1.1 * end + rest
    # The thread may miss the moment with the most.
    assert 0.7 * peak < watch.most < 1.1 * peak + rest
