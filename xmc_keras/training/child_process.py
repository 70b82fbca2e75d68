"""Processes that end with the one that started them."""

import os
import signal
import threading
import time

GRACE = 10  # seconds in which a process that is interrupted ends


def end_with_parent():
    """Lets this process end with its parent, which holds the other end of its input."""
    # A program that a shell starts in the background ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input():
    """Ends the process once its input is closed, also by the death of the other."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(130)
