"""Whether a request comes from the server's own page."""

import ipaddress
from urllib.parse import urlsplit

from xmc_keras.serving.server.serving_error import ServingError


def check_same_site(request):
    """Raises `ServingError` if a page of another site may have sent a request.

    Any page that a browser shows can send requests to a server on the same machine. It
    cannot declare JSON without asking first, which this server does not allow, and the
    browser says where a request comes from: by `Sec-Fetch-Site`, or by `Origin` where
    that is missing. A name that another site has pointed to this machine is not this
    server's (DNS rebinding): what arrives at a loopback address has to be addressed to
    one, or to localhost. Programs send neither header and pass.

    Args:
        request: starlette's `Request`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ServingError(
            "INVALID_ARGUMENT",
            "Expected the content type application/json. Received: "
            f"{kind[:60] or 'none'}.",
        )
    site, origin = (request.headers.get(x) for x in ("sec-fetch-site", "origin"))
    if site is not None:
        allowed = site == "same-origin"
    elif origin is not None:
        host = request.headers.get("host", "").lower()
        allowed = _host(origin) == host and _is_addressed(request, host)
    else:
        allowed = True
    if not allowed:
        raise ServingError(
            "PERMISSION_DENIED",
            "Expected a request of this server's own page. Received: one of "
            f"{(origin or 'another site')[:60]}. Open the page at the address that the "
            "server reports.",
        )


def _host(origin):
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return None


def _is_addressed(request, host):
    """Whether `host` is a name of the address where the request arrived."""
    server = request.scope.get("server")
    if not server or not _is_loopback(server[0]):
        return True
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(name):
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
