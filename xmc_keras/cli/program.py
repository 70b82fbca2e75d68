"""The `xmc` program: its commands, messages and exit status."""

import argparse
import contextlib
import difflib
import importlib
import logging
import os
import sys
import tempfile

# Set before TensorFlow is imported, which reports a missing GPU as an error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def set_home():
    """Sets HOME where there is none, as in a container with a user id of its own.

    Libraries that keep settings and downloads there would fail, or make a folder `~`.
    """
    if os.path.isabs(os.path.expanduser("~")):
        return
    home = os.path.join(tempfile.gettempdir(), f"xmc-keras-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(home, 0o700)
    if os.lstat(home).st_uid != os.getuid():
        home = tempfile.mkdtemp(prefix="xmc-keras-")
    os.environ["HOME"] = home


set_home()

from xmc_keras import __version__  # noqa: E402
from xmc_keras.files.bad_input import BadInput  # noqa: E402
from xmc_keras.files.disk_error import REMEDIES, DiskError  # noqa: E402
from xmc_keras.ops.distribution.lost_workers import LostWorkers  # noqa: E402
from xmc_keras.progress import Heartbeat, phase  # noqa: E402

# Each command is a module of this folder; the descriptions are for `xmc --help`.
COMMANDS = {
    "download": "download a benchmark set of the papers and check it",
    "prepare": "convert CSV, JSON, Parquet and other data to a data folder",
    "plan": "estimate the memory, disk space and steps of a run",
    "fit": "train LightXML or LightDXML by a recipe",
    "launch": "train with several processes of this machine",
    "evaluate": "compute P@k, nDCG@k, PSP@k and recall@k of a run",
    "predict": "predict label names and scores for texts",
    "beam-predict": "predict on many machines by an export, with Apache Beam",
    "spark-predict": "predict on many machines by an export, with Apache Spark",
    "ensemble": "evaluate several runs as one model",
    "sweep": "train and compare several recipes, or search for better values",
    "add-labels": "add labels to a run, from a few documents or descriptions",
    "remove-labels": "remove labels from a run",
    "rename-labels": "rename labels of a run",
    "learn": "learn corrections, documents with their right labels",
    "report": "write an HTML report on one or more runs",
    "export": "export a run as a SavedModel for TensorFlow Serving",
    "serve": "serve an exported model over REST and gRPC",
    "ask": "ask a server for label names and scores",
}

# Commands whose modules are in a folder of their own.
FOLDERS = {
    "download": "data",
    "prepare": "data",
    "predict": "predicting",
    "beam-predict": "predicting",
    "spark-predict": "predicting",
    "ensemble": "several_runs",
    "sweep": "several_runs",
    "add-labels": "changes",
    "remove-labels": "changes",
    "rename-labels": "changes",
    "learn": "changes",
}

# Commands that wait for requests, input or other programs: only the phases that they
# name themselves are worth a line in the log.
WAITING = (
    "serve",
    "ask",
    "predict",
    "beam-predict",
    "spark-predict",
    "sweep",
    "launch",
)

# Phrases in the remedies of `BadInput`, and how the command line words them.
WORDS = {
    "pass `skip_bad_lines=True`": "use --skip-bad-lines",
    "pass `quotes=False`": "use --no-quotes",
    "where it is with `data`": "where it is with --data",
    "another `output`": "another with --output",
    "another place with `output`": "another place with --output",
    "another `run`": "another with --run",
    "another `runs`": "another with --runs",
    "another `data`": "another with --data",
    "another `target`": "another target",
    "another `folder`": "another folder",
    "another `corrections`": "another with --corrections",
    "as `folder`": "as the last argument",
    "another `grpc_port` or `host`": "another with --grpc-port or --host",
    "another `rest_port` or `host`": "another with --rest-port or --host",
    "another `grpc_port`": "another with --grpc-port",
    "another `uri_prefix`": "another with --uri-prefix",
    "Choose another `name`": "Choose one with --name",
    "name its `format`": "name it with --format",
    "Name its `format`": "Name it with --format",
    "Leave out `version`": "Leave --version out",
    "Give `num_features`": "Give --features",
    "`fit` and `resume=True`": "xmc fit --resume",
    "`any_memory=True` starts": "--any-memory starts",
    "`make_plan` has": "xmc plan has",
    "weigh the runs equally": "leave --weights out",
    "`skip_bad_lines=True`": "--skip-bad-lines",
    "`overwrite=True`": "--overwrite",
    "`score`": "--score",
    "`shard_labels`": "--shard-labels",
    "`share`": "--share",
    "`workers`": "--workers",
    "`titles`": "--titles",
    "`model`": "--model",
    "`weights`": "--weights",
    "`resume=True`": "--resume",
    "`check_set`": "--check",
    "Leave out `test_share`": "Leave --test-share out",
    "pass `header=False`": "use --no-header",
    "pass `delimiter`": "use --delimiter",
    "`text_column`": "--text-column",
    "`group_column`": "--group-column",
    "`label_column`": "--label-column",
    "`label_separator`": "--label-separator",
    "`delimiter`": "--delimiter",
    "`header=False`": "--no-header",
    "`quotes=False`": "--no-quotes",
    "`uris=True`": "--uris",
    "`label_language`": "--label-language",
    "`prefix`": "--prefix",
    "`labels`": "--labels",
    "`format`": "--format",
    "`test`": "--test",
    "Give them as `groups`": "Put them into a file of the data",
    "Give them as `label_texts`": "Put them into label_texts.txt",
    "`label_texts`": "--label-texts",
    "`describe_config` lists": "xmc fit --help lists",
    "`prepare_data`": "xmc prepare",
    "`download_set`": "xmc download",
    "`learn`": "xmc learn",
    "`export`": "xmc export",
    "`fit`": "xmc fit",
}


def main(argv=None):
    """Runs a command: `xmc fit configs/quickstart.yaml`.

    Args:
        argv: optional list of strings. The command and its arguments. Defaults to
            those of the command line.
    """
    argv = sys.argv[1:] if argv is None else argv
    command = argv[0] if argv else "--help"
    if command in ("-h", "--help"):
        run(print, help_text())
    elif command == "--version":
        run(print, f"xmc-keras {__version__}")
    elif command in COMMANDS:
        waits = command in WAITING
        with contextlib.nullcontext() if waits else phase(f"xmc {command}"):
            run(importlib.import_module(find_module(command)).main, argv[1:])
    else:
        close = difflib.get_close_matches(command, COMMANDS, 1)
        hint = f"Did you mean {close[0]}?" if close else "See xmc --help."
        end_with_error(
            BadInput(
                f"Expected one of the commands {', '.join(COMMANDS)}. Received: "
                f"{command}.",
                remedy=hint,
            )
        )


def find_module(command):
    """The module of a command.

    >>> find_module("add-labels")
    'xmc_keras.cli.changes.add_labels'
    """
    parts = FOLDERS.get(command), command.replace("-", "_")
    return ".".join(["xmc_keras.cli", *filter(None, parts)])


def help_text():
    """The text of `xmc --help`."""
    commands = "\n".join(f"  {name:15}{help}" for name, help in COMMANDS.items())
    return (
        "usage: xmc [-h] [--version] command ...\n\n"
        "Extreme multi-label text classification in Keras 3.\n\n"
        f"commands:\n{commands}\n\n"
        "xmc COMMAND --help describes a command and its options."
    )


def command_parser(command, description, epilog=None):
    """Makes the `ArgumentParser` of a command, which keeps line breaks in texts."""
    return argparse.ArgumentParser(
        prog=f"xmc {command}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(main, *arguments):
    """Calls `main(*arguments)`; bad input ends the program with status 2."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("absl", "tensorflow", "httpx", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Label names and texts are UTF-8, whatever the terminal's encoding.
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with Heartbeat():
            main(*arguments)
        sys.stdout.flush()
    except BadInput as error:
        end_with_error(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the output has gone; nothing more can be written.
        discard(sys.stdout)
        sys.exit(141)
    except OSError as error:
        # What writes files raises `BadInput`: this is a path that cannot be looked at,
        # or what the program prints.
        if error.filename is not None:
            received = f"Expected a path that can be used. Received: {error.strerror}."
            remedy = REMEDIES.get(error.errno, "Choose another one.")
            end_with_error(BadInput(received, error.filename, remedy=remedy))
        if error.errno in REMEDIES:
            end_with_error(DiskError.of(error, "standard output"))
        raise
    except SystemExit:
        if not flush(sys.stdout):
            sys.exit(2)
        raise


def end_with_error(error):
    """Prints a `BadInput` as one sentence and ends with status 2."""
    flush(sys.stdout)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"error: {error.word(WORDS)}\n")
    flush(sys.stderr)
    if isinstance(error, LostWorkers):
        # Threads of TensorFlow would complain of what they have lost.
        os._exit(2)
    sys.exit(2)


def flush(stream):
    """Flushes a stream; returns False if it cannot be written, and discards the rest.

    Otherwise Python would try it again at its end, and print a traceback.
    """
    try:
        stream.flush()
    except OSError:
        discard(stream)
        return False
    return True


def discard(stream):
    """Sends what is written to a stream nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
