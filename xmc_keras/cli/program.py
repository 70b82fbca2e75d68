"""What the command-line programs share: messages and exit status.

The one file of the library that speaks to a terminal.
"""

import logging
import os
import sys

# Said before TensorFlow is imported: it reports a missing GPU as an error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from xmc_keras.bad_input import BadInput


def run(main):
    """Calls `main()`; bad input ends it with one sentence and status 2."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("absl", "tensorflow", "httpx", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Label names and texts are UTF-8, whatever the terminal's language.
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        main()
    except BadInput as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
