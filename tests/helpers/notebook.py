"""A notebook as far as IPython's displays go: what stands below a cell."""

import sys
import types


class Notebook:
    """Stands in for the kernel of a notebook while a test runs.

    Attributes:
        lines: list of strings. The displays below the cell, as they are now.
        writes: int. How often one was shown or replaced.
    """

    def __init__(self, monkeypatch):
        self.lines, self.writes = [], 0
        shell = types.SimpleNamespace(kernel=object())
        ipython = types.ModuleType("IPython")
        ipython.get_ipython = lambda: shell
        ipython.version_info = 9, 0  # which matplotlib reads
        ipython.display = types.ModuleType("IPython.display")
        ipython.display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)

    def display(self, data, *, raw, display_id):
        """`IPython.display.display` of a dictionary by media type, with a new id."""
        assert raw is True and display_id is True
        place = len(self.lines)
        self.lines.append(None)

        def update(data, *, raw):
            assert raw is True and set(data) == {"text/plain"}
            self.lines[place] = data["text/plain"]
            self.writes += 1

        update(data, raw=True)
        return types.SimpleNamespace(update=update)
