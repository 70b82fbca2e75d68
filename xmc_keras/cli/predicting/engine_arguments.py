"""What the commands share that predict by an export with another engine."""

import contextlib
import importlib
import logging
import re

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.engines.version_answers import check_asked, find_version


def log_answered(logger, count, bad, output):
    """Logs how many texts were answered, and how many lines were none."""
    logger.info("%d texts answered in %s", count, output)
    if bad:
        logger.warning("%d bad lines left out: they are not UTF-8", bad)


def add_engine_arguments(parser):
    """Adds the export, the texts, the output and what is asked for."""
    parser.add_argument("export", help="an export, for example exports/quickstart")
    parser.add_argument(
        "--input", metavar="FILES", required=True, help="texts, one per line"
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="the answers")
    parser.add_argument("-k", type=int, help="labels per text (those of the export)")
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="least score of a label (none)"
    )
    parser.add_argument(
        "--titles", action="store_true", help="titles of the labels, too"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier --output"
    )


def check_engine_arguments(args):
    """The version, and what is asked for: `(k, threshold, titles)`.

    Raises:
        BadInput: there is no version, or a value is out of range.
    """
    check_asked(args.k, args.threshold)
    return find_version(args.export), (args.k, args.threshold, args.titles)


def import_engine(module, package, log):
    """A module of `xmc_keras.serving.engines`.

    Args:
        module: string. Its name.
        package: string. What it needs, as PyPI calls it.
        log: string. The logger of that, which is silenced: what it logs of errors is in
            those that it raises.

    Raises:
        BadInput: its package is not installed.
    """
    logging.getLogger(log).setLevel(logging.CRITICAL)
    logging.disable(logging.WARNING)  # of parts that are not installed
    try:
        return importlib.import_module(f"xmc_keras.serving.engines.{module}")
    except ImportError as error:
        raise BadInput(
            f"Expected the package {package}. Received: none ({error}).",
            remedy="The documentation of this command has its environment.",
        ) from None
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def show_bad_input():
    """Raises the `BadInput` that a process of the engine has raised.

    An engine wraps it in an error of its own, with the traceback as text.
    """
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        found = re.search(r"xmc_keras\.files\.bad_input\.BadInput: (.+)", str(error))
        if found is None:
            raise
        # As a remedy, so that its words of Python are replaced.
        raise BadInput("", remedy=found[1].partition(" [while running")[0]) from None
