"""A correction, as the page sends it."""

import datetime

from xmc_keras.serving.server.serving_error import ServingError

# Fields in the order of the file's lines; all but the first two are optional.
FIELDS = ("text", "labels", "model", "version", "id")
LONGEST = 1000  # characters of the optional ones


def read_correction(found):
    """The correction in a JSON object, with the time in UTC.

    Args:
        found: dictionary.

    Raises:
        ServingError: there is no text, no label, or one that cannot be a label.

    Example:

    >>> found = read_correction({"text": "A puzzle", "labels": ["game", "game"]})
    >>> found["text"], found["labels"]
    ('A puzzle', ['game'])
    """
    text, labels = found.get("text"), found.get("labels")
    if not isinstance(text, str) or not text.strip() or not _is_unicode(text):
        raise _error('a string "text" of valid Unicode, not blank', text)
    if not isinstance(labels, list) or not labels:
        # Readers of documents refuse those without labels.
        raise _error('a list "labels" with at least one label', labels)
    for label in labels:
        if not _is_label(label):
            raise _error("label names without white space around them", label)
    correction = {"text": text, "labels": list(dict.fromkeys(labels))}
    for field in FIELDS[2:]:
        value = found.get(field)
        if value is None:
            continue
        is_text = isinstance(value, str) and len(value) <= LONGEST
        if not (is_text and _is_unicode(value)) and type(value) is not int:
            raise _error(f'a short string or an integer "{field}"', value)
        correction[field] = value
    now = datetime.datetime.now(datetime.UTC)
    return correction | {"time": now.isoformat(timespec="seconds")}


def _is_label(label):
    """Whether a value can be a name of a label, see `LabelSet`."""
    if not isinstance(label, str) or not label or label != label.strip():
        return False
    return not set(label) & set("\n\0") and _is_unicode(label)


def _is_unicode(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(expected, received):
    received = ascii(received)[:60]
    message = f"Expected {expected}. Received: {received}."
    return ServingError("INVALID_ARGUMENT", message)
