"""What every page's request and answer must hold: host, origin, token, size, headers.

Rules kept here:

* A write must come from these pages (``Origin``, ``Sec-Fetch-Site``) and carry the session's own token.
* Scripts, styles and connections are this origin's only; no page is shown inside another's frame.
* A body has a known length within its limit before it is read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import unquote, urlsplit

from fastapi import Request

from coverslip.application.addresses import unreadable
from coverslip.errors import CoverslipError, Invalid, Refused
from coverslip.web.serving import Serving

FORM_LIMIT_BYTES = 4 * 1024**2
_UPLOAD = re.compile(r"/ingest/(?:[^/]+/)?upload")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
VIEWER_POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' blob:")
DOWNLOAD_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(),"
    " publickey-credentials-get=(self), publickey-credentials-create=(self)",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=31536000"
FORGET = {"Clear-Site-Data": '"cache"'}
"""With its person, what a browser kept of their pictures leaves it."""


def csrf_token(token: str) -> str:
    """Return the token forms of a session carry; it tells nothing of the session's own."""
    return hmac.new(b"coverslip-csrf-v1", token.encode(), hashlib.sha256).hexdigest()


def refused_before(request: Request, serving: Serving) -> CoverslipError | None:
    """Return why a request is not looked at any further, or ``None``."""
    host = request.headers.get("host", "")
    unread = unreadable(request.url.path, request.query_params.multi_items())
    if unread is not None or request.method in ("GET", "HEAD", "OPTIONS"):
        return unread
    return _foreign(request, serving, host) or _too_large(request)


def _foreign(request: Request, serving: Serving, host: str) -> CoverslipError | None:
    """Refuse a write that another site's page asked a browser for."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if (origin is not None and not serving.own(origin, host)) or site not in (None, "same-origin", "none"):
        return cross_site(request)
    return None


def cross_site(request: Request) -> CoverslipError:
    """Return the refusal of a write that did not come from a page of this session."""
    return Refused("CROSS_SITE", action=request.url.path[:80])


def require_token(request: Request, session_token: str, given: str) -> None:
    """Refuse a form that was not rendered in this session (``CROSS_SITE``)."""
    if not hmac.compare_digest(csrf_token(session_token).encode(), given.encode()):
        raise cross_site(request)


def _too_large(request: Request) -> CoverslipError | None:
    length = request.headers.get("content-length", "")
    if request.headers.get("transfer-encoding") or not length.isdigit():
        return Invalid("TOO_LARGE", what="A body of unknown length", size="unknown", limit=FORM_LIMIT_BYTES)
    if int(length) > FORM_LIMIT_BYTES and not _UPLOAD.fullmatch(request.url.path):
        return Invalid("TOO_LARGE", what="The form", size=int(length), limit=FORM_LIMIT_BYTES)
    return None


def large(request: Request) -> bool:
    """Whether the body is larger than a form, as only files are."""
    return int(request.headers.get("content-length", "0")) > FORM_LIMIT_BYTES


def own_path(target: str) -> str:
    """Return ``target`` if it is a path of these pages, else the first page: no link leads elsewhere."""
    plain = unquote(target)
    parts = urlsplit(target)
    safe = (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not plain.startswith(("//", "/\\"))
        and not parts.scheme
        and not parts.netloc
        and "\\" not in plain
        and plain.isprintable()
    )
    return target if safe else "/work"
