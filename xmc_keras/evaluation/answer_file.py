"""File of answers that is written chunk by chunk and can be resumed."""

import contextlib
import gzip
import hashlib
import itertools
import json
import os
import zlib
from pathlib import Path

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.describe_folder import check_file_for
from xmc_keras.files.disk_error import DiskError
from xmc_keras.files.path_lock import PathLock
from xmc_keras.files.text_file import TextFile, position


class AnswerFile:
    """A file of lines that appears only when it is complete.

    Until then the lines are in `<path>.part`, which grows by whole chunks, and the
    settings that they depend on in `<path>.settings.json`, with the digests of the
    chunks. A killed program resumes after the last chunk that is whole. The content of
    a chunk does not depend on where the program was stopped, so the file has the same
    bytes as without an interruption. If the path ends in `.gz`, each chunk is its own
    member of the gzip file; `zcat` and Python read them as one.

    Args:
        path: string or path of the file.
        settings: dictionary for JSON. All that the lines depend on except their texts.
        resume: bool. Continue an existing part, if there is one.
        overwrite: bool. Discard an existing file, finished or not.
        is_share: bool. Whether it is a share of an output: `<path>.settings.json`
            stays next to the finished file until the shares are merged. Defaults to
            `False`.

    Attributes:
        finished: bool. With `resume`: the file is already complete. Then `kept` reads
            its lines, and nothing is written.
        keep_part: bool. Whether an error leaves the part, to be resumed. Set it to
            `False` for lines that are soon written again; an error then deletes the
            part, unless it was begun by an earlier start.
        kept_path: path of the file that `kept` reads.

    Raises:
        BadInput: a file exists without `resume` or `overwrite`, or is a folder; the
            settings differ from those of the part; another program is writing it; or
            it cannot be written.
    """

    def __init__(self, path, settings, resume=False, overwrite=False, is_share=False):
        self.path, self.settings = Path(path), settings
        self._is_share = is_share
        self._other_settings = (
            "Use these arguments, or predict this share again with `overwrite=True`."
            if is_share
            else "Start over with `overwrite=True`, or choose another `output`."
        )
        self.finished = self._reading = self._begun_before = False
        self._file, self.keep_part = None, True
        self._digests, self._expected = [], []  # of the chunks: so far, and before
        self._lock = PathLock(self.path, "for answers", "output")
        if self.path.suffix == ".xz":
            raise BadInput(
                "Expected a plain file or .gz to write. Received: .xz.", path
            )
        if self.path.is_dir():
            raise BadInput(
                "Expected a file to write. Received: a folder.",
                path,
                remedy="Choose another `output`.",
            )
        check_file_for(self.path, "output")
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._settings_path = self.path.with_name(f"{self.path.name}.settings.json")
        self.kept_path = self._part
        self._lock.acquire()
        try:
            self._begin(resume, overwrite)
        except (OSError, DiskError) as error:
            self._close()
            raise self._disk_error(error) from None
        except BaseException:
            self._close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # An error before the first chunk leaves nothing behind.
        keep = self._part_size() > 0 and (self.keep_part or self._begun_before)
        if self._file and not self.finished and not keep:
            self._part.unlink(missing_ok=True)
            self._settings_path.unlink(missing_ok=True)
        self._close()

    def _close(self):
        if self._file is not None:
            # `write` has already reported a full disk.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        self._lock.release()

    def _part_size(self):
        return self._part.stat().st_size if self._part.exists() else 0

    def _begin(self, resume, overwrite):
        unfinished = self._part_size() > 0
        in_progress = unfinished or self._was_replacing()
        if self.path.exists() and not overwrite and not (resume and in_progress):
            if resume:
                self.kept_path = self.path
                # Without `is_share` they are there if it was killed at the end.
                if self._is_share or self._settings_path.exists():
                    self._check_settings()
                    self._drop_settings()
                self.finished, self._reading = True, True
                self._file = TextFile(self.path)
                self._lines = iter(self._file)
                return
            raise BadInput(
                "Expected an output that does not exist. Received: a file.",
                self.path,
                remedy="Replace it with `overwrite=True`, or choose another `output`.",
            )
        if unfinished and not resume and not overwrite:
            raise BadInput(
                "Expected no unfinished output. Received: one.",
                self._part,
                remedy="Continue with `resume=True`, or discard it with "
                "`overwrite=True`.",
            )
        self._file = open(self._part, "a+b")
        self._reading = resume and self._part_size() > 0
        self._begun_before = self._reading
        if self._reading:
            self._expected = self._check_settings()
            self._file.seek(0)
            return
        # In this order, so that settings never refer to other lines.
        self._file.truncate(0)
        self._write_settings()

    def _write_settings(self):
        content = {"settings": self.settings, "chunks": self._digests}
        with atomic_write(self._settings_path) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    def _was_replacing(self):
        """Whether it was stopped before the first chunk of what replaces a file."""
        _, digests = self._read_settings()
        return digests == [] and self.path.exists() and self.path.stat().st_size > 0

    def _drop_settings(self):
        if not self._is_share:
            self._settings_path.unlink(missing_ok=True)

    def _read_settings(self):
        """`(settings, digests of the chunks)`; both None if there are none."""
        try:
            content = json.loads(self._settings_path.read_text(encoding="utf-8"))
            return dict(content["settings"]), list(content["chunks"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, None

    def _check_settings(self):
        earlier, digests = self._read_settings()
        if earlier is None:
            raise BadInput(
                f"Expected {self._settings_path.name} next to it. Received: no such "
                "file, or a damaged one.",
                self.kept_path,
                remedy="Start over with `overwrite=True`.",
            )
        changed = [
            f"{key} was {earlier.get(key)}, is {self.settings.get(key)}"
            for key in {**earlier, **self.settings}
            if earlier.get(key) != self.settings.get(key)
        ]
        if changed:
            raise BadInput(
                "Expected the settings that the output was started with. Received: "
                f"{'; '.join(changed)}.",
                self.kept_path,
                remedy=self._other_settings,
            )
        return digests

    def kept(self, count):
        """The next `count` lines, as bytes, if an earlier start has written them all.

        The first chunk that is incomplete or damaged is cut off; from then on it
        returns `None`. Of a finished file these are the lines that are left, at most
        `count`.
        """
        if not self._reading:
            return None
        if self.finished:
            return list(itertools.islice(self._lines, count))
        start = position(self._file)
        lines = (
            self._read_member()
            if self.path.suffix == ".gz"
            else self._read_lines(count)
        )
        if len(lines) == count and lines[-1].endswith(b"\n"):
            digest = digest_lines(lines)
            if digest in self._expected[len(self._digests) :][:1]:
                self._digests.append(digest)
                return lines
        self._reading = False
        self._file.truncate(start)
        return None

    def _read_lines(self, count):
        return [self._file.readline() for _ in range(count)]

    def _read_member(self):
        """Lines of the next gzip member; none if it is incomplete."""
        inflate, pieces = zlib.decompressobj(wbits=31), []
        while not inflate.eof:
            block = self._file.read(2**16)
            if not block:
                return []
            try:
                pieces.append(inflate.decompress(block))
            except zlib.error:
                return []
        self._file.seek(-len(inflate.unused_data), os.SEEK_CUR)
        return b"".join(pieces).splitlines(keepends=True)

    def write(self, lines):
        """Appends a chunk of lines, which are strings without line ends."""
        lines = [f"{line}\n".encode() for line in lines]
        chunk = b"".join(lines)
        if self.path.suffix == ".gz":
            chunk = gzip.compress(chunk, mtime=0)
        try:
            self._file.write(chunk)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._digests.append(digest_lines(lines))
            self._write_settings()
        except (OSError, DiskError) as error:
            raise self._disk_error(error) from None

    def finish(self):
        """Completes the file and gives it its name."""
        if self.finished:
            return self._close()
        if self._reading:  # drops lines for which no text is left
            self._file.truncate(position(self._file))
        try:
            os.replace(self._part, self.path)
            self._drop_settings()
        except OSError as error:
            raise self._disk_error(error) from None
        self._close()

    def _disk_error(self, error):
        return DiskError.of(error, self.path).resumable()


def digest_lines(lines):
    """Hex digest of a chunk of lines, as bytes."""
    return hashlib.sha256(b"".join(lines)).hexdigest()[:16]


def to_json(text, found, titles=None):
    """A line of JSON for a text and its `(label, score)` pairs.

    With `titles`, a dictionary, it has those of the labels, too; that of a label
    without one is its name.
    """
    labels, scores = [x for x, _ in found], [round(s, 6) for _, s in found]
    answer = {"text": text, "labels": labels, "scores": scores}
    if titles is not None:
        answer["titles"] = [titles.get(label, label) for label in labels]
    return json.dumps(answer, ensure_ascii=False)
