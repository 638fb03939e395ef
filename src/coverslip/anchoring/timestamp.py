"""RFC 3161: a timestamp authority's word that a checkpoint existed.

Rules kept here:

* What is stamped is the SHA-256 of the checkpoint note's bytes. Only a hash leaves the installation.
* A response counts if it is granted, for this very imprint and nonce, by a certificate for time stamping
  that a root named by the operator vouches for. The chain is judged at the time stated in the token, so
  that it holds after the certificate has ended.
* A response is at most 64 KiB and is waited for 15 s in all; whatever else comes is an error, never evidence.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.errors import VerificationError

from coverslip.anchoring.refusal import AnchorRefused
from coverslip.anchoring.transport import client, read_limited
from coverslip.verifier import der

LIMIT: Final = 64 * 1024
TIMEOUT_S: Final = 15.0
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a token says: the time, the imprint (32 bytes), serial number, and who signed it."""

    at: dt.datetime
    imprint: bytes
    serial: int
    authority: str


def roots(path: Path) -> list[x509.Certificate]:
    """Read root certificates (PEM). Raises AnchorRefused when there is none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AnchorRefused(f"no root certificates in {path}: {error}") from error


def check(
    response: bytes, note: bytes, trusted: Sequence[x509.Certificate], nonce: int | None = None
) -> Stamped:
    """Return what a response says if it is good evidence that ``note`` existed. Raises AnchorRefused."""
    found = _decoded(response)
    verifier = VerifierBuilder(roots=list(trusted), nonce=nonce).build()
    digest = hashlib.sha256(note).digest()
    try:
        info = found.tst_info
        if info.message_imprint.hash_algorithm != _SHA256:
            raise AnchorRefused("the token is over another hash than SHA-256")
        verifier.verify(found, digest)
        return Stamped(info.gen_time, info.message_imprint.message, info.serial_number, _signer(found))
    except (VerificationError, ValueError, x509.InvalidVersion) as error:
        raise AnchorRefused(f"the authority's response does not hold: {error}") from error


def _decoded(response: bytes) -> TimeStampResponse:
    for data in (response, in_order(response)):
        try:
            return decode_timestamp_response(data)
        except ValueError as error:
            why = str(error)
    raise AnchorRefused(f"no timestamp response: {why[:300]}")


def in_order(response: bytes) -> bytes:
    """Return a response with its certificates in the order DER asks for; as it is where it has none.

    Many authorities send them in the order of the chain, which the library refuses. Nothing signs that order.
    """
    try:
        status, token = der.read(response).expect(der.SEQUENCE).children()
        kind, wrapped = token.expect(der.SEQUENCE).children()
        fields = wrapped.expect(0xA0).only().expect(der.SEQUENCE).children()
    except (der.DerError, ValueError):
        return response
    inner = b"".join(
        _wrapped(0xA0, sorted(c.raw for c in field.children())) if field.tag == 0xA0 else field.raw
        for field in fields
    )
    signed = _wrapped(0xA0, [_wrapped(der.SEQUENCE, [inner])])
    return _wrapped(der.SEQUENCE, [status.raw, _wrapped(der.SEQUENCE, [kind.raw, signed])])


def _wrapped(tag: int, parts: Sequence[bytes]) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def _signer(found: TimeStampResponse) -> str:
    (one,) = found.signed_data.signer_infos
    for data in found.signed_data.certificates:
        known = x509.load_der_x509_certificate(data)
        if (known.issuer, known.serial_number) == (one.issuer, one.serial_number):
            return known.subject.rfc4514_string()
    return one.issuer.rfc4514_string()


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """An authority at a URL with the roots it is trusted by. ``ca`` is for the connection, not the token."""

    url: str
    roots: Path
    ca: Path | None = None
    timeout_s: float = TIMEOUT_S

    @property
    def type(self) -> str:
        """Kind of place, as recorded."""
        return "rfc3161"

    @property
    def target(self) -> str:
        """Where it is, as recorded."""
        return self.url

    def put(self, note: bytes) -> bytes:
        """Have a note stamped; return the checked response (DER). Raises OSError, AnchorRefused."""
        trusted = roots(self.roots)
        request = (
            TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).cert_request(
                cert_request=True
            ).build()
        )  # fmt: skip
        response = self._post(request.as_bytes())
        check(response, note, trusted, request.nonce)
        return response

    def _post(self, body: bytes) -> bytes:
        until = time.monotonic() + self.timeout_s
        try:
            with (
                client(self.url, self.ca, self.timeout_s) as http,
                http.stream(
                    "POST", self.url, content=body, headers={"content-type": _QUERY, "accept": _REPLY}
                ) as answer,
            ):
                data = read_limited(answer, LIMIT, until)
        except httpx.HTTPError as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        kind = answer.headers.get("content-type", "").split(";")[0].strip()
        if answer.status_code != 200 or kind != _REPLY:
            raise AnchorRefused(f"it answered {answer.status_code} {kind!r}, not a timestamp")
        return data
