"""Progress of a program: a bar, or log messages, and signs of life."""

import contextlib
import logging
import sys
import threading
import time

logger = logging.getLogger(__name__)

# Time without a line after which `Heartbeat` gives one: less than half a minute, as
# code that holds Python's lock may keep it waiting.
QUIET_SECONDS = 20
LOG_SECONDS = 10  # minimum time between two messages
DRAW_SECONDS = 0.2  # minimum time between two drawings of the bar
WIDTH = 30  # characters of the bar


def format_seconds(seconds):
    """Human-readable duration.

    >>> format_seconds(42), format_seconds(600), format_seconds(7300)
    ('42 s', '10 min', '2 h 2 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Heartbeat(logging.Handler):
    """Logs what a program is doing whenever it has said nothing for a while.

    A context manager. Within it a thread looks for the time since the last line: of any
    logger, of a bar, or one that `saw_line` reports. After `seconds` of silence it logs
    the innermost `phase` and how long it has taken; outside of phases it is silent, so
    that a program may wait for input. The thread ends with the block, and a block
    within another one starts none. Times are monotonic.

    Args:
        seconds: optional float. Defaults to `QUIET_SECONDS`.

    Example:

    >>> with Heartbeat(), phase("Clustering the labels"):
    ...     [name for name, _ in Heartbeat.phases]
    ['Clustering the labels']
    """

    phases = []  # `(name, time of its begin)`, the innermost last
    running = None
    seen = 0.0  # time of the last line

    def __init__(self, seconds=None):
        super().__init__(logging.INFO)
        self.seconds = QUIET_SECONDS if seconds is None else seconds

    def __enter__(self):
        if Heartbeat.running is None:
            Heartbeat.running = self
            saw_line()
            logging.getLogger().addHandler(self)
            self._ended = threading.Event()
            self._thread = threading.Thread(
                target=self._watch, name="heartbeat", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(self, *error):
        if Heartbeat.running is self:
            Heartbeat.running = None
            logging.getLogger().removeHandler(self)
            self._ended.set()
            self._thread.join()

    def emit(self, record):
        saw_line()

    def _watch(self):
        left = self.seconds
        while not self._ended.wait(left):
            now = time.monotonic()
            left = Heartbeat.seen + self.seconds - now
            if left > 0:
                continue
            left = self.seconds
            # A copy: the main thread may end a phase at any time.
            for name, begun in self.phases[-1:]:
                logger.info("%s: %s so far", name, format_seconds(now - begun))
            saw_line()


def saw_line():
    """Notes that there was a line of output just now, for `Heartbeat`."""
    Heartbeat.seen = time.monotonic()


@contextlib.contextmanager
def phase(name):
    """Names what a `with` block does, for `Heartbeat`.

    Args:
        name: string, such as `"Clustering the labels"`.
    """
    depth = len(Heartbeat.phases)
    Heartbeat.phases.append((name, time.monotonic()))
    try:
        yield
    finally:
        del Heartbeat.phases[depth:]


class Pace:
    """Logs the rate and the time left from time to time.

    Args:
        share: optional callable. Returns the share of the input read so far; without
            it the time left is unknown.
        unit: string. The unit of the counts. Defaults to `"texts"`.

    Attributes:
        done: int. Units done, including those of an earlier start.
    """

    def __init__(self, share=None, unit="texts"):
        self._share, self._unit = share, unit
        self.done = 0
        self._start()

    def _start(self):
        self._before = self.done
        self._started = self._logged = time.monotonic()

    def skip(self, count):
        """Counts units done by an earlier start."""
        self.done += count
        self._start()

    def advance(self, count):
        """Counts units, and logs a message if the last one is old."""
        self.done += count
        now = time.monotonic()
        if now - self._logged < LOG_SECONDS:
            return
        self._logged = now
        rate = (self.done - self._before) / (now - self._started)
        left = ""
        if self._share is not None:
            rest = self.done / max(self._share(), 1e-9) - self.done
            left = f", about {format_seconds(rest / rate)} left"
        logger.info("%d %s, %.1f a second%s", self.done, self._unit, rate, left)


def draw_bar(share):
    """A bar of `WIDTH` characters, of which a share is full.

    >>> draw_bar(0.1)
    '[===                           ]'
    """
    return f"[{'=' * round(WIDTH * share):{WIDTH}}]"


def in_notebook():
    """Whether the program is a cell of a notebook: it runs in a kernel of Jupyter.

    >>> in_notebook()
    False
    """
    ipython = sys.modules.get("IPython")  # loaded by the kernel itself
    return hasattr(getattr(ipython, "get_ipython", lambda: None)(), "kernel")


class NotebookLine:
    """A line below the cell of a notebook that each `write` replaces.

    It is a display of IPython. A carriage return would leave the line, half done, above
    whatever a warning or a log message prints in between, and in a saved notebook.
    """

    def __init__(self):
        self._handle = None

    def write(self, line):
        """Shows a line, instead of the last one."""
        data = {"text/plain": line}
        if self._handle is None:
            display = sys.modules["IPython"].display.display
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
        saw_line()


class Bar:
    """Shows the rate and the time left: a bar on a terminal or in a notebook, or a log.

    Args:
        share: callable. Returns the share of the input read so far.
        unit: string. The unit of the counts. Defaults to `"documents"`.
        stream: optional text stream to draw on. Defaults to the notebook, or else to
            standard error.

    Attributes:
        done: int. Units done, including those of an earlier start.

    Example:

    >>> bar = Bar(lambda: 0.5)
    >>> bar.advance(100)
    >>> bar.done
    100
    """

    def __init__(self, share, unit="documents", stream=None):
        self._line = NotebookLine() if stream is None and in_notebook() else None
        self._share, self._stream = share, stream or sys.stderr
        self._unit = unit
        is_drawn = self._line or self._stream.isatty()
        self._pace = None if is_drawn else Pace(share, unit)
        self.done, self._counted = 0, 0
        self._started = self._drawn = time.monotonic()

    def skip(self, count):
        """Counts units done by an earlier start."""
        self.done += count
        if self._pace:
            self._pace.skip(count)

    def advance(self, count):
        """Counts units, and draws the bar if the last drawing is old."""
        self.done += count
        self._counted += count
        if self._pace:
            return self._pace.advance(count)
        if time.monotonic() - self._drawn >= DRAW_SECONDS:
            self._draw()

    def _draw(self):
        self._drawn = now = time.monotonic()
        saw_line()
        share = min(1.0, max(self._share(), 1e-9))
        rate = self._counted / (now - self._started)
        left = format_seconds((self.done / share - self.done) / rate)
        line = (
            f"{draw_bar(share)} {share:4.0%}  {self.done:,} {self._unit}, "
            f"{rate:,.0f} a second, {left} left"
        )
        if self._line:
            return self._line.write(line)
        self._stream.write(f"\r{line}   ")
        self._stream.flush()

    def end(self):
        """Ends the line of the bar, if there is one: with what is done in the end."""
        if self._pace or self._drawn == self._started:
            return
        self._draw()
        if not self._line:
            self._stream.write("\n")
