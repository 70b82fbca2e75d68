"""Token ids of a list of texts, computed once and kept in files."""

import hashlib
import logging
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from xmc_keras.bad_input import BadInput

logger = logging.getLogger(__name__)


class TokenCache:
    """The token ids of all documents, memory-mapped.

    `TokenCache.open` makes one: it tokenises the texts the first time and reads
    `<folder>/tokens-<key>/` from then on. The key is a digest of the tokenizer's
    fingerprint and of all texts, so a cache of other texts or settings is not
    found and never wrong. Only the pages that batches touch are in memory.

    Args:
        token_ids: int32 array, (tokens,). Documents one after the other.
        offsets: int64 array, (documents + 1,). Where each document begins.

    Attributes:
        lengths: int32 array, (documents,). Tokens of each document.

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
        self.token_ids = np.asarray(token_ids)  # (tokens,), a memory map stays one
        self.offsets = np.asarray(offsets)  # (documents + 1,)
        self.lengths = np.diff(self.offsets).astype(np.int32)  # (documents,)

    @classmethod
    def open(cls, folder, texts, tokenizer, progress=None):
        """Reads the cache of these texts, after building it if there is none.

        Args:
            folder: string or path. Holds the caches, made if missing.
            texts: list of strings, at least one.
            tokenizer: `TextTokenizer`, or any object with `fingerprint()` and
                `tokenizer(texts, progress) -> (token_ids, offsets)`.
            progress: optional callable, called with (documents done, documents).

        Raises:
            BadInput: the folder cannot be written or read, or the disk is full.
        """
        if not len(texts):
            raise ValueError("Expected at least one text. Received: an empty list")
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
        """Returns documents as a rectangle.

        Args:
            indices: integer array or list, (batch,).
            length: integer. At least that of the longest of these documents.
            pad_id: integer. Fills the rows.

        Returns:
            `(token_ids, padding_mask)`: int32 and bool (true where there is a
            token), both (batch, length).
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
        # Row-major on both sides: the true places in the order of their tokens.
        first = np.repeat(self.offsets[indices] - lengths.cumsum() + lengths, lengths)
        token_ids[padding_mask] = self.token_ids[first + np.arange(len(first))]
        return token_ids, padding_mask  # (batch, length)

    @classmethod
    def _read(cls, path, num_documents):
        """The cache at `path`, or None if there is none or it is damaged."""
        try:
            token_ids = np.load(path / "token_ids.npy", mmap_mode="r")
            offsets = np.load(path / "offsets.npy")
        except FileNotFoundError:
            if path.exists():
                logger.warning("The token cache %s is incomplete: rebuilt.", path)
            return None
        except (ValueError, EOFError) as error:  # what np.load says of a cut file
            logger.warning("The token cache %s is damaged (%s): rebuilt.", path, error)
            return None
        except OSError as error:
            raise BadInput(
                f"Expected a readable token cache, received {error.strerror or error}. "
                "Make it readable, or remove it to have it built again.",
                path,
            ) from error
        whole = (
            (token_ids.dtype, token_ids.ndim) == (np.int32, 1)
            and (offsets.dtype, offsets.shape) == (np.int64, (num_documents + 1,))
            and (offsets[0], offsets[-1]) == (0, len(token_ids))
            and (np.diff(offsets) >= 0).all()
        )
        if whole:
            return cls(token_ids, offsets)
        logger.warning("The token cache %s is damaged: rebuilt.", path)
        return None

    @classmethod
    def _build(cls, path, token_ids, offsets):
        temporary = _beside(path)
        try:
            temporary.mkdir(parents=True)
            np.save(temporary / "token_ids.npy", token_ids.astype(np.int32))
            np.save(temporary / "offsets.npy", offsets.astype(np.int64))
            # Mapped before it is moved: whatever another process does to `path`
            # from now on, the mapped file stays this process's own.
            cache = cls(np.load(temporary / "token_ids.npy", mmap_mode="r"), offsets)
            _replace_folder(temporary, path)
        except OSError as error:
            raise BadInput(
                "Expected to write a token cache of "
                f"{token_ids.nbytes / 1e6:.0f} MB, received "
                f"{error.strerror or error}. Free disk space, make the folder "
                "writable, or choose another one.",
                path.parent,
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return cache


def _beside(path):
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")


def _replace_folder(source, target):
    """Moves `source` to `target`, in place of what is there."""
    while True:
        try:
            return os.replace(source, target)
        except OSError:
            if not target.exists():
                raise
        # A folder with files is not replaced: a damaged cache, or the one that
        # another process has just finished. It is moved aside in one step, so that
        # nobody reads a folder that is half removed.
        aside = _beside(target)
        try:
            os.replace(target, aside)
        except FileNotFoundError:
            continue  # another process was faster
        shutil.rmtree(aside, ignore_errors=True)


def _key(texts, tokenizer):
    digest = hashlib.sha256(tokenizer.fingerprint().encode())
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        # With its length, so that ["ab", "c"] and ["a", "bc"] differ.
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()[:24]
