"""Download of a file, resuming a partial one."""

import http.client
import logging
import os
import urllib.error
import urllib.parse
import urllib.request

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.text_file import position
from xmc_keras.progress import Bar

logger = logging.getLogger(__name__)

BLOCK, SECONDS = 2**20, 20  # bytes read at a time; timeout


def fetch(url, path, remedy):
    """Downloads a file to `<path>.part` and renames it once it is complete.

    A later call resumes an interrupted download. An existing file is kept.

    Args:
        url: string.
        path: `Path` of the file.
        remedy: string. What else the user can do, the end of the error message.

    Raises:
        BadInput: the host cannot be reached or does not have the file, or the transfer
            is interrupted.
    """
    if path.exists():
        return logger.info("%s already exists", path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    size = part.stat().st_size if part.exists() else 0
    host = urllib.parse.urlsplit(url).hostname
    try:
        request = urllib.request.Request(url)
        if size:
            request.add_header("Range", f"bytes={size}-")
        with _open(request, part) as answer:
            if answer.status != 206:  # the whole file: the host ignores ranges
                size = 0
            total = answer.headers.get("Content-Length")
            total = None if total is None else size + int(total)
            logger.info("Downloading %s, %s bytes", url, total or "unknown")
            # Of the same kinds as errors of the network, but not these.
            with explain_disk_errors(path):
                received = save_answer(answer, part, size, total)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInput(
            f"Expected {host} to send {url}. Received: {reason}. Run it again to "
            f"resume, or {remedy}"
        ) from None
    if total is not None and received != total:
        raise BadInput(
            f"Expected {total} bytes of {url}. Received: {received}. Run it again to "
            f"resume, or {remedy}"
        )
    with explain_disk_errors(path):
        os.replace(part, path)


def save_answer(answer, part, size, total):
    """Appends an answer to the `size` bytes of a file; returns its new size."""
    with open(part, "r+b" if size else "wb") as file:
        file.seek(size)
        bar = Bar(lambda: position(file) / (total or 1e12), "bytes")
        bar.skip(size)
        while block := answer.read(BLOCK):
            file.write(block)
            bar.advance(len(block))
        bar.end()
        return position(file)


def _open(request, part):
    """Opens a request; deletes `part` and starts over if the host refuses its range."""
    try:
        return urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # range not satisfiable: `part` is of another file
            raise
        error.close()
        part.unlink()
        request.remove_header("Range")
        return urllib.request.urlopen(request, timeout=SECONDS)
