import os
import signal
import time

import pytest

from tests.helpers.programs import start
from xmc_keras.evaluation.answer_shares import share_path
from xmc_keras.evaluation.predict_file import predict_file
from xmc_keras.evaluation.share_workers import count_cores, run_workers
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder

pytestmark = pytest.mark.skipif(count_cores() < 2, reason="two workers, two cores")


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    lines = [f"word{i % 20}a word{i % 7}b {i}" for i in range(1000)]
    path.write_text("\n".join(lines))
    return path


def names(folder):
    return sorted(os.listdir(folder))


def test_workers_answer_as_one_process(tiny_run, tmp_path, texts, call, caplog):
    into = "--input", texts, "--output", tmp_path / "found.jsonl"
    caplog.set_level("INFO")
    result = call("predict", tiny_run.folder, *into, "--workers", 2)
    assert (result.status, result.stdout, result.stderr) == (0, "", "")
    assert f"1000 texts answered in {tmp_path / 'found.jsonl'}" in caplog.text
    assert names(tmp_path) == ["found.jsonl", "texts.txt"]
    again = call("predict", tiny_run.folder, *into, "--workers", 2, "--resume")
    assert again.status == 0
    assert f"{tmp_path / 'found.jsonl'} is finished" in caplog.text
    one = tmp_path / "one.jsonl"
    result = call("predict", tiny_run.folder, "--input", texts, "--output", one)
    assert result.status == 0
    # Texts of one length after padding: no score depends on the others.
    assert (tmp_path / "found.jsonl").read_bytes() == one.read_bytes()


def test_all_end_when_one_fails(tiny_run, tmp_path, texts, call):
    """Before a model is loaded."""
    lines = texts.read_bytes().split(b"\n")
    texts.write_bytes(b"\n".join([*lines[:700], b"\xff", *lines[700:]]))
    into = "--input", texts, "--output", tmp_path / "found.jsonl", "--workers", 2
    result = call("predict", tiny_run.folder, *into, tensorflow=False)
    assert (result.status, result.stdout) == (2, "")
    expected = f"error: {texts}:701: Expected UTF-8. Received: byte 0xff at offset 0.\n"
    assert result.stderr == expected
    assert names(tmp_path) == ["texts.txt"]


def test_shares_of_earlier_calls(tiny_run, tmp_path, texts):
    run, found = RunFolder(tiny_run.folder), tmp_path / "found.jsonl"
    share_path(found, 1, 3).write_text("")
    with pytest.raises(BadInput) as error:
        predict_file(run, texts, found, workers=2, resume=True)
    assert "share-1-of-3.jsonl: Expected shares of 2. Received: those of" in str(
        error.value
    )
    assert str(error.value).endswith(
        "with 3. Continue with as many `workers`, or start over with `overwrite=True`."
    )
    assert names(tmp_path) == ["found.share-1-of-3.jsonl", "texts.txt"]


def children(process):
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(path) as file:
        return [int(number) for number in file.read().split()]


def wait_for(condition):
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def is_running(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def many(tiny_run, made_once):
    """Folder of texts.txt, several chunks a share, and of the answers to them."""

    def make(folder):
        lines = [f"word{i % 20}a word{i % 7}b {i}" for i in range(20_000)]
        (folder / "texts.txt").write_text("\n".join(lines))
        files = folder / "texts.txt", folder / "one.jsonl"
        predict_file(RunFolder(tiny_run.folder), *files)

    return made_once("many_texts", make)


@pytest.mark.large
@pytest.mark.parametrize("how", ["worker", "SIGKILL", "SIGTERM", "SIGINT"])
def test_killed_and_resumed(tiny_run, many, tmp_path, how):
    found = tmp_path / "found.jsonl"
    arguments = tiny_run.folder, "--input", many / "texts.txt", "--output", found
    process = start("predict", *arguments, "--workers", 2)
    part = share_path(found, 2, 2).with_name("found.share-2-of-2.jsonl.part")
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    workers = children(process)
    assert len(workers) == 2
    if how == "worker":
        os.kill(workers[1], signal.SIGKILL)
    else:
        process.send_signal(getattr(signal, how))
    begun = time.monotonic()
    stderr = process.communicate(timeout=60)[1].decode()
    wait_for(lambda: not any(map(is_running, workers)))
    assert time.monotonic() - begun < 15
    assert "Traceback" not in stderr
    if how == "worker":
        assert process.returncode == 2
        assert "the one of share 2/2 was ended by signal 9. If memory was s" in stderr
        assert "start fewer --workers from the beginning. Continue with --re" in stderr
    elif how == "SIGINT":
        assert process.returncode == 130 and stderr.endswith("interrupted\n")
    assert not found.exists() and part.exists()
    process = start("predict", *arguments, "--workers", 2, "--resume")
    stderr = process.communicate()[1].decode()
    assert process.returncode == 0, stderr
    assert found.read_bytes() == (many / "one.jsonl").read_bytes()
    assert names(tmp_path) == ["found.jsonl"]


@pytest.mark.large
def test_a_worker_that_ends_for_another_reason(tmp_path):
    with pytest.raises(BadInput, match="share 1/1 ended with status 1, see above. Con"):
        run_workers([{"run": "no other keys"}])
