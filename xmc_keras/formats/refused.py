"""What becomes of a document that cannot be used."""

from xmc_keras.bad_input import BadInput

REMEDY = "Mend the line, or use --skip-bad-lines to leave such documents out."


def refused(skip, message, path, line):
    """Hands a `BadInput` to `skip`, or raises it.

    Args:
        skip: optional callable, that counts what is left out; None raises.
        message: string. What was expected and received.
        path, line: where.

    Raises:
        BadInput: `skip` is None.

    Example:

    >>> refused(print, "Expected a text. Received: none.", "train.csv", 7)
    train.csv:7: Expected a text. Received: none. Mend the line, or use
    --skip-bad-lines to leave such documents out.
    """
    error = BadInput(f"{message} {REMEDY}", path, line)
    if skip is None:
        raise error
    skip(error)


def usable(text, labels, skip, path, line):
    """Whether a document has a text and a label that UTF-8 can hold.

    Args:
        text: string.
        labels: list of strings.
        skip, path, line: as of `refused`, which is told of one that has not.

    Example:

    >>> usable("sea", ["blue"], None, "train.csv", 1)
    True
    >>> usable(" ", ["blue"], lambda error: None, "train.csv", 2)
    False
    """
    if not text or text.isspace():
        problem = "Expected a text. Received: none."
    elif not labels:
        problem = "Expected labels. Received: none."
    elif not (_is_unicode(text) and all(map(_is_unicode, labels))):
        problem = "Expected Unicode. Received: half of a surrogate pair."
    else:
        return True
    refused(skip, problem, path, line)
    return False


def _is_unicode(text):
    # Nothing but a lone surrogate, which JSON can spell, cannot be encoded.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
