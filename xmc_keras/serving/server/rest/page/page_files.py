"""The files of the page, filled in and with the headers that protect it."""

import html
import mimetypes
from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

FOLDER = Path(__file__).with_name("browser")
POLICY = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
]
HEADERS = {
    "content-security-policy": "; ".join(POLICY),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def page_files(name, corrections):
    """The files of the page of a model.

    Args:
        name: string. Name of the model; any characters are allowed.
        corrections: bool. Whether the server keeps corrections.

    Returns:
        Dictionary from file names to starlette's `Response`. Their
        Content-Security-Policy allows the page's own files and requests to this server,
        and nothing else.
    """
    files = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    page = files["page.html"].replace("{{corrections}}", "on" if corrections else "off")
    # `xmc ask` reads the name of the model from this URL.
    page = page.replace("{{url}}", f"v1/models/{quote(name, safe='')}:predict")
    # The name comes last, so that braces in it are not replaced. A URL has none.
    files["page.html"] = page.replace("{{name}}", html.escape(name))
    return {
        name: Response(
            content, headers=HEADERS, media_type=mimetypes.guess_type(name)[0]
        )
        for name, content in files.items()
    }
