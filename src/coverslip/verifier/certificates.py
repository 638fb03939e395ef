"""Certificates of timestamp authorities (X.509), as far as a chain to a root that the user gave needs them.

Rules kept here:

* RSA of at least 2048 bits (PKCS #1 v1.5, SHA-256, -384 or -512) and P-256 with SHA-256; anything else is
  ``UnknownAlgorithm``: not good, and not found false.
* Every certificate of the chain was valid at the time the token states; issuers are authorities; an
  extension that is critical and unknown here refuses the chain.
* Revocation is not looked at: nothing offline can say it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from coverslip.verifier import der, p256
from coverslip.verifier.der import Node
from coverslip.verifier.ed25519 import SignatureError
from coverslip.verifier.report import BundleError, UsageError

STAMPING: Final = "1.3.6.1.5.5.7.3.8"
MAX_CHAIN: Final = 6
MAX_POOL: Final = 50
_RSA: Final = "1.2.840.113549.1.1.1"
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_RSA_WITH: Final = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_PREFIXES: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_CONSTRAINTS, _KEY_USAGE, _PURPOSES = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_UNDERSTOOD: Final = frozenset([_CONSTRAINTS, _KEY_USAGE, _PURPOSES])
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_NAME_PARTS: Final = {"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.6": "C", "2.5.4.11": "OU"}


class TokenError(BundleError):
    """A token or certificate that does not hold."""


class UnknownAlgorithm(TokenError):
    """Something that this program cannot judge either way."""


@dataclass(frozen=True)
class Certificate:
    """One certificate."""

    raw: bytes

    @cached_property
    def _parts(self) -> tuple[list[Node], Node, Node]:
        whole, algorithm, signature = _take(der.read(self.raw).expect(der.SEQUENCE).children(), 3)
        fields = whole.expect(der.SEQUENCE).children()
        if not fields or fields[0].raw != b"\xa0\x03\x02\x01\x02":
            raise TokenError("a certificate that is not of version 3")
        _take(fields[1:7], 6)
        if fields[2].raw != algorithm.raw:
            raise TokenError("a certificate that names two algorithms")
        return [whole, *fields[1:]], algorithm, signature

    @property
    def serial(self) -> int:
        """Serial number."""
        return self._parts[0][1].integer()

    @property
    def issuer(self) -> bytes:
        """Name of the issuer, as encoded."""
        return self._parts[0][3].raw

    @property
    def subject(self) -> bytes:
        """Name of the holder, as encoded."""
        return self._parts[0][5].raw

    @property
    def public(self) -> bytes:
        """SubjectPublicKeyInfo, as encoded."""
        return self._parts[0][6].raw

    def name(self) -> str:
        """Return the holder's name for people."""
        found = []
        for one in self._parts[0][5].expect(der.SEQUENCE).children():
            kind, value = _take(one.expect(der.SET).only().children(), 2)
            found.append(f"{_NAME_PARTS.get(kind.oid(), kind.oid())}={value.body.decode('utf-8', 'replace')}")
        return ", ".join(found)

    def insist_valid(self, at: datetime) -> None:
        """Return if the certificate was valid at a time."""
        first, last = (one.moment() for one in _take(self._parts[0][4].children(), 2))
        if not first <= at <= last:
            raise TokenError(f"the certificate of {self.name()} was not valid at {at} UTC")

    def extensions(self) -> dict[str, tuple[bool, bytes]]:
        """Return extensions by identifier: whether critical, and the value."""
        fields = [one for one in self._parts[0][7:] if one.tag == 0xA3]
        found: dict[str, tuple[bool, bytes]] = {}
        for listed in fields:
            for one in listed.only().expect(der.SEQUENCE).children():
                parts = one.expect(der.SEQUENCE).children()
                critical = len(parts) == 3 and parts[1].raw == b"\x01\x01\xff"
                if len(parts) != 2 + critical or parts[0].oid() in found:
                    raise TokenError("an extension that is malformed or there twice")
                found[parts[0].oid()] = (critical, parts[-1].expect(der.OCTET_STRING).body)
        return found

    def insist_understood(self) -> None:
        """Return if nothing critical is said that is not looked at here."""
        for name, (critical, _) in self.extensions().items():
            if critical and name not in _UNDERSTOOD:
                raise UnknownAlgorithm(f"the critical extension {name} is not known here")

    def insist_stamping(self) -> None:
        """Return if the certificate is for time stamping and for nothing else (RFC 3161 2.3)."""
        critical, value = self.extensions().get(_PURPOSES, (False, b""))
        if not critical or [one.oid() for one in der.read(value).children()] != [STAMPING]:
            raise TokenError(f"the certificate of {self.name()} is not for time stamping alone")

    def insist_authority(self, below: int) -> None:
        """Return if this certificate may issue others, with ``below`` intermediates beneath it."""
        found = self.extensions()
        parts = der.read(found.get(_CONSTRAINTS, (True, b"\x30\x00"))[1]).children()
        if not parts or parts[0].raw != b"\x01\x01\xff" or (len(parts) > 1 and parts[1].integer() < below):
            raise TokenError(f"the certificate of {self.name()} may not issue others, or not so many")
        if _KEY_USAGE in found:
            usage = der.read(found[_KEY_USAGE][1]).expect(der.BIT_STRING).body
            if len(usage) < 2 or not usage[1] & 0x04:
                raise TokenError(f"the certificate of {self.name()} is not for signing certificates")

    def insist_issued_by(self, issuer: Certificate) -> None:
        """Return if ``issuer`` signed this certificate."""
        (whole, *_), algorithm, signature = self._parts
        check_signature(issuer.public, algorithm, "", whole.raw, signature.bits())


def parse_pem(data: bytes) -> list[Certificate]:
    """Return the certificates of a PEM file, at least one. Raises UsageError."""
    try:
        found = [
            Certificate(base64.b64decode(b"".join(one.split()), validate=True)) for one in _PEM.findall(data)
        ]
        for one in found:
            one.extensions()
    except (BundleError, binascii.Error) as error:
        raise UsageError(f"a root certificate cannot be read: {error}") from None
    if not found:
        raise UsageError("the file of roots holds no certificate")
    return found


def chain(
    leaf: Certificate, others: Iterable[Certificate], roots: Sequence[Certificate], at: datetime
) -> Certificate:
    """Return the root that vouches for ``leaf`` at a time. Raises TokenError, UnknownAlgorithm."""
    pool = {one.raw: one for one in (*others, *roots)}
    if len(pool) > MAX_POOL:
        raise UnknownAlgorithm(f"{len(pool)} certificates are more than are looked at here")
    leaf.insist_stamping()
    return _Climb(pool, {one.raw for one in roots}, at).root_of(leaf, 0)


@dataclass
class _Climb:
    """The search for a root; no certificate is looked at twice."""

    pool: dict[bytes, Certificate]
    trusted: set[bytes]
    at: datetime
    seen: set[bytes] = field(default_factory=set)

    def root_of(self, one: Certificate, depth: int) -> Certificate:
        """Return the root above a certificate that has ``depth`` others beneath it."""
        self.seen.add(one.raw)
        one.insist_valid(self.at)
        one.insist_understood()
        if one.raw in self.trusted and depth:
            return one
        failed = TokenError(f"no root that was given vouches for {one.name()}")
        for issuer in self.pool.values():
            if issuer.subject != one.issuer or issuer.raw in self.seen or depth == MAX_CHAIN:
                continue
            try:
                issuer.insist_authority(max(0, depth - 1))
                one.insist_issued_by(issuer)
                return self.root_of(issuer, depth + 1)
            except TokenError as error:
                failed = error
        raise failed


def digest_name(algorithm: Node) -> str:
    """Return the hash that an AlgorithmIdentifier names. Raises UnknownAlgorithm for any but SHA-2."""
    name = _HASHES.get(_identifier(algorithm))
    if name is None:
        raise UnknownAlgorithm(f"the hash {_identifier(algorithm)} is not known here")
    return name


def check_signature(public: bytes, algorithm: Node, digest: str, message: bytes, signature: bytes) -> None:
    """Return if a signature holds. ``digest`` is the hash where the algorithm itself does not name it."""
    name = _identifier(algorithm)
    kind, key = _take(der.read(public).expect(der.SEQUENCE).children(), 2)
    if name == _ECDSA_SHA256 and len(public) == 91:
        try:
            p256.verify(public, message, signature)
        except SignatureError as error:
            raise TokenError(str(error)) from None
        return
    digest = _RSA_WITH.get(name) or (digest if name == _RSA else "")
    if not digest or _identifier(kind) != _RSA:
        raise UnknownAlgorithm(f"the signature algorithm {name} is not known here, or not for this key")
    _check_rsa(key.bits(), digest, message, signature)


def _check_rsa(key: bytes, digest: str, message: bytes, signature: bytes) -> None:
    modulus, exponent = (one.integer() for one in _take(der.read(key).expect(der.SEQUENCE).children(), 2))
    size = (modulus.bit_length() + 7) // 8
    if not 2048 <= modulus.bit_length() <= 16384 or exponent < 3 or exponent % 2 == 0 or exponent >= 1 << 64:
        raise UnknownAlgorithm("an RSA key of fewer than 2048 bits, or of an unusual exponent")
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        raise TokenError("an RSA signature of another length than its key")
    hashed = _PREFIXES[digest] + hashlib.new(digest, message).digest()
    wanted = b"\x00\x01" + b"\xff" * (size - len(hashed) - 3) + b"\x00" + hashed
    if not hmac.compare_digest(pow(number, exponent, modulus).to_bytes(size, "big"), wanted):
        raise TokenError("an RSA signature that does not match the key and the message")


def _identifier(algorithm: Node) -> str:
    parts = algorithm.expect(der.SEQUENCE).children()
    if not 1 <= len(parts) <= 2 or (len(parts) == 2 and parts[1].raw != b"\x05\x00"):
        raise UnknownAlgorithm("an algorithm with parameters is not known here")
    return parts[0].oid()


def _take(found: list[Node], count: int) -> list[Node]:
    if len(found) != count:
        raise TokenError(f"{len(found)} values where {count} must be")
    return found
