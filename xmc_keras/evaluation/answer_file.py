"""A file of answers that grows chunk by chunk and survives a kill."""

import contextlib
import fcntl
import gzip
import json
import os
import zlib
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.files.atomic_files import atomic_write


class AnswerFile:
    """Lines that are there as a file once all of them are.

    Until then they are in `<path>.part`, which grows by whole chunks, beside what they
    depend on in `<path>.settings.json`. A program that was killed goes on after the
    last whole chunk: what a chunk holds does not depend on where the program was
    stopped, so the file has the same bytes as that of one go. Where the path ends in
    `.gz`, each chunk is a member of its own of the gzip file, which `zcat` and
    Python read as one.

    Args:
        path: string or path of the file.
        settings: dictionary for JSON, what the lines depend on beside their texts.
        resume: bool. Go on with the part that is there, if there is one.
        overwrite: bool. Drop what is there, finished or not.

    Attributes:
        finished: bool. With `resume`: the file is whole already.

    Raises:
        BadInput: something is there and neither `resume` nor `overwrite`, the settings
            are not those of the part, another program writes it, or it cannot be
            written.
    """

    def __init__(self, path, settings, resume=False, overwrite=False):
        self.path, self.settings = Path(path), settings
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._settings_path = self.path.with_name(f"{self.path.name}.settings.json")
        self.finished, self._reading, self._file = False, False, None
        if self.path.suffix == ".xz":
            raise BadInput(
                "Expected a plain file or .gz to write. Received: .xz.", path
            )
        try:
            self._begin(resume, overwrite)
        except OSError as error:
            self._close()
            raise self._not_written(error) from None
        except BadInput:
            self._close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # An error before the first chunk leaves nothing behind.
        if self._file is not None and self._part_size() == 0:
            self._part.unlink(missing_ok=True)
            self._settings_path.unlink(missing_ok=True)
        self._close()

    def _close(self):
        if self._file is not None:
            # A disk that is full is told of where it was written to.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _part_size(self):
        return self._part.stat().st_size if self._part.exists() else 0

    def _begin(self, resume, overwrite):
        unfinished = self._part_size() > 0
        if self.path.exists() and not overwrite and not (resume and unfinished):
            # A kill after the very last line: only the settings are left to remove.
            if resume and self._earlier_settings() == self.settings:
                self.finished = True
                return self._settings_path.unlink()
            raise BadInput(
                "Expected an output that is not there yet. Received: a file. Replace "
                "it with --overwrite, or choose another with --output.",
                self.path,
            )
        if unfinished and not resume and not overwrite:
            raise BadInput(
                "Expected no unfinished output. Received: one. Go on with --resume, "
                "or drop it with --overwrite.",
                self._part,
            )
        self._file = open(self._part, "a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                "Expected an output that no program is writing. Received: one that is "
                "being written. Let that program end, or stop it.",
                self._part,
            ) from None
        self._reading = resume and self._part_size() > 0
        if self._reading:
            self._check_settings()
            self._file.seek(0)
            return
        # In this order: settings never stand beside lines of others.
        self._file.truncate(0)
        with atomic_write(self._settings_path) as file:
            file.write(json.dumps(self.settings, indent=2).encode() + b"\n")

    def _earlier_settings(self):
        try:
            return json.loads(self._settings_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _check_settings(self):
        earlier = self._earlier_settings()
        if not isinstance(earlier, dict):
            raise BadInput(
                f"Expected {self._settings_path.name} beside it. Received: no such "
                "file, or a damaged one. Start anew with --overwrite.",
                self._part,
            )
        changed = [
            f"{key} was {earlier.get(key)}, is {self.settings.get(key)}"
            for key in {**earlier, **self.settings}
            if earlier.get(key) != self.settings.get(key)
        ]
        if changed:
            raise BadInput(
                "Expected what the output was begun with. Received: "
                f"{'; '.join(changed)}. Start anew with --overwrite, or choose another "
                "with --output.",
                self._part,
            )

    def kept(self, count):
        """The next `count` lines, as bytes, if all of them are there from before.

        The first chunk that is not there whole is cut off; from then on it is `None`.
        """
        if not self._reading:
            return None
        start = self._file.tell()
        lines = self._member() if self.path.suffix == ".gz" else self._lines(count)
        if len(lines) == count and lines[-1].endswith(b"\n"):
            return lines
        self._reading = False
        self._file.truncate(start)
        return None

    def _lines(self, count):
        return [self._file.readline() for _ in range(count)]

    def _member(self):
        """Lines of the next gzip member, none of a torn one."""
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
        """Appends a chunk of lines, strings without line ends."""
        chunk = "".join(f"{line}\n" for line in lines).encode("utf-8")
        if self.path.suffix == ".gz":
            chunk = gzip.compress(chunk, mtime=0)
        try:
            self._file.write(chunk)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._not_written(error) from None

    def finish(self):
        """Gives the file its name."""
        if self._reading:  # lines that no text is left for
            self._file.truncate(self._file.tell())
        try:
            os.replace(self._part, self.path)
            self._settings_path.unlink(missing_ok=True)
        except OSError as error:
            raise self._not_written(error) from None
        self._close()

    def _not_written(self, error):
        return BadInput(
            f"Expected to write answers. Received: {error.strerror or error}. Free "
            "disk space, make the folder writable, or choose another with --output; "
            "go on with --resume.",
            self.path,
        )
