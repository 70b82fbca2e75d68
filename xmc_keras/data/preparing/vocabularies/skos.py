"""Vocabularies in SKOS."""

import contextlib
import logging
import re

from xmc_keras.data.formats.document import one_space
from xmc_keras.data.preparing.vocabularies.choose_titles import (
    choose_language,
    choose_title,
    join_text,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile
from xmc_keras.labels.vocabulary import Vocabulary

# How RDF/XML begins; Turtle may begin with a URI in the same bracket.
XML = re.compile(rb"\s*<(\?xml|!DOCTYPE|!--|(\w+:)?RDF[\s>])")


def read_skos(path, language=None):
    """Reads a vocabulary in SKOS: Turtle, N-Triples or RDF/XML.

    The title of a concept is its `skos:prefLabel` (also of SKOS-XL), otherwise its
    `rdfs:label`. Its text has the title, the `skos:altLabel`s and the
    `skos:definition`s, in the language or without one. Concepts are all that have a
    `skos:prefLabel`, and those of type `skos:Concept`. What other files it refers to
    is not read.

    Args:
        path: string or path. Plain, `.gz` or `.xz`. The whole graph is in memory.
        language: optional string, see `read_vocabulary`.

    Returns:
        `Vocabulary`, by URIs.

    Raises:
        BadInput: see `read_vocabulary`.
    """
    graph = _read_graph(path)
    from rdflib import RDF, RDFS, SKOS, Namespace, URIRef

    xl = Namespace("http://www.w3.org/2008/05/skos-xl#")
    preferred = [SKOS.prefLabel, xl.prefLabel / xl.literalForm]
    others = [SKOS.altLabel, xl.altLabel / xl.literalForm]
    concepts = set(graph.subjects(RDF.type, SKOS.Concept))
    for property in (SKOS.prefLabel, xl.prefLabel):
        concepts |= set(graph.subjects(property))

    def literals(concept, properties):
        """Pairs of a language and a text, sorted."""
        found = [
            (getattr(x, "language", None) or "", one_space(str(x)))
            for property in properties
            for x in graph.objects(concept, property)
            if not isinstance(x, URIRef)
        ]
        return sorted(set(pair for pair in found if pair[1]))

    titles = {}
    for concept in concepts:
        if isinstance(concept, URIRef):
            pairs = literals(concept, preferred) or literals(concept, [RDFS.label])
            # Of several titles in a language the first one.
            titles[concept] = dict(pairs[::-1])
    codes = [code for found in titles.values() for code in found]
    language = choose_language(codes, language, path)
    found = Vocabulary()
    for concept, of_languages in sorted(titles.items()):
        more = []
        for properties in (others, [SKOS.definition]):
            pairs = literals(concept, properties)
            more.append(", ".join(x for code, x in pairs if code in ("", language)))
        title = choose_title(of_languages, language) if of_languages else ""
        if title:
            found.titles[str(concept)] = title
        if text := join_text(title, *more):
            found.texts[str(concept)] = text
    return found


def _read_graph(path):
    """The graph of a file."""
    try:
        import rdflib
    except ImportError:
        raise BadInput(
            "Expected rdflib, which reads SKOS. Received: not installed. Install it "
            "with pip install 'xmc-keras[skos]'.",
            path,
        ) from None
    with TextFile(path) as file:
        content = b"".join(file)
    kind = "xml" if XML.match(content) else "turtle"
    graph = rdflib.Graph()
    try:
        text = content if kind == "xml" else content.decode()
        with _quiet("rdflib"):
            graph.parse(data=text, format=kind)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"Expected UTF-8. Received: byte {content[error.start]:#x}.", path, line
        ) from None
    except Exception as error:  # rdflib and the parser of XML raise many types
        line, reason = None, str(error)
        if hasattr(error, "lines"):  # Turtle
            line, reason = error.lines + 1, error._why
        elif hasattr(error, "getLineNumber"):  # XML
            line, reason = error.getLineNumber(), error.getMessage()
        name = {"xml": "RDF/XML", "turtle": "Turtle"}[kind]
        raise BadInput(
            f"Expected SKOS in {name}. Received: {' '.join(reason.split()):.200}.",
            path,
            line,
            "Correct the file, or export it again.",
        ) from None
    return graph


@contextlib.contextmanager
def _quiet(name):
    """Context manager in which a library reports errors alone by its log."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
