"""Tick labels of a logarithmic axis."""

from matplotlib.ticker import LogFormatter


class LogNumbers(LogFormatter):
    """Plain numbers, `6,000` instead of 6 x 10^3, at the ticks that have room for them.

    >>> from matplotlib.figure import Figure
    >>> axis = Figure().subplots()
    >>> axis.set_yscale("log")
    >>> LogNumbers.apply_to(axis.yaxis)
    >>> axis.yaxis.get_major_formatter()(1000)
    '1,000'
    """

    @classmethod
    def apply_to(cls, axis):
        """Sets the formatter of a logarithmic matplotlib `Axis`."""
        axis.set_major_formatter(cls())
        axis.set_minor_formatter(cls())

    def __call__(self, x, pos=None):
        if not super().__call__(x, pos):
            return ""
        return f"{x:,.0f}" if x >= 1 else f"{x:g}"
