"""The one error that bad input raises."""


class BadInput(ValueError):
    """Input from outside (a file, a config, a command line) is not usable.

    Programs print the message as one sentence and exit with status 2.

    Args:
        message: string. What was expected, what was received, what to do.
        path: optional string or path. The file that is at fault.
        line: optional integer. Line in that file, counted from 1.

    Example:

    >>> str(BadInput("Expected a label.", "train_labels.txt", 3))
    'train_labels.txt:3: Expected a label.'
    """

    def __init__(self, message, path=None, line=None):
        place = "" if path is None else f"{path}: "
        if path is not None and line is not None:
            place = f"{path}:{line}: "
        super().__init__(place + message)
