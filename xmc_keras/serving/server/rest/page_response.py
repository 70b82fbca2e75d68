"""The page where a person types a text."""

import base64
import hashlib
import html
import re
from pathlib import Path
from urllib.parse import quote

from starlette.responses import HTMLResponse

PAGE = Path(__file__).with_name("page.html")


def page_response(name):
    """The page of a model.

    Args:
        name: string. The model's name, whatever it holds.

    Returns:
        starlette's `HTMLResponse`. Its Content-Security-Policy lets the page run its
        own script and style, ask this server, and nothing else.
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
    # The name last: nothing in it is filled in again. A URL has no braces.
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
    """The hash by which a policy names an element of the page."""
    content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.S)[1]
    found = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(found).decode()}"
