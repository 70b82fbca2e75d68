"""A folder of training data that grows beside its place and survives a kill."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import zipfile
from array import array
from pathlib import Path

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.document import one_space
from xmc_keras.data.preparing.check_place import check_place
from xmc_keras.data.preparing.written_labels import WrittenLabels
from xmc_keras.files.atomic_files import replace_folder

PARTS = ("train", "test")
KINDS = ("texts", "labels", "filter")  # files of lines, in the order of documents


class PreparedFolder:
    """Documents written as the project reads them, with what a summary needs of them.

    They go to `<path>.part/`. `keep` writes down how far it has come, so that a program
    that was killed goes on from there; `finish` renames the folder. What is in memory
    is 8 bytes a document and the names of the labels.

    A newline in a text becomes a space, white space in a label an underscore; a label
    whose name is then taken already gets a `~` behind. Labels that were changed are in
    `renamed_labels.tsv`: the name as it is written, a tab, the name as it was.

    Args:
        path: string or path of the folder.
        settings: dictionary for JSON, what the documents depend on.
        resume: bool. Go on with the unfinished folder, if there is one.
        overwrite: bool. Drop what is there, finished or not.

    Attributes:
        state: dictionary that `keep` writes down: `parts_read`, that are done with,
            `read`, documents of the one that is not, and `bad_lines` of those that are.

    Raises:
        BadInput: something is there and neither `resume` nor `overwrite`, the settings
            are not those it was begun with, another program writes it, or it cannot
            be written.
    """

    def __init__(self, path, settings, resume=False, overwrite=False):
        self.path, self.settings = Path(path), settings
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.state = {"parts_read": 0, "read": 0, "bad_lines": {}}
        self.words = dict.fromkeys(PARTS, 0)
        # Documents of each label id: an array that can grow.
        self._counts = {part: array("q") for part in PARTS}
        self.labels, self._kept = WrittenLabels(), 0  # those in `label_names` by now
        self._files, self._sizes = {}, {}
        check_place(self.path, self.part, resume, overwrite)
        try:
            self.part.mkdir(parents=True, exist_ok=True)
            self._lock()
            if not resume:
                (self.part / "state.npz").unlink(missing_ok=True)
            self._restore()
            self._open()
        except OSError as error:
            self._close_files()
            raise self._not_written(error) from None
        except BadInput:
            self._close_files()
            raise

    def add(self, part, documents):
        """Writes documents, an iterable of `Document`, to `part`."""
        texts, labels, filtered, hashes = [], [], [], []
        counts = self._counts[part]
        ids, written = self.labels.ids, self.labels.written
        blake2b = hashlib.blake2b
        for text, all_names, _, filtered_of in documents:
            if "\n" in text or text[-1] == "\r":
                text = text.replace("\r\n", "\n").replace("\n", " ").rstrip("\r")
            texts.append(text)
            hashes.append(blake2b(text.encode(), digest_size=8).digest())
            self.words[part] += len(text.split())
            names = []
            for name in dict.fromkeys(all_names):
                number = ids.get(name)
                if number is None:
                    number = self._new_label(name)
                counts[number] += 1
                names.append(written[number])
            labels.append(" ".join(names))
            numbers = [ids[n] if n in ids else self._new_label(n) for n in filtered_of]
            filtered.append(" ".join(written[number] for number in numbers))
        for kind, lines in zip(KINDS, (texts, labels, filtered)):
            self._write_lines(f"{part}_{kind}.txt", lines)
        self._write(self._files[f"{part}_hashes"], b"".join(hashes))

    def _write_lines(self, name, lines):
        file = self._files[name]
        content = "".join([f"{line}\n" for line in lines])
        if file.tell() == 0 and content.startswith("\ufeff"):
            content = " " + content  # or it would be taken for a byte order mark
        self._write(file, content.encode())

    def _new_label(self, name):
        for counts in self._counts.values():
            counts.append(0)
        return self.labels.add(name)

    def keep(self):
        """Writes down how far it has come."""
        names = self.labels.names(self._kept)
        lines = "".join(f"{json.dumps(name)}\n" for name in names)
        self._write(self._files["label_names"], lines.encode())
        self._kept = len(self.labels)
        try:
            for file in self._files.values():
                file.flush()
            sizes = {n: f.tell() for n, f in self._files.items() if n != "lock"}
            state = {
                **self.state,
                "settings": self.settings,
                "words": self.words,
                "sizes": sizes,
            }
            beside = self.part / "state.npz.new"
            with open(beside, "wb") as file:
                np.savez(file, state=json.dumps(state), **self.label_counts())
            os.replace(beside, self.part / "state.npz")
        except OSError as error:
            raise self._not_written(error) from None

    def label_counts(self):
        """Dictionary from part to int64 array (labels,), documents of each label."""
        return {part: np.array(c, np.int64) for part, c in self._counts.items()}

    def hashes(self, part):
        """uint64 array (documents,), of the texts of a part."""
        file = self._files[f"{part}_hashes"]
        file.flush()
        return np.fromfile(file.name, np.uint64)

    def finish(self, summary):
        """Renames the folder to its place, with `summary` in `summary.json`."""
        self._close_files()
        try:
            # First, because without it the files are no longer gone on with.
            (self.part / "state.npz").unlink(missing_ok=True)
            for name in ("label_names", "lock", *(f"{part}_hashes" for part in PARTS)):
                (self.part / name).unlink(missing_ok=True)
            for part, kind in itertools.product(PARTS, KINDS):
                path = self.part / f"{part}_{kind}.txt"
                if not _says_something(path):  # no such part, or nothing filtered
                    path.unlink()
            if renamed := self.labels.renamed():
                lines = "".join(f"{new}\t{one_space(old)}\n" for new, old in renamed)
                (self.part / "renamed_labels.tsv").write_bytes(lines.encode())
            text = json.dumps(summary, indent=2) + "\n"
            (self.part / "summary.json").write_text(text, encoding="utf-8")
            replace_folder(self.part, self.path)
        except OSError as error:
            raise self._not_written(error) from None

    def close(self):
        """Leaves the folder for `--resume`, or removes it if nothing was kept yet."""
        self._close_files()
        if not (self.part / "state.npz").exists():
            shutil.rmtree(self.part, ignore_errors=True)

    def _close_files(self):
        # What is lost if a disk is full was told by `keep`, or will be written again.
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()

    def _write(self, file, content):
        try:
            file.write(content)
        except OSError as error:
            raise self._not_written(error) from None

    def _not_written(self, error):
        return BadInput(
            f"Expected to write the folder. Received: {error.strerror or error}. "
            "Choose another place, or make room and go on with --resume.",
            self.part,
        )

    def _lock(self):
        self._files["lock"] = open(self.part / "lock", "ab")
        try:
            fcntl.flock(self._files["lock"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                "Expected a folder that no program is writing. Received: one that is "
                "being written. Let that program end, or stop it.",
                self.part,
            ) from None

    def _restore(self):
        path = self.part / "state.npz"
        if not path.exists():
            return
        try:
            with np.load(path) as found:
                state = json.loads(str(found["state"]))
                counts = {part: array("q", found[part].tobytes()) for part in PARTS}
            settings, self._sizes = state.pop("settings"), state.pop("sizes")
            self.words = state.pop("words")
            names = (self.part / "label_names").read_bytes()
            for line in names[: self._sizes["label_names"]].splitlines():
                self._new_label(json.loads(line))
        except (ValueError, KeyError, zipfile.BadZipFile):
            raise self._unlike("Received: a damaged state") from None
        changed = [
            f"{key} was {settings.get(key)}, is {self.settings.get(key)}"
            for key in {**settings, **self.settings}
            if self.settings.get(key) != settings.get(key)
        ]
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise self._unlike(f"Received: {'; '.join(changed[:3])}{more}")
        self._counts, self._kept, self.state = counts, len(self.labels), state

    def _open(self):
        lines = [f"{part}_{kind}.txt" for part in PARTS for kind in KINDS]
        for name in (*lines, *(f"{part}_hashes" for part in PARTS), "label_names"):
            file = self._files[name] = open(self.part / name, "ab")
            size = self._sizes.get(name, 0)
            if file.tell() < size:
                raise self._unlike(f"Received: {name} of less than {size} bytes")
            file.truncate(size)  # what was written after the last `keep`

    def _unlike(self, received):
        return BadInput(
            f"Expected what the folder was begun with. {received}. Start anew with "
            "--overwrite.",
            self.part,
        )


def _says_something(path):
    with open(path, "rb") as file:
        return any(line.strip() for line in file)
