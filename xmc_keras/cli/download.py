"""Gets a benchmark set of the paper and checks it, or checks one that is here.

    python trainers/download.py eurlex4k
    python trainers/download.py amazon670k --check data/Amazon-670K

NAME is eurlex4k, wiki31k, amazoncat13k, wiki500k or amazon670k, as in configs/. The
archive comes from PECOS's collection at archive.org, which has texts, labels and label
names of the same documents; it goes to data/downloads, and from there as texts and
labels to the folder that the recipe names. Started again it goes on where it was
stopped.

The check compares documents, labels and labels a document with Table 2 of the paper:
the numbers of documents have to be the same, documents that cannot be used among them;
the others may be 1 % apart, because copies of the sets differ in labels that have no
document. --check reads a folder in any format that prepare.py knows, such as the one
that AttentionXML publishes.
"""

import gzip
import logging
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.prepare import make
from xmc_keras.cli.program import command_parser
from xmc_keras.data.downloads.benchmark_sets import REPOSITORY, SETS
from xmc_keras.data.downloads.fetch import fetch
from xmc_keras.data.formats.document import BadLines
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.preparing.prepared_folder import PARTS, PreparedFolder

logger = logging.getLogger("download")

WANTED = ("X.trn.txt", "Y.trn.npz", "X.tst.txt", "Y.tst.npz", "output-items.txt")
APART = 0.01  # of numbers of labels


def main(argv=None):
    parser = command_parser("download", __doc__)
    parser.add_argument("name", choices=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--data", default="data", help="the folder of data sets (data)")
    parser.add_argument("--check", metavar="FOLDER", help="check it, get nothing")
    args = parser.parse_args(argv)
    wanted = SETS[args.name]
    if args.check:
        compare(wanted, counted(args.check), args.check)
        return logger.info("%s has the documents and labels of the paper", args.check)
    target = Path(args.data, wanted.folder)
    if target.exists():
        raise BadInput(
            "Expected no folder of this set yet. Received: one. Check it with --check, "
            "or remove it.",
            target,
        )
    downloads = Path(args.data, "downloads")
    archive = downloads / f"{wanted.archive}.tar.gz"
    remedy = (
        f"get the file by other means and put it at {archive}, or take the folder "
        f"that AttentionXML publishes ({wanted.other_url}; see also {REPOSITORY}), "
        f"unpack it to {target} and check it with --check {target}."
    )
    fetch(wanted.url, archive, remedy)
    source = downloads / wanted.archive
    unpack(archive, source)
    bad_lines = {part: BadLines() for part in PARTS}
    readers = find_parts(source, "pecos", skip=bad_lines.get)
    # What was begun of the same archive is gone on with.
    size = archive.stat().st_size
    folder = PreparedFolder(
        target, {"archive": f"{archive}, {size} bytes"}, resume=True
    )
    summary = make(folder, readers, bad_lines)
    compare(wanted, summary, target)
    logger.info(
        "It is as in the paper: python trainers/fit.py configs/%s.yaml", args.name
    )


def unpack(archive, folder):
    """Takes the files that are needed out of an archive, if they are not there yet."""
    if folder.exists():
        return
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with gzip.open(archive) as raw:
            # One after the other: an archive of many GB is read once.
            with tarfile.open(fileobj=raw, mode="r|") as members:
                for member in members:
                    name = Path(member.name).name
                    if name in WANTED and member.isfile():
                        with open(part / name, "wb") as file:
                            shutil.copyfileobj(members.extractfile(member), file)
            while raw.read(2**20):  # to the checksum at the end
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise BadInput(
            f"Expected a whole archive. Received: {error}. Remove it and start again.",
            archive,
        ) from None
    missing = [name for name in WANTED if not (part / name).exists()]
    if missing:
        raise BadInput(
            f"Expected {', '.join(WANTED)} in it. Received: no {', '.join(missing)}.",
            archive,
        )
    os.replace(part, folder)


def counted(folder):
    """What `compare` needs of a folder in any format."""
    bad_lines = {part: BadLines() for part in PARTS}
    readers = find_parts(folder, find_format(folder), skip=bad_lines.get)
    found, names = {}, set()
    for part, reader in readers.items():
        documents = labels = 0
        for document in reader:
            documents += 1
            labels += len(set(document.labels))
            names.update(document.labels)
        found[part] = {
            "documents": documents,
            "bad_lines": bad_lines[part].count,
            "labels_a_document": labels / max(1, documents),
        }
    return found | {"labels": len(names)}


def compare(wanted, found, folder):
    """Raises BadInput where a set is not that of the paper."""
    rows, wrong = [], []
    for part, expected in (("train", wanted.train), ("test", wanted.test)):
        figures = found.get(part, {"documents": 0, "bad_lines": 0})
        count = figures["documents"] + figures["bad_lines"]
        rows.append((f"documents of the {part} part", expected, count, 0))
    rows.append(("labels", wanted.labels, found["labels"], APART))
    mean = found.get("train", {}).get("labels_a_document", 0)
    rows.append(("labels a document", wanted.labels_a_document, round(mean, 2), APART))
    for name, expected, count, apart in rows:
        logger.info("%s: %s, in the paper %s", name, f"{count:,}", f"{expected:,}")
        if abs(count - expected) > apart * expected:
            wrong.append(f"{count:,} {name}, not {expected:,}")
    if wrong:
        raise BadInput(
            f"Expected the set of the paper (Table 2). Received: {'; '.join(wrong)}. "
            "Give the folder of the same set, unchanged.",
            folder,
        )
