"""URIs of labels, for programs that know labels by them."""

import re
from urllib.parse import quote

from xmc_keras.serving.server.serving_error import ServingError

# "role::program" is not meant as one, though its beginning may be a scheme.
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>]+|urn:[^\s<>]+", re.IGNORECASE)
SAFE = "!$&'()*+,;=:@~"  # what a path may have as it is


class LabelUris:
    """Gives labels their URIs.

    A name that is a URI (`http://...`, another scheme with `://`, or `urn:...`) is its
    own. Other names have none, unless there is a prefix for them.

    Args:
        prefix: optional string, a URI. The name of a label that is none is appended to
            it, percent-encoded. Defaults to `None`.

    Example:

    >>> uris = LabelUris("http://example.org/")
    >>> uris.find("role::program"), uris.find("a/b c")
    ('http://example.org/role::program', 'http://example.org/a%2Fb%20c')
    >>> uris.find("http://www.yso.fi/onto/yso/p1")
    'http://www.yso.fi/onto/yso/p1'
    >>> LabelUris().find("role::program") is None
    True
    """

    def __init__(self, prefix=None):
        self.prefix = prefix

    def check(self, names):
        """Raises `ServingError` if no label of a model has a URI, by some names."""
        names = [name for name in names if name]
        if self.prefix is None and names and not any(map(URI.fullmatch, names)):
            raise ServingError(
                "FAILED_PRECONDITION",
                f"Expected labels that are URIs. Received: {', '.join(names)[:100]}. "
                "Start the server with --uri-prefix, which makes URIs of them",
            )

    def find(self, name):
        """The URI of the label of a name, or `None`."""
        if URI.fullmatch(name):
            return name
        return None if self.prefix is None else self.prefix + quote(name, safe=SAFE)
