"""Cache of the token ids of texts, in memory-mapped files."""

import contextlib
import hashlib
import logging
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import digest_file, read_digests, record_digests
from xmc_keras.files.disk_error import DiskError, explain_disk_errors
from xmc_keras.files.path_lock import PathLock, remove_left
from xmc_keras.text.list_texts import list_texts

logger = logging.getLogger(__name__)

FILES = ("token_ids.npy", "offsets.npy")


class TokenCache:
    """The token ids of all documents, memory-mapped.

    `TokenCache.open` tokenises the texts the first time and from then on reads
    `<folder>/tokens-<key>/`. The key is a digest of the tokenizer's fingerprint and of
    all texts, so a cache of other texts or settings is never used by mistake. Only the
    pages that batches read are in memory. What killed programs have left behind in the
    folder is deleted.

    Args:
        token_ids: int32 array (tokens,). All documents, one after the other.
        offsets: int64 array (documents + 1,). The start of each document, and the end
            of the last.

    Attributes:
        lengths: int32 array (documents,). Number of tokens of each document.

    Example:

    >>> cache = TokenCache(np.array([2, 7, 3, 2, 3]), np.array([0, 3, 5]))
    >>> len(cache), cache.lengths.tolist(), cache.tokens(0).tolist()
    (2, [3, 2], [2, 7, 3])
    >>> token_ids, padding_mask = cache.padded([1, 0], length=4, pad_id=0)
    >>> token_ids.tolist()
    [[2, 3, 0, 0], [2, 7, 3, 0]]
    >>> padding_mask.sum(axis=1).tolist()
    [2, 3]
    """

    def __init__(self, token_ids, offsets):
        self.token_ids = np.asarray(token_ids)  # (tokens,), still memory-mapped
        self.offsets = np.asarray(offsets)  # (documents + 1,)
        self.lengths = np.diff(self.offsets).astype(np.int32)  # (documents,)

    @classmethod
    def open(cls, folder, texts, tokenizer, progress=None):
        """Opens the cache of these texts; builds it if there is none.

        Args:
            folder: string or path. Folder of all caches, created if missing.
            texts: list of strings, at least one.
            tokenizer: `TextTokenizer`, or any object with `fingerprint()` and
                `tokenizer(texts, progress) -> (token_ids, offsets)`.
            progress: optional callable, called with (documents done, documents).

        Returns:
            `TokenCache`.

        Raises:
            BadInput: the folder cannot be written or read, or the disk is full.
        """
        texts = list_texts(texts)
        if not texts:
            raise ValueError("Expected at least one text. Received: an empty list")
        _remove_left(Path(folder))
        path = Path(folder) / f"tokens-{_key(texts, tokenizer)}"
        cache = cls._read(path, len(texts))
        if cache is None:
            cache = cls._build(path, *tokenizer(texts, progress))
        return cache

    def __len__(self):
        return len(self.lengths)

    def tokens(self, i):
        """Returns the token ids of document `i`, int32 (length,)."""
        return self.token_ids[self.offsets[i] : self.offsets[i] + self.lengths[i]]

    def padded(self, indices, length, pad_id):
        """Returns a padded batch of documents.

        Args:
            indices: integer array or list (batch,).
            length: int. Number of columns, at least the length of the longest of these
                documents.
            pad_id: int. Token id of padding.

        Returns:
            `(token_ids, padding_mask)`: int32, and bool (`True` for tokens), both
            (batch, length).
        """
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        if lengths.max(initial=0) > length:
            raise ValueError(
                f"Expected `length` >= {lengths.max()}, the longest document. "
                f"Received: {length}"
            )
        padding_mask = np.arange(length) < lengths[:, None]
        token_ids = np.full(padding_mask.shape, pad_id, np.int32)
        # Both sides are row-major: the mask selects places in the order of the tokens.
        first = np.repeat(self.offsets[indices] - lengths.cumsum() + lengths, lengths)
        token_ids[padding_mask] = self.token_ids[first + np.arange(len(first))]
        return token_ids, padding_mask  # (batch, length)

    @classmethod
    def _read(cls, path, num_documents):
        """Reads the cache at `path`; `None` if there is none or it is damaged."""
        try:
            found = {name: digest_file(path / name) for name in FILES}
            if found != read_digests(path):
                raise ValueError("other content than was written")
            token_ids = np.load(path / "token_ids.npy", mmap_mode="r")
            offsets = np.load(path / "offsets.npy")
        except FileNotFoundError:
            if path.exists():
                logger.warning("Rebuilding the token cache %s: incomplete.", path)
            return None
        except (ValueError, EOFError) as error:  # np.load of a truncated file
            logger.warning("Rebuilding the token cache %s: damaged (%s).", path, error)
            return None
        except OSError as error:
            raise BadInput(
                f"Expected a readable token cache. Received: {error.strerror or error}."
                " Make it readable, or delete it to rebuild it.",
                path,
            ) from error
        intact = (
            (token_ids.dtype, token_ids.ndim) == (np.int32, 1)
            and (offsets.dtype, offsets.shape) == (np.int64, (num_documents + 1,))
            and (offsets[0], offsets[-1]) == (0, len(token_ids))
            and (np.diff(offsets) >= 0).all()
        )
        if intact:
            return cls(token_ids, offsets)
        logger.warning("Rebuilding the token cache %s: damaged.", path)
        return None

    @classmethod
    def _build(cls, path, token_ids, offsets):
        temporary = _add_suffix(path)
        lock = PathLock(temporary, "for a token cache", "folder")
        try:
            lock.acquire()
            with explain_disk_errors(path.parent):
                temporary.mkdir(parents=True)
                np.save(temporary / "token_ids.npy", token_ids.astype(np.int32))
                np.save(temporary / "offsets.npy", offsets.astype(np.int64))
                record_digests(temporary, FILES)
                # Mapped before it is moved: the mapping stays valid, whatever another
                # process does to `path` later.
                cache = cls(
                    np.load(temporary / "token_ids.npy", mmap_mode="r"), offsets
                )
                _replace_folder(temporary, path)
        except OSError as error:
            raise DiskError.of(error, path.parent) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            lock.release()
        return cache


def _add_suffix(path):
    """A unique path in the same folder."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")


def _remove_left(folder):
    """Deletes what killed programs have left behind in a folder of caches."""
    names = {path.name for path in folder.glob("tokens-*.*")}
    for file in folder.glob(".tokens-*.*.lock"):
        # An empty one may be that of a program that is just taking it.
        with contextlib.suppress(OSError):
            if file.stat().st_size:
                names.add(file.name.removeprefix(".").removesuffix(".lock"))
    for name in names:
        remove_left(folder / name, [folder / name])


def _replace_folder(source, target):
    """Moves `source` to `target`, also if other processes do so at the same time."""
    while True:
        try:
            return os.replace(source, target)
        except OSError:
            if not target.exists():
                raise
        # A nonempty folder cannot be replaced: a damaged cache, or one that another
        # process has just finished. It is renamed first, so that no process reads a
        # folder that is partly deleted.
        old = _add_suffix(target)
        try:
            os.replace(target, old)
        except FileNotFoundError:
            continue  # another process was faster
        shutil.rmtree(old, ignore_errors=True)


def _key(texts, tokenizer):
    """Hex digest of the texts and of the tokenizer's fingerprint."""
    digest = hashlib.sha256(tokenizer.fingerprint().encode())
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        # With the length, so that ["ab", "c"] and ["a", "bc"] differ.
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()[:24]
