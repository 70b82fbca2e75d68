"""How many lines were left out, and why."""


class BadLines:
    """Counts the lines that are left out, and keeps what is wrong with the first.

    Hand one to a reader as `skip`.

    Attributes:
        count: int.
        first: optional `BadInput`.

    Example:

    >>> bad_lines = BadLines()
    >>> bad_lines(ValueError("one")), bad_lines(ValueError("two"))
    (None, None)
    >>> bad_lines.count, str(bad_lines.first)
    (2, 'one')
    """

    def __init__(self):
        self.count, self.first = 0, None

    def __call__(self, error):
        self.count += 1
        self.first = self.first or error
