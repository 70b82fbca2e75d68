"""Text to learn small vocabularies from, which does not change with the documents."""

from tests.helpers.project import PROJECT

# Numbers before commas, which ALBERT's and XLNet's tokenizers split.
NUMBERS = ["In 1999, 2000, 2001, or 10, 20, 30, 40, they sold 1,234."] * 10


def corpus_lines():
    """Lines of the licence, of the data's description, and `NUMBERS`."""
    files = (PROJECT / "LICENSE", PROJECT / "data/debian24k/README.txt")
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line.strip()] + NUMBERS
