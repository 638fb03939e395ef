"""One RFC 3161 timestamp response: what it states, and whether an authority's root stands behind it.

Rules kept here (RFC 3161, RFC 5652, RFC 5816):

* Read strictly; the order of certificates is the one thing taken as it comes, because nothing signs it.
* One signer; the signed attributes name the content, its hash and the signer's certificate; the signature is
  over them; the chain is judged at the time the token states.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coverslip.verifier import certificates, der
from coverslip.verifier.certificates import Certificate, TokenError
from coverslip.verifier.der import Node

_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING: Final = ("1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47")
_SHA256: Final = "sha256"


@dataclass(frozen=True, slots=True)
class Token:
    """What a response states: SHA-256 imprint (32 bytes) and time (UTC). ``content`` is what is signed."""

    imprint: bytes
    at: datetime
    serial: int
    content: bytes
    signer: Node
    certificates: tuple[Certificate, ...]

    def insist_vouched(self, roots: Sequence[Certificate]) -> str:
        """Return the authority's name if a root vouches for it. Raises TokenError, UnknownAlgorithm."""
        parts = self.signer.children()
        if len(parts) not in (6, 7) or parts[3].tag != 0xA0 or (len(parts) == 7 and parts[6].tag != 0xA1):
            raise TokenError("a signer without signed attributes")
        digest = certificates.digest_name(parts[2])
        holder = self._holder(parts[1])
        signed = b"\x31" + parts[3].raw[1:]
        self._check_attributes(parts[3], digest, holder)
        certificates.check_signature(
            holder.public, parts[4], digest, signed, parts[5].expect(der.OCTET_STRING).body
        )
        certificates.chain(holder, self.certificates, roots, self.at)
        return holder.name()

    def _holder(self, sid: Node) -> Certificate:
        issuer, serial = _two(sid.expect(der.SEQUENCE))
        for one in self.certificates:
            if one.issuer == issuer.raw and one.serial == serial.integer():
                return one
        raise TokenError("the signer's certificate is not in the token")

    def _check_attributes(self, attributes: Node, digest: str, holder: Certificate) -> None:
        found: dict[str, Node] = {}
        for one in attributes.children():
            kind, values = _two(one.expect(der.SEQUENCE))
            if kind.oid() in found:
                raise TokenError("a signed attribute is there twice")
            found[kind.oid()] = values.expect(der.SET).only()
        if _CONTENT_TYPE not in found or found[_CONTENT_TYPE].oid() != _TST_INFO:
            raise TokenError("the signature is not over a timestamp")
        hashed = hashlib.new(digest, self.content).digest()
        if _DIGEST not in found or not hmac.compare_digest(found[_DIGEST].body, hashed):
            raise TokenError("the signature is over another timestamp")
        named = [_named(found[kind], kind) for kind in _SIGNING if kind in found]
        if not named or any(hashlib.new(name, holder.raw).digest() != value for name, value in named):
            raise TokenError("the signature does not name the signer's certificate")


def parse(data: bytes) -> Token:
    """Read a timestamp response (DER). Raises TokenError, DerError where it is not one that was granted."""
    parts = der.read(data).expect(der.SEQUENCE).children()
    if len(parts) != 2 or not parts[0].children() or parts[0].children()[0].integer() != 0:
        raise TokenError("a response that was not granted")
    kind, wrapped = _two(parts[1].expect(der.SEQUENCE))
    if kind.oid() != _SIGNED_DATA:
        raise TokenError("no signed data")
    fields = wrapped.expect(0xA0).only().expect(der.SEQUENCE).children()
    if len(fields) < 4:
        raise TokenError("signed data that is cut short")
    inner, content = _two(fields[2].expect(der.SEQUENCE))
    if inner.oid() != _TST_INFO:
        raise TokenError("the signed data is no timestamp")
    carried = tuple(Certificate(c.raw) for f in fields[3:-1] if f.tag == 0xA0 for c in f.children())
    signer = fields[-1].expect(der.SET).only().expect(der.SEQUENCE)
    return _stated(content.expect(0xA0).only().expect(der.OCTET_STRING).body, signer, carried)


def _stated(content: bytes, signer: Node, carried: tuple[Certificate, ...]) -> Token:
    fields = der.read(content).expect(der.SEQUENCE).children()
    if len(fields) < 5 or fields[0].integer() != 1:
        raise TokenError("a timestamp of another version")
    algorithm, imprint = _two(fields[2].expect(der.SEQUENCE))
    if certificates.digest_name(algorithm) != _SHA256 or len(imprint.expect(der.OCTET_STRING).body) != 32:
        raise TokenError("the timestamp is over another hash than SHA-256")
    return Token(imprint.body, fields[4].moment(), fields[3].integer(), content, signer, carried)


def _named(value: Node, kind: str) -> tuple[str, bytes]:
    """Return hash name and hash of the first certificate that a signingCertificate attribute names."""
    parts = _head(_head(value.expect(der.SEQUENCE)).expect(der.SEQUENCE)).expect(der.SEQUENCE).children()
    digest = "sha1" if kind == _SIGNING[0] else _SHA256
    if len(parts) > 1 and parts[0].tag == der.SEQUENCE and kind == _SIGNING[1]:
        digest, parts = certificates.digest_name(parts[0]), parts[1:]
    if not parts:
        raise TokenError("the signature names no certificate")
    return digest, parts[0].expect(der.OCTET_STRING).body


def _head(node: Node) -> Node:
    found = node.children()
    if not found:
        raise TokenError("nothing where something must be named")
    return found[0]


def _two(node: Node) -> tuple[Node, Node]:
    found = node.children()
    if len(found) != 2:
        raise TokenError(f"{len(found)} values where two must be")
    return found[0], found[1]
