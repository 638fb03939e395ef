"""DER (X.690), read strictly: one spelling for every value, nothing left over, low tag numbers only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coverslip.verifier.report import BundleError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
UTC_TIME: Final = 0x17
TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
MAX_SIZE: Final = 1 << 20

_GENERAL: Final = re.compile(rb"([0-9]{14})(?:\.[0-9]{1,6})?Z")


class DerError(BundleError):
    """Bytes that are not the DER they must be."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value: tag, content, and all its bytes."""

    tag: int
    body: bytes
    raw: bytes

    def children(self) -> list[Node]:
        """Return what a constructed value holds."""
        if not self.tag & 0x20:
            raise DerError("a plain value where a list of values must be")
        found = []
        rest = self.body
        while rest:
            one = _first(rest)
            found.append(one)
            rest = rest[len(one.raw) :]
        return found

    def only(self) -> Node:
        """Return the one value that a constructed value holds."""
        found = self.children()
        if len(found) != 1:
            raise DerError(f"{len(found)} values where one must be")
        return found[0]

    def expect(self, tag: int) -> Node:
        """Return this value if it has a tag."""
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#04x} where {tag:#04x} must be")
        return self

    def integer(self) -> int:
        """Return the value of an INTEGER in its shortest form."""
        body = self.expect(INTEGER).body
        if not body or (len(body) > 1 and (body[0], body[1] >> 7) in ((0, 0), (255, 1))):
            raise DerError("a number that is not in its shortest form")
        return int.from_bytes(body, "big", signed=True)

    def oid(self) -> str:
        """Return an OBJECT IDENTIFIER in dotted form."""
        body = self.expect(OID).body
        if not body or body[-1] & 0x80:
            raise DerError("an object identifier that does not end")
        parts, value, begun = [], 0, False
        for one in body:
            if not begun and one == 0x80:
                raise DerError("an object identifier with a padded part")
            begun, value = True, value << 7 | one & 0x7F
            if not one & 0x80:
                parts.append(value)
                value, begun = 0, False
        first = min(parts[0] // 40, 2)
        return ".".join(map(str, (first, parts[0] - 40 * first, *parts[1:])))

    def bits(self) -> bytes:
        """Return a BIT STRING of whole bytes."""
        body = self.expect(BIT_STRING).body
        if not body or body[0]:
            raise DerError("a bit string that is not of whole bytes")
        return body[1:]

    def moment(self) -> datetime:
        """Return a UTCTime or GeneralizedTime in UTC, without a zone, to the second."""
        try:
            if self.tag == UTC_TIME:
                found = datetime.strptime(self.body.decode("ascii"), "%y%m%d%H%M%SZ")
                return found.replace(year=found.year - 100) if found.year >= 2050 else found
            form = _GENERAL.fullmatch(self.expect(TIME).body)
            if form is None:
                raise DerError("a time that is not in UTC to the second")
            return datetime.strptime(form[1].decode("ascii"), "%Y%m%d%H%M%S")
        except (ValueError, UnicodeDecodeError) as error:
            raise DerError(f"a time that is none: {error}") from None


def read(data: bytes) -> Node:
    """Return the one value that some bytes are. Raises DerError."""
    if len(data) > MAX_SIZE:
        raise DerError(f"more than {MAX_SIZE} bytes")
    found = _first(data)
    if found.raw != data:
        raise DerError("bytes are left over after the value")
    return found


def _first(data: bytes) -> Node:
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise DerError("a value that ends before it begins, or a high tag number")
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        start = 2 + count
        if not 1 <= count <= 3 or len(data) < start:
            raise DerError("a length that is not definite and short")
        length = int.from_bytes(data[2:start], "big")
        if length < 0x80 or data[2] == 0:
            raise DerError("a length that is not in its shortest form")
    if len(data) < start + length:
        raise DerError("a value that is cut off")
    return Node(data[0], data[start : start + length], data[: start + length])
