"""Ask a server for label names and scores, over REST or gRPC.

    xmc ask "A terminal text editor" "A puzzle game" --name quickstart
    xmc ask -k 10 --json --url http://host:8501 < texts.txt
    xmc ask "A terminal text editor" --threshold 0.7
    xmc ask "A puzzle game" --grpc --url host:8500 --name quickstart

Texts are arguments, or lines of standard input. With --json the answers are one JSON
object per text: {"text": ..., "labels": [...], "scores": [...]}, best label first. With
--threshold they are all labels with at least this score, which may be none; own is the
threshold of the export.

The server is xmc serve or TensorFlow Serving. xmc serve names its model, so that --name
may be left out; over gRPC, and with TensorFlow Serving, it is needed.
"""

import itertools
import re
from urllib.parse import unquote

from xmc_keras.cli.arguments import given_texts
from xmc_keras.cli.program import command_parser
from xmc_keras.evaluation.answer_file import to_json
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.client import REST_URL, Client, send

CHUNK = 256  # texts in a request
GRPC_ADDRESS = "127.0.0.1:8500"


def find_name(url, timeout):
    """Reads the model's name from the page of `xmc serve`."""
    _, page = send(url, "GET", "/", timeout)
    if match := re.search(rb'action="v1/models/([^"]+):predict"', page):
        return unquote(match[1].decode())
    raise BadInput(
        f"Expected {url} to name its model, as xmc serve does. Received: no name. "
        "Give it with --name."
    )


def to_text(text, answers):
    """Formats a text and its labels for reading."""
    line = " ".join(text.split())
    line = line if len(line) <= 80 else f"{line[:77]}..."
    labels = [f"  {score:.4f}  {label}" for label, score in answers]
    return "\n".join([line, *labels, ""])


def read_threshold(text):
    """The threshold of a request; None for the model's own."""
    if text in (None, "own"):
        return None
    try:
        least = float(text)
    except ValueError:
        least = -1.0
    if not 0 <= least <= 1:
        raise BadInput(f"Expected --threshold from 0 to 1, or own. Received: {text}.")
    return least


def main(argv=None):
    parser = command_parser("ask", __doc__)
    parser.add_argument("texts", nargs="*", help="texts (standard input, line by line)")
    parser.add_argument("--url", help=f"({REST_URL}, or {GRPC_ADDRESS} with --grpc)")
    parser.add_argument("--name", help="the model's name (the server's)")
    parser.add_argument("--version", type=int, help="the model's version (newest)")
    parser.add_argument("--grpc", action="store_true", help="ask by gRPC")
    parser.add_argument("-k", type=int, help="labels per text (as exported)")
    parser.add_argument("--threshold", help="least score, from 0 to 1, or own (none)")
    parser.add_argument("--json", action="store_true", help="one JSON object per text")
    parser.add_argument("--timeout", type=float, default=30, help="in seconds (30)")
    # Intermixed, so that texts may follow options.
    args = parser.parse_intermixed_args(argv)
    if args.k is not None and args.k < 1:
        raise BadInput(f"Expected -k of at least 1. Received: {args.k}.")
    if args.k is not None and args.threshold is not None:
        raise BadInput("Expected -k or --threshold. Received: both.")
    least = read_threshold(args.threshold)
    if args.grpc and not args.name:
        raise BadInput("Expected --name with --grpc. Received: none.")
    url = args.url or (GRPC_ADDRESS if args.grpc else REST_URL)
    if args.grpc:
        url = url.removeprefix("http://").rstrip("/")
        if "://" in url:
            raise BadInput(f"Expected --url host:port with --grpc. Received: {url}.")
    elif "://" not in url:
        url = f"http://{url}"
    texts = given_texts(args.texts)
    form = to_json if args.json else to_text
    client = None
    while chunk := list(itertools.islice(texts, CHUNK)):
        if client is None:
            name = args.name or find_name(url, args.timeout)
            client = Client(url, name, args.version, args.timeout)
        if args.threshold is None:
            found = client.recommend(chunk, args.k)
        else:
            found = client.select(chunk, least)
        for text, answers in zip(chunk, found):
            print(form(text, answers), flush=True)
