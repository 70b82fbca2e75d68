"""The parts of datasets.py: measured commands, LightXML in some minutes, tables."""

import os
import signal
import sys

import pytest

from benchmarks.comparison import document_time, lightxml_in_time, tables
from benchmarks.comparison.measure import Steps, measure
from benchmarks.comparison.systems import parse_systems
from xmc_keras.data.documents import Documents
from xmc_keras.files.bad_input import BadInput


def test_time_and_memory_of_a_command(tmp_path):
    large = b"1" * 600_000_000  # of this process, which is not the command's
    code = "x = b'1' * 300_000_000; y = sum(range(10**7)); print(len(x))"
    done = measure([sys.executable, "-c", code], tmp_path / "log")
    assert done["stdout"] == "300000000\n" and len(large) == 600_000_000
    assert 0.3 < done["peak_gb"] < 0.5
    assert 0.05 < done["cpu_seconds"] <= 2 * done["seconds"] + 1
    fails = [sys.executable, "-c", "raise SystemExit('error: no such thing')"]
    with pytest.raises(BadInput, match="Received: 1 and 'error: no such thing'"):
        measure(fails, tmp_path / "log")


def test_a_step_that_is_done_is_not_repeated(tmp_path):
    code = "import os, sys; os.mkdir(sys.argv[1]); print(os.listdir('.') != [])"
    made = tmp_path / "place/made"
    names = {sys.executable: "python", str(made): "MADE"}
    steps = Steps(tmp_path / "place", names, "abc")
    command = [sys.executable, "-c", code, str(made)]
    done = steps("make", command, makes="made")
    assert done["command"].startswith("python -c") and "MADE" in done["command"]
    (made / "mark").touch()
    assert steps("make", command, makes="made") == done and (made / "mark").exists()
    # Another command, or a product that is gone: from the beginning.
    steps("make", [*command, "x"], makes="made")
    assert made.exists() and not (made / "mark").exists()
    made.rmdir()
    steps("make", [*command, "x"], makes="made")
    (made / "mark").touch()
    Steps(tmp_path / "place", names, "def")("make", [*command, "x"], makes="made")
    assert made.exists() and not (made / "mark").exists()


def test_a_command_ends_with_the_program(tmp_path):
    class Stopped(BaseException):
        pass

    def stop(*_):
        raise Stopped

    code = "import os, time; print(os.getpid(), file=open('PID', 'w')); time.sleep(60)"
    path = tmp_path / "pid"
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        with pytest.raises(Stopped):
            code = code.replace("PID", str(path))
            measure([sys.executable, "-c", code], tmp_path / "log")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)


def total_seconds(settings, step_s, num_train, num_test):
    """Time of all that a LightXML does, counted document by document."""
    found = dict(setting.split("=") for setting in settings)
    held_out = max(1, min(1000, num_train // 10))
    trained = int(found.get("train_documents", num_train - held_out))
    document = step_s / int(found["batch_size"])
    epochs = int(found["epochs"])
    return (
        60
        + epochs * (trained + held_out / 3) * document
        + (num_train + num_test) / 3 * document
    )


@pytest.mark.parametrize("words", [5, 60, 700])
@pytest.mark.parametrize("num_train", [100, 5_000, 40_000])
@pytest.mark.parametrize("speed", [1e-4, 1e-2, 0.3])
def test_lightxml_fits_into_the_time(words, num_train, speed):
    train = Documents(["w " * words] * num_train, [["a"]] * num_train)
    measured = []

    def step(settings):
        found = dict(setting.split("=") for setting in settings)
        measured.append(settings)
        faster = 0.5 if found["precision"] == "mixed_bfloat16" else 1
        return faster * speed * int(found["max_tokens"])

    def choose():
        return lightxml_in_time.choose_settings(train, 5_000, 1_000, 30, step)

    if speed == 0.3 and num_train == 40_000:
        # The start from centroids takes longer than that.
        with pytest.raises(BadInput, match="Received: 30 minutes. Raise --minutes"):
            choose()
        return
    settings = choose()
    found = dict(setting.split("=") for setting in settings)
    assert found["precision"] == "mixed_bfloat16" and len(measured) <= 5
    small = num_train < 20_000
    assert found["batch_size"] == ("16" if small else "32")
    assert found["head_learning_rate"] == ("0.0025" if small else "0.005")
    step_s = 0.5 * speed * int(found["max_tokens"])
    assert total_seconds(settings, step_s, num_train, 1_000) <= 30 * 60
    if int(found["epochs"]) < 30:
        longer = [*settings, f"epochs={int(found['epochs']) + 1}"]
        assert total_seconds(longer, step_s, num_train, 1_000) > 30 * 60
    if "train_documents" in found:
        assert found["max_tokens"] == "32" and found["epochs"] == "1"


def test_labels_without_clusters_and_length_of_documents():
    train = Documents(["a b c"] * 50 + ["word " * 50] * 50, [["a"]] * 100)
    choose = lightxml_in_time.choose_settings
    settings = choose(train, 4_000, 10, 30, lambda _: 0.01)
    assert "max_leaf=1" in settings and "max_tokens=96" in settings
    assert "precision=float32" in settings and "epochs=30" in settings
    assert "max_leaf=1" not in choose(train, 4_001, 10, 30, lambda _: 0.01)


def test_the_time_of_a_document_is_that_of_a_warm_model():
    asked = []

    def predict(batch):
        asked.append(len(batch))

    texts = [f"text {i}" for i in range(150)]
    assert 0 < document_time.time_documents(predict, texts) < 1
    assert asked == [64, 64, 22] * 2


def made_record(name, kind, seed, p, **more):
    machine = {"processor": "A", "amx": True, "cores": 2, "ram_gb": 8.0, "load": 0.5}
    return {
        "data": more.pop("data", "one"),
        "name": name,
        "kind": kind,
        "seed": seed,
        "train_documents": 12_000,
        "test_documents": 300,
        "labels": 40,
        "unknown_share": more.pop("unknown_share", 0.0),
        "metrics": dict.fromkeys(tables.QUALITY, p),
        "phase_seconds": {"training": more.get("seconds", 2.0)},
        "training_seconds": more.pop("seconds", 2.0),
        "process": {"seconds": 4.0, "cpu_seconds": 5.0, "peak_gb": 0.5},
        "model_mb": more.pop("size", 3.0),
        "ms_a_document": 0.25,
        "command": f"xmc fit FOLDER --set seed={seed}",
        "machine": machine,
        "commit": "abc",
        "versions": {"numpy": "1.0"},
        **more,
    }


def cells(text, first):
    """The cells of the rows that begin with `first`."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return [row for row in rows if row[0] == first]


def test_tables():
    high = {"baselines": {"nearest label": dict.fromkeys(tables.QUALITY, 40.5)}}
    baseline = {"baselines": {"nearest label": dict.fromkeys(tables.QUALITY, 10.0)}}
    records = [
        made_record(
            "ours", "system", 0, 60.0, seconds=8.0, unknown_share=0.25, **baseline
        ),
        made_record("ours", "system", 1, 62.0, seconds=10.0, **baseline),
        made_record("omikuji", "peer", 0, 64.0),
        made_record("omikuji", "peer", 1, 60.0),
        made_record("pecos", "peer", 0, 61.5),
        made_record(
            "ours", "system", 0, 40.0, data="two", seconds=1.0, size=9.0, **high
        ),
        made_record("pecos", "peer", 0, 38.0, data="two"),
        made_record("omikuji", "peer", 0, 30.0, data="two"),
    ]
    text = tables.all_tables(records)
    summary, of_one, cost, of_two, _ = cells(text, "ours")
    # -1.00 behind 62.00 on one set, 2.00 ahead of 38.00 on the other.
    assert summary[:3] == ["ours", "2", "+0.50, -1.00"]
    assert summary[-4:] == ["1", "4.5 x", "1.0 x", "3.0 x"]
    assert of_one[1:3] == ["2", "61.00 ± 1.41 (-1.00)"]
    assert of_two[1:3] == ["1", "40.00 (+2.00)"]
    assert cost[1:] == (
        ["9.0 s", "4.0 s", "5.0 s", "0.50 GB", "3.0 MB", "0.25 ms", "training 9.0"]
    )
    assert "25.0 % of the labels of test documents" in text
    assert cells(text, "nearest label")[0][2] == "10.00 ± 0.00"
    assert cells(text, "omikuji")[0][2] == "62.00 ± 2.83"
    assert "### one" in text and "12,000 training and 300 test documents" in text
    assert text.count("`xmc fit FOLDER --set seed=N`; commit abc; A with AMX 2 c") == 3
    assert tables.all_tables([]) == ""


def test_tables_without_peers_or_systems():
    ours = made_record("ours", "system", 0, 60.0)
    assert "All sets" not in tables.all_tables([ours])
    assert cells(tables.all_tables([ours]), "ours")[0][2] == "60.00"
    assert "All sets" not in tables.all_tables([made_record("pecos", "peer", 0, 1.0)])


def test_differences_are_paired_by_seed():
    records = [
        made_record("first", "system", 0, 60.0),
        made_record("first", "system", 1, 70.0),
        made_record("second", "system", 1, 71.0),
        made_record("second", "system", 0, 62.0),
        made_record("pecos", "peer", 1, 69.5),
        made_record("second", "system", 0, 50.0, data="two"),  # without the first
    ]
    text = tables.difference_tables(records, "first")
    assert cells(text, "first")[0][:3] == ["first", "2", "65.00 ± 7.07"]
    assert cells(text, "second")[0][:3] == ["second", "2", "+1.50 ± 0.71"]
    assert cells(text, "pecos")[0][:3] == ["pecos", "1", "-0.50"]
    assert "### one" in text and "### two" not in text
    assert tables.difference_tables(records, "third") == ""


def test_systems_with_keys():
    words = ["defaults", "defaults:linear=false:epochs=2", "ensemble"]
    plain, changed, ensemble = parse_systems(words)
    assert (plain.name, plain.settings) == ("defaults", [])
    assert changed.name == "defaults linear=false epochs=2"
    assert changed.settings == ["linear=false", "epochs=2"] and changed.recipe is None
    assert ensemble.members == [plain.name, changed.name]
