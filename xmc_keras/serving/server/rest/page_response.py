"""The web page for trying a model on a text."""

import base64
import hashlib
import html
import re
from pathlib import Path
from urllib.parse import quote

from starlette.responses import HTMLResponse

PAGE = Path(__file__).with_name("page.html")


def page_response(name):
    """The web page of a model.

    Args:
        name: string. Name of the model; any characters are allowed.

    Returns:
        starlette's `HTMLResponse`. Its Content-Security-Policy allows the page's own
        script and style and requests to this server, and nothing else.
    """
    page = PAGE.read_text("utf-8")
    policy = [
        "default-src 'none'",
        f"script-src '{digest(page, 'script')}'",
        f"style-src '{digest(page, 'style')}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    # The name comes last, so that braces in it are not replaced. A URL has none.
    url = f"v1/models/{quote(name, safe='')}:predict"
    page = page.replace("{{url}}", url).replace("{{name}}", html.escape(name))
    headers = {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return HTMLResponse(page, headers=headers)


def digest(page, tag):
    """The hash that identifies an element of the page in the policy."""
    content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.S)[1]
    sha256 = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(sha256).decode()}"
