"""The error that bad input raises."""


class BadInput(ValueError):
    """Input from outside (a file, a config, an argument) cannot be used.

    The message says what was expected and what was received; the remedy says what to
    do. A remedy names arguments and functions of Python in backticks. The `xmc`
    program prints the error as one sentence, with its own options instead, and exits
    with status 2.

    Args:
        message: string. What was expected and what was received.
        path: optional string or path. The file at fault.
        line: optional integer. Line of that file, counted from 1.
        remedy: optional string. What to do, such as "Pass `overwrite=True`."

    Example:

    >>> str(BadInput("Expected a label.", "train_labels.txt", 3))
    'train_labels.txt:3: Expected a label.'
    >>> error = BadInput("Received: a run.", remedy="Pass `overwrite=True`.")
    >>> str(error), error.word({"Pass `overwrite=True`": "Use --overwrite"})
    ('Received: a run. Pass `overwrite=True`.', 'Received: a run. Use --overwrite.')
    """

    def __init__(self, message, path=None, line=None, remedy=None):
        self.message, self.path, self.line, self.remedy = message, path, line, remedy
        super().__init__(self.word({}))

    def word(self, words):
        """The whole text, with phrases of the remedy replaced.

        Args:
            words: dictionary from phrases of remedies to what takes their place.
        """
        remedy = self.remedy and replace_words(self.remedy, words)
        place = "" if self.path is None else f"{self.path}: "
        if self.path is not None and self.line is not None:
            place = f"{self.path}:{self.line}: "
        return place + " ".join(filter(None, (self.message, remedy)))

    def at(self, path):
        """The same error, of this file if it names none."""
        if self.path is not None:
            return self
        return type(self)(self.message, path, self.line, self.remedy)


def replace_words(text, words):
    """Replaces phrases in a text.

    Args:
        text: string.
        words: dictionary from phrases to what takes their place.

    Example:

    >>> replace_words("Give `test`.", {"`test`": "--test"})
    'Give --test.'
    """
    for phrase, other in words.items():
        text = text.replace(phrase, other)
    return text
