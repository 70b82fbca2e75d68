"""Texts of any kind of sequence, as a checked list; whether they have words."""

from collections.abc import Mapping, Set


def list_texts(texts):
    """The texts as a list, checked to be strings.

    Args:
        texts: any iterable of strings with one dimension and an order: a list, a tuple,
            a NumPy array, a pandas Series, a column of `datasets` or Arrow, a
            generator.

    Returns:
        list of strings; `texts` itself if it is a list.

    Raises:
        ValueError: `texts` is one string, or something in it is not a string.

    Example:

    >>> list_texts(text for text in ("a", "b"))
    ['a', 'b']
    >>> list_texts("a")
    Traceback (most recent call last):
    ValueError: Expected a list of strings. Received: 'a', one string. Put it in a list.
    """
    texts = plain_values(texts)
    if isinstance(texts, (str, bytes)):
        reason = f"{texts!r:.80}, one string. Put it in a list."
    elif isinstance(texts, (Mapping, Set)) or not hasattr(texts, "__iter__"):
        # The keys of a dictionary are no documents, and a set has no order.
        reason = f"{texts!r:.80} of type {type(texts).__name__}."
    elif (dimensions := getattr(texts, "ndim", 1)) != 1:
        # A pandas DataFrame would give the names of its columns.
        reason = (
            f"a {type(texts).__name__} of {dimensions} dimensions. Pass one column."
        )
    else:
        texts = texts if isinstance(texts, list) else list(texts)
        wrong = next((i for i, t in enumerate(texts) if not isinstance(t, str)), None)
        if wrong is None:
            return texts
        kind = type(texts[wrong]).__name__
        reason = f"{texts[wrong]!r:.80} of type {kind} at place {wrong}."
    raise ValueError(f"Expected a list of strings. Received: {reason}")


def plain_values(values):
    """A column of `datasets` or Arrow with values of Python; all else as it is.

    Example:

    >>> import pyarrow
    >>> plain_values(pyarrow.array([["sea"], []]))
    [['sea'], []]
    """
    if hasattr(values, "to_pylist"):  # Arrow
        return values.to_pylist()
    source, name = (getattr(values, x, None) for x in ("source", "column_name"))
    if name is not None and hasattr(source, "with_format"):  # `datasets`
        # The format of a data set, such as "torch", makes tensors of labels. Only a
        # function given to `with_transform` makes values.
        if getattr(source, "format", {}).get("type") != "custom":
            return source.with_format(None)[name]
    return values


def has_words(texts):
    """Whether any of the texts has a letter or a digit.

    Example:

    >>> has_words(["...", "?"]), has_words(["...", "c++"])
    (False, True)
    """
    return any(character.isalnum() for text in texts for character in text)
