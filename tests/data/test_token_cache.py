import logging
import multiprocessing
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.lock_holder import another_process_writes
from xmc_keras.data.token_cache import TokenCache, _replace_folder
from xmc_keras.files.bad_input import BadInput

TEXTS = ["a bird", "", "three little words", "one"]


class Letters:
    """One token per letter, with 1 before and 2 after; counts its calls."""

    def __init__(self, name="letters"):
        self.name = name
        self.calls = 0

    def fingerprint(self):
        return self.name

    def __call__(self, texts, progress=None):
        self.calls += 1
        rows = [[1, *(ord(c) % 1000 for c in text), 2] for text in texts]
        if progress is not None:
            progress(len(texts), len(texts))
        return (
            np.array(sum(rows, []), np.int32),
            np.cumsum([0, *map(len, rows)], dtype=np.int64),
        )


def rows(cache):
    return [cache.tokens(i).tolist() for i in range(len(cache))]


EXPECTED = [[1, *map(ord, text), 2] for text in TEXTS]


def test_tokenises_once(tmp_path):
    tokenizer, seen = Letters(), []
    folder = tmp_path / "deep" / "cache"
    first = TokenCache.open(folder, TEXTS, tokenizer, lambda *done: seen.append(done))
    second = TokenCache.open(str(folder), TEXTS, tokenizer)
    assert tokenizer.calls == 1 and seen == [(4, 4)]
    for cache in (first, second):
        assert rows(cache) == EXPECTED
        assert len(cache) == 4
        assert cache.lengths.dtype == np.int32
        assert cache.lengths.tolist() == [8, 2, 20, 5]
        assert isinstance(cache.token_ids.base, np.memmap)
    (only,) = folder.iterdir()
    assert sorted(os.listdir(only)) == ["digests.json", "offsets.npy", "token_ids.npy"]
    assert np.load(only / "token_ids.npy").dtype == np.int32
    assert np.load(only / "offsets.npy").dtype == np.int64


def test_other_texts_or_settings_are_other_caches(tmp_path):
    others = [
        (TEXTS, Letters()),
        (TEXTS, Letters("other settings")),
        (TEXTS[::-1], Letters()),
        (TEXTS[:3], Letters()),
        (["a birdt", "", "hree little words", "one"], Letters()),
        (["\ud800"], Letters()),
        (["\ud801"], Letters()),
    ]
    for i, (texts, tokenizer) in enumerate(others):
        TokenCache.open(tmp_path, texts, tokenizer)
        assert tokenizer.calls == 1
        assert len(os.listdir(tmp_path)) == i + 1
    again = Letters()
    assert rows(TokenCache.open(tmp_path, TEXTS, again)) == EXPECTED
    assert again.calls == 0


def cut(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


def damages():
    for name in ("token_ids.npy", "offsets.npy", "digests.json"):
        yield f"without {name}", lambda folder, name=name: os.remove(folder / name)
        for size in (0, 3, 60, 128, 140):
            yield (
                f"{name} cut at {size}",
                lambda folder, name=name, size=size: cut(folder / name, size),
            )
    for name, array in [
        ("token_ids.npy", np.arange(30, dtype=np.int32)),
        ("token_ids.npy", np.arange(35, dtype=np.int64)),
        ("token_ids.npy", np.zeros((35, 1), np.int32)),
        ("offsets.npy", np.array([0, 35])),
        ("offsets.npy", np.array([0, 8, 40, 30, 35])),
        ("offsets.npy", np.array([1, 8, 10, 30, 35])),
        ("token_ids.npy", np.zeros(35, np.int32)),  # of the right shape
    ]:
        yield (
            f"{name} {array.dtype} {array.shape} {array[-1]}",
            lambda folder, name=name, array=array: np.save(folder / name, array),
        )


@pytest.mark.parametrize("damage", [pytest.param(d, id=name) for name, d in damages()])
def test_a_damaged_cache_is_rebuilt_with_a_warning(tmp_path, caplog, damage):
    TokenCache.open(tmp_path, TEXTS, Letters())
    (folder,) = tmp_path.iterdir()
    damage(folder)
    tokenizer = Letters()
    with caplog.at_level(logging.WARNING):
        cache = TokenCache.open(tmp_path, TEXTS, tokenizer)
    assert tokenizer.calls == 1 and rows(cache) == EXPECTED
    assert str(folder) in caplog.text and "Rebuilding" in caplog.text
    again = Letters()
    assert rows(TokenCache.open(tmp_path, TEXTS, again)) == EXPECTED
    assert again.calls == 0
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failing_tokenizer_leaves_nothing(tmp_path):
    def broken(texts, progress):
        raise KeyboardInterrupt

    broken.fingerprint = lambda: "broken"
    with pytest.raises(KeyboardInterrupt):
        TokenCache.open(tmp_path, TEXTS, broken)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path, monkeypatch):
    def full(path, array):
        path.write_bytes(b"\x93NUMPY")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(BadInput, match="No space left on device. Free disk") as error:
        TokenCache.open(tmp_path / "cache", TEXTS, Letters())
    assert str(error.value).startswith(f"{tmp_path / 'cache'}: ")
    assert not list(tmp_path.iterdir())


def test_what_killed_programs_left_is_deleted(tmp_path):
    # Of this cache, which is whole, and of others; and a lock without its folder.
    TokenCache.open(tmp_path, TEXTS, Letters())
    (whole,) = tmp_path.iterdir()
    names = (f"{whole.name}.0123abcd", "tokens-1f.89ab0123", f"{whole.name}.4567abcd")
    left, of_another, written = (tmp_path / name for name in names)
    for folder in (left, of_another, written, tmp_path / "other.12ab"):
        folder.mkdir()
    (left / "token_ids.npy").write_bytes(b"half")
    (tmp_path / ".tokens-2a.01234567.lock").write_text("{}")
    (tmp_path / f".{left.name}.lock").touch()
    (tmp_path / ".tokens-3a.01234567.lock").touch()  # just being taken
    with another_process_writes(written):
        assert rows(TokenCache.open(tmp_path, TEXTS, Letters())) == EXPECTED
        names = {path.name for path in tmp_path.iterdir()}
    kept = {whole.name, written.name, f".{written.name}.lock", "other.12ab"}
    assert names == {*kept, ".tokens-3a.01234567.lock"}


def test_a_folder_that_cannot_be_made_or_read_is_reported(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="Not a directory"):
        TokenCache.open(tmp_path / "file", TEXTS, Letters())
    TokenCache.open(tmp_path / "cache", TEXTS, Letters())
    (folder,) = (tmp_path / "cache").iterdir()
    os.remove(folder / "token_ids.npy")
    os.mkdir(folder / "token_ids.npy")
    with pytest.raises(BadInput, match="Is a directory. Make it readable") as error:
        TokenCache.open(tmp_path / "cache", TEXTS, Letters())
    assert str(error.value).startswith(f"{folder}: ")


def test_no_texts():
    with pytest.raises(ValueError, match="at least one text"):
        TokenCache.open("nowhere", [], Letters())


def build_often(folder, barrier, failures):
    texts = ["word " * 50] * 200
    for i in range(20):
        barrier.wait()
        cache = TokenCache.open(folder, texts, Letters(str(i)))
        good = [1, *map(ord, texts[0]), 2]
        failures.put(any(row != good for row in rows(cache)))


def test_processes_that_build_the_same_cache_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, failures = context.Barrier(3), context.Queue()
    processes = [
        context.Process(
            target=build_often, args=(tmp_path, barrier, failures), daemon=True
        )
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    found = [failures.get(timeout=60) for _ in range(60)]
    for process in processes:
        process.join()
    assert not any(found)
    assert [process.exitcode for process in processes] == [0] * 3
    assert len(os.listdir(tmp_path)) == 20


def test_a_cache_in_use_outlives_its_replacement(tmp_path):
    cache = TokenCache.open(tmp_path, TEXTS, Letters())
    (folder,) = tmp_path.iterdir()
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "token_ids.npy", np.zeros(3))
    _replace_folder(other, folder)
    assert os.listdir(folder) == ["token_ids.npy"]
    assert rows(cache) == EXPECTED
    assert list(tmp_path.iterdir()) == [folder]


documents = st.lists(
    st.lists(st.integers(0, 2**31 - 1), max_size=6), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=60)
@given(documents, st.data())
def test_padded_equals_a_loop(documents, data):
    offsets = np.cumsum([0, *map(len, documents)])
    cache = TokenCache(np.array(sum(documents, []), np.int32), offsets)
    some = st.lists(st.integers(0, len(documents) - 1), max_size=9)
    indices = data.draw(some, label="indices")
    longest = max([len(documents[i]) for i in indices], default=0)
    length = data.draw(st.integers(longest, 10), label="length")
    token_ids, padding_mask = cache.padded(indices, length, pad_id=-5)
    assert token_ids.dtype == np.int32 and padding_mask.dtype == bool
    assert token_ids.shape == padding_mask.shape == (len(indices), length)
    for i, row, mask in zip(indices, token_ids.tolist(), padding_mask, strict=True):
        missing = length - len(documents[i])
        assert row == documents[i] + [-5] * missing
        assert mask.tolist() == [True] * len(documents[i]) + [False] * missing


def test_padded_does_not_cut():
    cache = TokenCache(np.arange(5, dtype=np.int32), np.array([0, 2, 5]))
    with pytest.raises(ValueError, match=r"`length` >= 3, .*Received: 2"):
        cache.padded([0, 1], 2, 0)
    assert cache.padded([0], 2, 0)[0].tolist() == [[0, 1]]
