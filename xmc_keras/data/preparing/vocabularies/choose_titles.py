"""Choice of the titles of labels among languages."""

import logging
from collections import Counter

from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)


def choose_language(languages, language, path):
    """The language of titles and texts.

    Args:
        languages: iterable of strings, the language of each title, `""` without one.
        language: optional string, the wanted one.
        path: the file, for messages.

    Returns:
        string, one of `languages`. A wanted `en` stands for `en-GB`, too, if there is
        no `en`.

    Raises:
        BadInput: there is no such language.

    Example:

    >>> choose_language(["fi", "en", "fi"], None, "x.ttl")
    'fi'
    >>> choose_language(["fi", "en-GB"], "EN", "x.ttl")
    'en-GB'
    """
    counts = Counter(languages)
    if language is None:
        # Of several the first in the alphabet.
        best = max(sorted(counts), key=lambda x: (counts[x], bool(x)), default="")
        others = [code for code in counts if code not in ("", best)]
        if best and others:
            logger.info(
                "%s: titles in %s, where there are %s; another language can be chosen",
                *(path, best, ", ".join(sorted(counts.keys() - {""}))),
            )
        return best
    wanted = language.lower()
    ranked = sorted(counts, key=lambda code: (-counts[code], code))
    for fits in (
        lambda code: code.lower() == wanted,
        lambda code: code.lower().split("-")[0] == wanted.split("-")[0],
    ):
        if found := next(filter(fits, ranked), None):
            return found
    there = ", ".join(sorted(filter(None, counts))) or "none with a language"
    raise BadInput(
        f"Expected titles in {language}. Received: {there}.",
        path,
        remedy="Give another `label_language`, or leave it out.",
    )


def choose_title(titles, language):
    """The title of a label in a language, or without one, or in another.

    Args:
        titles: dictionary from languages to titles, not empty.
        language: string.

    Example:

    >>> choose_title({"sv": "ros", "fi": "ruusu"}, "en")
    'ruusu'
    """
    order = [language, "", *sorted(titles)]
    return next(titles[code] for code in order if code in titles)


def join_text(title, *more):
    """The text of a label: its title, and what else is said of it.

    >>> join_text("Rose", "A plant.", "", "Rose")
    'Rose. A plant.'
    """
    parts = dict.fromkeys(part for part in (title, *more) if part)
    *first, last = parts or [""]
    return " ".join([*(f"{part.rstrip('.')}." for part in first), last])
