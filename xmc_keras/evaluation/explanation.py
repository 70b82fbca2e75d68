"""The explanation of a label for a text."""

import dataclasses
from typing import NamedTuple


class WordPart(NamedTuple):
    """What a word of the text adds to the logit of the label."""

    word: str  # or an n-gram of words
    logit: float
    linear: float  # the part of it from the linear rows and the words of labels


class SimilarDocument(NamedTuple):
    """A training document that has the label."""

    index: int  # its place in the documents
    cosine: float  # of its features and those of the text
    text: str


@dataclasses.dataclass
class Explanation:
    """Why a model gives a text a label, or does not; the result of `explain`.

    Printed, it is a table. The logit is the sum of `words` and `rest`.

    Args:
        text: string. The text that was asked for.
        label: string. The label that was asked for.
        score: float. Score of the label, between 0 and 1.
        rank: optional int. Its place among the labels that the model predicts, from 1;
            `None` if it is not one of its `num_predictions`.
        is_candidate: bool. Whether the model scores it among its candidates. If not,
            `score` is what it would have as one.
        documents: list of `(index, cosine, text)`. The documents with the label whose
            features are most like those of the text, most similar first.
        num_documents: int. Number of documents with the label.
        logit: optional float. Logit of the label, of a model over words.
        words: optional list of `(word, logit, linear)`, of a model over words. What
            each word of the text adds to the logit, and how much of that is from the
            linear rows and the words of labels; largest first, whatever the sign.
        rest: optional float. The rest of the logit, which no word adds: biases, and the
            part of the transformer of a `Hybrid`.
        num_words: int. Words to print. Defaults to `5`.

    Example:

    >>> documents = [SimilarDocument(3, 0.5, "A sea chart")]
    >>> words = [WordPart("sea", 2.5, 2.0), WordPart("red", -0.5, 0.0)]
    >>> print(Explanation("Red sea", "water", 0.73, 1, True, documents, 1, 1.0, words,
    ...                   rest=-1.0))
    water: score 0.73, rank 1
    words, of the logit +1.00
      +2.50  sea
      -0.50  red
      -1.00  biases
    1 of 1 documents with the label, by cosine
      0.500  3: A sea chart
    """

    text: str
    label: str
    score: float
    rank: int | None
    is_candidate: bool
    documents: list[SimilarDocument]
    num_documents: int
    logit: float | None = None
    words: list[WordPart] | None = None
    rest: float | None = None
    num_words: int = 5
    rest_name: str = "biases"

    def __str__(self):
        place = f"rank {self.rank}"
        if self.rank is None:
            place = "not among its predictions"
        if not self.is_candidate:
            place = "not among the candidates"
        lines = [f"{self.label}: score {self.score:.2f}, {place}"]
        if self.words is not None:
            lines.append(f"words, of the logit {self.logit:+.2f}")
            shown, others = self.words[: self.num_words], self.words[self.num_words :]
            rows = [(part.logit, part.word) for part in shown]
            if others:
                count = f"{len(others)} other word{'s' * (len(others) > 1)}"
                rows.append((sum(part.logit for part in others), count))
            rows.append((self.rest, self.rest_name))
            lines += [f"{logit:+7.2f}  {name}" for logit, name in rows]
            if not self.words:
                lines.append("  The model knows no word of the text.")
        if not self.num_documents:
            return "\n".join([*lines, "No document has the label."])
        count = f"{len(self.documents)} of {self.num_documents:,} documents"
        lines.append(f"{count} with the label, by cosine")
        for index, cosine, text in self.documents:
            lines.append(f"{cosine:7.3f}  {index}: {shorten(text)}")
        return "\n".join(lines)


def shorten(text, letters=80):
    """The text on one line, cut to some letters."""
    line = " ".join(text.split())
    return line if len(line) <= letters else f"{line[: letters - 2].rstrip()} …"
