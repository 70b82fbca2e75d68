import gzip
import os
import random

import pytest

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.parrot import expected_answers, install_parrot, read_answers
from xmc_keras.evaluation.answer_shares import find_shares, share_path
from xmc_keras.evaluation.predict_file import merge_answers, predict_file
from xmc_keras.evaluation.share_workers import count_cores, share_machine
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder

GIVEN = ["sea", "", "café 日本", *(f"text {i}" for i in range(9)), "x" * 60, "last"]


@pytest.fixture
def parrot(monkeypatch):
    return install_parrot(monkeypatch)


@pytest.fixture
def predict(tiny_run, tmp_path, call, parrot):
    """Calls `xmc predict` for texts.txt and found.jsonl; returns its result."""
    (tmp_path / "texts.txt").write_text("\n".join(GIVEN), encoding="utf-8")

    def predict(*arguments, output="found.jsonl", **kwargs):
        into = "--input", tmp_path / "texts.txt", "--output", tmp_path / output
        return call("predict", tiny_run.folder, *into, *arguments, **kwargs)

    return predict


@pytest.fixture
def refused(predict):
    """Calls it; returns its error, one sentence."""

    def refused(*arguments, **kwargs):
        result = predict(*arguments, **kwargs)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    return refused


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_shares_are_merged_to_the_same_bytes(
    predict, parrot, tmp_path, caplog, suffix, count
):
    assert predict(output=f"whole.jsonl{suffix}").status == 0
    whole = tmp_path / f"whole.jsonl{suffix}"
    found = tmp_path / f"found.jsonl{suffix}"
    for number in random.sample(range(1, count + 1), count):
        parrot.chunks.clear()
        parrot.stop = 1  # the second chunk, if there is one
        first = predict("--share", f"{number}/{count}", output=found.name)
        parrot.stop = None
        if first.status:
            assert first.status == 130
            again = predict(
                "--share", f"{number}/{count}", "--resume", output=found.name
            )
            assert again.status == 0, again.stderr
        assert not found.exists()
        assert share_path(found, number, count).exists()
    parrot.chunks.clear()
    with caplog.at_level("INFO"):
        result = predict("--merge", output=found.name, tensorflow=False)
    assert result.status == 0, result.stderr
    assert f"{len(GIVEN)} texts answered in {found}" in caplog.text
    assert found.read_bytes() == whole.read_bytes() and not parrot.chunks
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"texts.txt", whole.name, found.name}
    opened = gzip.open if suffix else open
    with opened(found, "rt", encoding="utf-8") as file:
        assert read_answers(file.read()) == expected_answers(GIVEN)


def test_a_merge_that_was_stopped(predict, tmp_path, monkeypatch):
    """Shares are deleted when the whole file is there, and not before."""
    for number in (1, 2):
        predict("--share", f"{number}/2")
    found = tmp_path / "found.jsonl"
    shares = {p: p.read_bytes() for p in tmp_path.glob("found.share-*")}
    assert len(shares) == 4  # with settings
    writes = []

    def fsync(number):
        writes.append(number)
        if len(writes) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        assert predict("--merge").status == 130
    names = {"texts.txt", *(path.name for path in shares)}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {p: p.read_bytes() for p in tmp_path.glob("found.share-*")} == shares
    assert predict("--merge").status == 0
    assert read_answers(found.read_text("utf-8")) == expected_answers(GIVEN)
    assert not list(tmp_path.glob("found.share-*"))
    # New shares are not deleted for a file that is finished without them.
    for path, content in shares.items():
        path.write_bytes(content)
    assert "Expected an output that does not exist." in predict("--merge").stderr
    assert predict("--merge", "--resume").status == 0
    assert {p: p.read_bytes() for p in tmp_path.glob("found.share-*")} == shares
    assert predict("--merge", "--overwrite").status == 0
    assert not list(tmp_path.glob("found.share-*"))


def test_what_a_merge_refuses(predict, refused, parrot, tmp_path):
    found = tmp_path / "found.jsonl"
    error = refused("--merge", tensorflow=False)
    assert (
        "found.jsonl: Expected the answers to shares next to it, such as found.sha"
        in error
    )
    assert (
        "found.share-1-of-2.jsonl. Received: none. Predict them with --share" in error
    )
    for number in (2, 4, 5):
        assert predict("--share", f"{number}/5").status == 0
    parrot.chunks.clear()
    parrot.stop = 1
    assert predict("--share", "1/5", "-k", 4).status == 130
    parrot.stop = None
    error = refused("--merge", tensorflow=False)
    assert "Expected the answers to 5 shares. Received: none to 3, unfinished " in error
    assert "unfinished ones to 1. Predict these shares, with --resume if" in error
    assert predict("--share", "1/5", "-k", 4, "--resume").status == 0
    assert predict("--share", "3/5").status == 0
    error = refused("--merge", tensorflow=False)
    assert "found.share-1-of-5.jsonl: Expected the settings that" in error
    assert "k was 4, is 5." in error
    assert "Use these arguments, or predict this share again with --overwrite." in error
    assert predict("--share", "1/5", "--overwrite").status == 0
    assert predict("--share", "1/3").status == 0
    assert "Received: shares of 3 and 5. Delete those" in refused("--merge")
    for path in tmp_path.glob("found.share-1-of-3*"):
        path.unlink()

    share = tmp_path / "found.share-3-of-5.jsonl"
    whole = share.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damaged, place in (
        (b"".join(lines[:-1]), len(lines)),
        (whole + lines[0], len(lines) + 1),
        (b"".join(lines[1:]), 1),
        (whole[:5] + b"\n", 1),
    ):
        share.write_bytes(damaged)
        error = refused("--merge", tensorflow=False)
        assert (
            f"another text at place {place} of {share}. Predict share 3/5 aga" in error
        )
        assert not found.exists()
    share.write_bytes(whole)
    settings = share.with_name(f"{share.name}.settings.json")
    kept = settings.read_text()
    settings.unlink()
    assert f"Expected {settings.name} next to it" in refused("--merge")
    settings.write_text(kept)
    with another_process_writes(share) as other:
        assert f"process {other.pid} on" in refused("--merge")

    # The texts have changed since: their size, or one of them.
    texts = tmp_path / "texts.txt"
    content = texts.read_bytes()
    texts.write_bytes(content + b"\nmore")
    size = len(content)
    assert f"text bytes was {size}, is {size + 5}" in refused("--merge")
    texts.write_bytes(content.replace(b"text 4", b"TEXT 4"))
    assert f"{texts}: Expected the texts that the output was beg" in refused("--merge")
    texts.write_bytes(content)
    assert not found.exists() and len(find_shares(found)) == 5
    assert predict("--merge").status == 0
    assert read_answers(found.read_text("utf-8")) == expected_answers(GIVEN)


def test_a_share_is_resumed_with_its_texts(predict, refused, parrot, tmp_path):
    assert predict("--share", "1/2").status == 0
    error = refused("--share", "1/2", tensorflow=False)
    assert "found.share-1-of-2.jsonl: Expected an output that does not exist." in error
    assert predict("--share", "1/2", "--resume", tensorflow=False).status == 0
    (tmp_path / "texts.txt").write_text("\n".join([*GIVEN, "more"]), "utf-8")
    assert "text bytes was" in refused("--share", "1/2", "--resume")
    assert predict("--share", "1/2", "--overwrite").status == 0


def test_bad_shares(predict, refused, tmp_path, call, tiny_run):
    for share in ("0/8", "9/8", "2", "a/b", "-1/8"):
        error = refused(f"--share={share}", tensorflow=False)
        assert f"counted from 1. Received: {share}." in error
    for arguments in (
        ("--share", "1/2", "--merge"),
        ("--workers", 1, "--share", "1/2"),
    ):
        assert "Expected one of --workers, --share and --merge." in refused(*arguments)
    for workers in (0, -1, count_cores() + 1):
        error = refused("--workers", workers, tensorflow=False)
        assert f"workers from 1 to the number of cores, {count_cores()}. R" in error
    result = call("predict", tiny_run.folder, "--share", "1/2", stdin=b"text")
    assert "Expected --input and --output with --share." in result.stderr
    (tmp_path / "texts.txt").rename(tmp_path / "plain.txt")
    packed = tmp_path / "texts.txt.gz"
    packed.write_bytes(gzip.compress(b"sea\n"))
    into = "--input", packed, "--output", tmp_path / "found.jsonl"
    for arguments in (("--share", "1/2"), ("--workers", 1)):
        result = call("predict", tiny_run.folder, *into, *arguments, tensorflow=False)
        assert result.status == 2
        assert (
            "texts.txt.gz: Expected a plain file, to cut into shares" in result.stderr
        )
    assert sorted(os.listdir(tmp_path)) == ["plain.txt", "texts.txt.gz"]
    run = RunFolder(tiny_run.folder)
    texts, found = tmp_path / "plain.txt", tmp_path / "found.jsonl"
    with pytest.raises(BadInput, match="Expected a share or workers. Received: both"):
        predict_file(run, texts, found, share=(1, 2), workers=2)
    with pytest.raises(BadInput, match="Predict them with `share` first."):
        merge_answers(run, texts, found)
    with pytest.raises(BadInput, match="Received: 3/2."):
        predict_file(run, texts, found, share=(3, 2))


def test_bad_lines_of_shares(predict, refused, tmp_path, caplog):
    texts = tmp_path / "texts.txt"
    texts.write_bytes(b"a\nb\nc\nd\n\xff\ne\nf\xe9\ng\n")
    assert f"{texts}:5: Expected UTF-8. Received: byte 0xff" in refused("--share=2/2")
    for number in (1, 2):
        assert predict("--share", f"{number}/2", "--skip-bad-lines").status == 0
    assert f"2 bad lines left out. The first: {texts}:5: " in caplog.text
    assert f"{texts}:5: Expected UTF-8." in refused("--merge")
    caplog.clear()
    assert predict("--merge", "--skip-bad-lines").status == 0
    assert f"2 bad lines left out. The first: {texts}:5: " in caplog.text
    found = (tmp_path / "found.jsonl").read_text()
    assert read_answers(found) == expected_answers("abcdeg")


def test_a_share_of_the_machine(monkeypatch):
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "7")  # the user's own stays
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    cores = count_cores()
    found = share_machine(3)
    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == ["3", "5", "3"]
    for one in found:
        assert one["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
        threads = str(max(1, cores // 3))
        assert one["OMP_NUM_THREADS"] == one["TF_NUM_INTRAOP_THREADS"] == threads
        assert "TF_NUM_INTEROP_THREADS" not in one
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in share_machine(2)[0]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES" not in share_machine(2)[0]
