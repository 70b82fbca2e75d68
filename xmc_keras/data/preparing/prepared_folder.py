"""A folder of training data, written so that an interrupted program can resume."""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
from array import array
from pathlib import Path

import numpy as np

from xmc_keras.data.formats.document import one_space
from xmc_keras.data.label_texts import LABEL_TEXTS, LABEL_TITLES
from xmc_keras.data.preparing.check_place import check_place
from xmc_keras.data.preparing.written_labels import WrittenLabels
from xmc_keras.files.atomic_files import replace_folder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import DIGESTS, write_digests
from xmc_keras.files.disk_error import DiskError
from xmc_keras.files.path_lock import PathLock
from xmc_keras.files.text_file import position
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.labels.vocabulary import Vocabulary

PARTS = ("train", "test")
KINDS = ("texts", "labels", "filter", "groups")  # files with one line per document
FINISHED = ("renamed_labels.tsv", LABEL_TEXTS, LABEL_TITLES, "summary.json", DIGESTS)


class PreparedFolder:
    """Writes documents in the project's format and collects statistics.

    The files are written to `<path>.part/`. `keep` saves the progress, from which an
    interrupted program resumes; `finish` renames the folder. In memory are the label
    names and 8 bytes per document.

    A newline in a text becomes a space, and white space in a label an underscore. If
    the resulting label name is taken, a `~` is appended. `renamed_labels.tsv` lists the
    labels that were changed: the written name, a tab, the original name.

    Args:
        path: string or path of the folder.
        settings: dict for JSON. Everything that the documents depend on.
        resume: bool. Whether to continue an unfinished folder, if there is one.
            Defaults to `False`.
        overwrite: bool. Whether to delete an existing folder, finished or not. Defaults
            to `False`.

    Attributes:
        state: dict that `keep` saves: `parts_read`, the number of finished parts,
            `read`, the number of documents of the current part, and `bad_lines`, those
            of the finished parts.
        labels: `WrittenLabels`.
        words: dict from part to the number of words in its texts.
        vocabulary: `Vocabulary` of the labels, for `finish`. Empty at first.

    Raises:
        BadInput: the folder exists without `resume` or `overwrite`, the settings differ
            from those of the unfinished folder, another program writes it, or it cannot
            be written.
    """

    def __init__(self, path, settings, resume=False, overwrite=False):
        self.path, self.settings = Path(path), settings
        self.state = {"parts_read": 0, "read": 0, "bad_lines": {}}
        self.words, self.vocabulary = dict.fromkeys(PARTS, 0), Vocabulary()
        # Number of documents of each label, in an array that can grow.
        self._counts = {part: array("q") for part in PARTS}
        self.labels, self._num_saved = WrittenLabels(), 0  # names saved by `keep`
        self._files, self._sizes, self._digests = {}, {}, {}
        self._hashes = {}  # SHA-256 of each file so far
        self._lock = PathLock(self.path, "for data", "target")
        self._lock.acquire()
        try:
            self.part = self.path.with_name(f"{self.path.name}.part")
            check_place(self.path, self.part, resume, overwrite)
            self.part.mkdir(parents=True, exist_ok=True)
            # What a `finish` that was killed has left; `_open` truncates the others.
            for name in FINISHED if resume else (*FINISHED, "state.npz"):
                (self.part / name).unlink(missing_ok=True)
            self._restore()
            self._open()
        except OSError as error:
            self._release()
            raise self._disk_error(error) from None
        except BaseException:
            self._release()
            raise

    def add(self, part, documents):
        """Appends documents to a part.

        Args:
            part: string, `"train"` or `"test"`.
            documents: iterable of `Document`.
        """
        texts, labels, filtered, groups, hashes = [], [], [], [], []
        counts = self._counts[part]
        ids, written = self.labels.ids, self.labels.written
        blake2b = hashlib.blake2b
        for text, all_names, _, filtered_of, group in documents:
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
            groups.append(group if part == "train" else "")
        for kind, lines in zip(KINDS, (texts, labels, filtered, groups)):
            self._write_lines(f"{part}_{kind}.txt", lines)
        self._write(f"{part}_hashes", b"".join(hashes))

    def _write_lines(self, name, lines):
        content = "".join([f"{line}\n" for line in lines])
        self._write(name, content.encode())

    def _new_label(self, name):
        for counts in self._counts.values():
            counts.append(0)
        return self.labels.add(name)

    def keep(self):
        """Saves the progress, from which `resume` continues."""
        names = self.labels.names(self._num_saved)
        lines = "".join(f"{json.dumps(name)}\n" for name in names)
        self._write("label_names", lines.encode())
        self._num_saved = len(self.labels)
        try:
            for file in self._files.values():
                file.flush()
            sizes = {n: position(f) for n, f in self._files.items() if n != "lock"}
            state = {
                **self.state,
                "settings": self.settings,
                "words": self.words,
                "sizes": sizes,
                "digests": {name: h.hexdigest() for name, h in self._hashes.items()},
            }
            new = self.part / "state.npz.new"
            with open(new, "wb") as file:
                np.savez(file, state=json.dumps(state), **self.label_counts())
            os.replace(new, self.part / "state.npz")
        except OSError as error:
            raise self._disk_error(error) from None

    def label_counts(self):
        """Number of documents of each label, a dict from part to int64 (labels,)."""
        return {part: np.array(c, np.int64) for part, c in self._counts.items()}

    def hashes(self, part):
        """Hashes of the texts of a part, uint64 (documents,)."""
        file = self._files[f"{part}_hashes"]
        try:
            file.flush()
        except OSError as error:
            raise self._disk_error(error) from None
        return np.fromfile(file.name, np.uint64)

    def finish(self, summary):
        """Writes `summary.json` and renames the folder to `path`.

        Args:
            summary: dict for JSON.
        """
        self._close_files()
        try:
            # Deleted first: once it is gone, the folder cannot be resumed.
            (self.part / "state.npz").unlink(missing_ok=True)
            for name in ("label_names", *(f"{part}_hashes" for part in PARTS)):
                (self.part / name).unlink(missing_ok=True)
            for part, kind in itertools.product(PARTS, KINDS):
                path = self.part / f"{part}_{kind}.txt"
                if not _has_content(path):  # no such part, or nothing is filtered
                    path.unlink()
            if renamed := self.labels.renamed():
                lines = "".join(f"{new}\t{one_space(old)}\n" for new, old in renamed)
                (self.part / "renamed_labels.tsv").write_bytes(lines.encode())
            known = dict(zip(self.labels.ids, self.labels.written))
            found = {LABEL_TEXTS: self.vocabulary.texts}
            found[LABEL_TITLES] = self.vocabulary.titles
            for name, texts in found.items():
                rows = [f"{w}\t{texts[n]}\n" for n, w in known.items() if n in texts]
                if rows:
                    (self.part / name).write_bytes("".join(rows).encode())
            text = json.dumps(summary, indent=2) + "\n"
            (self.part / "summary.json").write_text(text, encoding="utf-8")
            digests = {name: h.hexdigest() for name, h in self._hashes.items()}
            written = {file.name for file in self.part.iterdir()}
            names = sorted(written & set(digests))
            write_digests(self.part, {name: digests[name] for name in names})
            replace_folder(self.part, self.path)
        except (OSError, DiskError) as error:
            raise self._disk_error(error) from None
        self._lock.release()

    def discard(self):
        """Makes `close` delete the unfinished folder."""
        (self.part / "state.npz").unlink(missing_ok=True)

    def close(self):
        """Closes the unfinished folder; deletes it if `keep` was never called."""
        self._close_files()
        if not (self.part / "state.npz").exists():
            shutil.rmtree(self.part, ignore_errors=True)
        self._lock.release()

    def _release(self):
        self._close_files()
        self._lock.release()

    def _close_files(self):
        # An error here, such as a full disk, is harmless: `keep` has raised it, or the
        # content will be written again.
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()

    def _write(self, name, content):
        bom = content.startswith("\ufeff".encode())
        try:
            if bom and position(self._files[name]) == 0:
                content = b" " + content  # so that it is not read as one
            self._files[name].write(content)
        except OSError as error:
            raise self._disk_error(error) from None
        self._hashes[name].update(content)

    def _disk_error(self, error):
        return DiskError.of(error, self.part).resumable()

    def _restore(self):
        path = self.part / "state.npz"
        if not path.exists():
            return
        try:
            with np.load(path) as saved:
                state = json.loads(str(saved["state"]))
                counts = {part: array("q", saved[part].tobytes()) for part in PARTS}
            settings, self._sizes = state.pop("settings"), state.pop("sizes")
            self._digests = state.pop("digests")
            self.words = state.pop("words")
            names = (self.part / "label_names").read_bytes()
            for line in names[: self._sizes["label_names"]].splitlines():
                self._new_label(json.loads(line))
        except UNREADABLE:
            raise self._resume_error("Received: a damaged state") from None
        changed = [
            f"{key} was {settings.get(key)}, is {self.settings.get(key)}"
            for key in {**settings, **self.settings}
            if self.settings.get(key) != settings.get(key)
        ]
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise self._resume_error(f"Received: {'; '.join(changed[:3])}{more}")
        self._counts, self._num_saved, self.state = counts, len(self.labels), state

    def _open(self):
        lines = [f"{part}_{kind}.txt" for part in PARTS for kind in KINDS]
        for name in (*lines, *(f"{part}_hashes" for part in PARTS), "label_names"):
            file = self._files[name] = open(self.part / name, "ab")
            size = self._sizes.get(name, 0)
            if position(file) < size:
                raise self._resume_error(f"Received: {name} of less than {size} bytes")
            file.truncate(size)  # drops what was written after the last `keep`
            with open(self.part / name, "rb") as written:
                self._hashes[name] = hashlib.file_digest(written, "sha256")
            if size and self._hashes[name].hexdigest() != self._digests[name]:
                raise self._resume_error(f"Received: {name} of other content")

    def _resume_error(self, received):
        return BadInput(
            "Expected the data and settings with which the folder was begun. "
            f"{received}.",
            self.part,
            remedy="Start over with `overwrite=True`.",
        )


def _has_content(path):
    with open(path, "rb") as file:
        return any(line.strip() for line in file)
