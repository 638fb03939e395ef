"""Speaking to anchors over HTTP: bounded in size and in time, following nobody elsewhere.

Rules kept here: no redirects, no proxies or other settings from the environment, TLS checked against the
machine's authorities or the file an operator named.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import httpx

from coverslip.anchoring.refusal import AnchorRefused


def client(url: str, ca: Path | None, timeout_s: float) -> httpx.Client:
    """Return a client for one exchange; close it. ``ca`` replaces the machine's authorities."""
    verify: ssl.SSLContext | bool = True
    if url.startswith("https:") and ca is not None:
        try:
            verify = ssl.create_default_context(cafile=str(ca))
        except (OSError, ssl.SSLError) as error:
            raise AnchorRefused(f"no certificates in {ca}: {error}") from error
    return httpx.Client(
        verify=verify, trust_env=False, follow_redirects=False, timeout=httpx.Timeout(timeout_s)
    )


def read_limited(answer: httpx.Response, limit: int, until: float) -> bytes:
    """Return the body of an open answer. Raises AnchorRefused beyond ``limit`` bytes or after ``until``.

    ``until`` is on ``time.monotonic``: a server that sends a byte now and then is not waited for.
    """
    parts: list[bytes] = []
    size = 0
    for piece in answer.iter_bytes(4096):
        size += len(piece)
        if size > limit:
            raise AnchorRefused(f"an answer of more than {limit} bytes")
        if time.monotonic() > until:
            raise AnchorRefused("it took too long to answer")
        parts.append(piece)
    return b"".join(parts)
