"""A file from the net, gone on with where an earlier start was stopped."""

import http.client
import logging
import os
import urllib.error
import urllib.parse
import urllib.request

from xmc_keras.bad_input import BadInput
from xmc_keras.progress import Bar

logger = logging.getLogger(__name__)

BLOCK, SECONDS = 2**20, 20  # bytes read at a time; without an answer


def fetch(url, path, remedy):
    """Downloads a file, beside its place and then renamed.

    Args:
        url: string.
        path: `Path` of the file. What an earlier start got is in `<path>.part`.
        remedy: string, what else a user can do.

    Raises:
        BadInput: the host cannot be reached or does not have the file, or the transfer
            breaks off.
    """
    if path.exists():
        return logger.info("%s is there already", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    size = part.stat().st_size if part.exists() else 0
    host = urllib.parse.urlsplit(url).hostname
    try:
        request = urllib.request.Request(url)
        if size:
            request.add_header("Range", f"bytes={size}-")
        with _opened(request, part) as answer:
            if answer.status != 206:  # the whole file, whatever was asked for
                size = 0
            total = answer.headers.get("Content-Length")
            total = None if total is None else size + int(total)
            logger.info("Fetching %s, %s bytes", url, total or "unknown")
            with open(part, "r+b" if size else "wb") as file:
                file.seek(size)
                bar = Bar(lambda: file.tell() / (total or 1e12), "bytes")
                bar.skip(size)
                while block := answer.read(BLOCK):
                    file.write(block)
                    bar.advance(len(block))
                bar.end()
                got = file.tell()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInput(
            f"Expected {host} to send {url}. Received: {reason}. Start again to go on, "
            f"or {remedy}"
        ) from None
    if total is not None and got != total:
        raise BadInput(
            f"Expected {total} bytes of {url}. Received: {got}. Start again to go on, "
            f"or {remedy}"
        )
    os.replace(part, path)


def _opened(request, part):
    try:
        return urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # what is there is no beginning of the file
            raise
        error.close()
        part.unlink()
        request.remove_header("Range")
        return urllib.request.urlopen(request, timeout=SECONDS)
