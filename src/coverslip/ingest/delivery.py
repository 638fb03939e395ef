"""The delivery statement: what a device says and signs about one file.

Rules kept here: the signed bytes name device, session, file name, size, hash and sequence, so that a
delivery can neither be altered nor replayed into another session (P11-10-h.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coverslip.errors import Invalid, Refused
from coverslip.kernel.content import is_file_name
from coverslip.kernel.identity import verify_device
from coverslip.ledger import canonical

PREFIX = b"coverslip-delivery-v1\n"
MAX_NAME = 200
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked manifest: name without folders, size in bytes, sha256 hex, sequence from 1."""

    name: str
    size: int
    sha256: str
    sequence: int
    taken_at: str
    signature: str
    reason: str

    def signed_bytes(self, device: str, session: str) -> bytes:
        """Return what the device signed."""
        value: dict[str, Any] = {
            "device": device,
            "session": session,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "sequence": self.sequence,
        }
        if self.taken_at:
            value["taken_at"] = self.taken_at
        return PREFIX + canonical.encode(value)


def read(value: dict[str, Any]) -> Manifest:
    """Return the manifest of a delivery; raises ``VAL_FORM`` naming what is wrong with it."""
    unknown = set(value) - {"name", "size", "sha256", "sequence", "taken_at", "signature", "reason"}
    if unknown:
        raise _wrong(sorted(unknown)[0][:40], "a name of the manifest")
    name, size, sequence = value.get("name"), value.get("size"), value.get("sequence", 1)
    if not isinstance(name, str) or len(name) > MAX_NAME or not is_file_name(name):
        raise _wrong("name", "a file name without folders")
    if type(size) is not int or size < 0 or type(sequence) is not int or sequence < 1:
        raise _wrong("size and sequence", "whole numbers")
    texts = {k: value.get(k, "") for k in ("sha256", "taken_at", "signature", "reason")}
    if not all(isinstance(t, str) for t in texts.values()) or not re.fullmatch(
        "[0-9a-f]{64}", texts["sha256"]
    ):
        raise _wrong("sha256", "64 hex digits")
    if texts["taken_at"] and not _is_time(texts["taken_at"]):
        raise _wrong("taken_at", "an instant YYYY-MM-DDTHH:MM:SSZ")
    if texts["signature"] and not re.fullmatch("[0-9a-f]{128}", texts["signature"]):
        raise _wrong("signature", "128 hex digits")
    return Manifest(
        name, size, texts["sha256"], sequence, texts["taken_at"], texts["signature"], texts["reason"]
    )


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def _wrong(field: str, expected: str) -> Invalid:
    return Invalid("VAL_FORM", field=f"manifest {field}", expected=expected, found="something else")


def check_device(manifest: Manifest, data: dict[str, Any], session: str) -> None:
    """Check a device's signature on a delivery; raises ``DEVICE_UNKNOWN``."""
    number = str(data.get("number", ""))
    if not manifest.signature:
        raise Refused("DEVICE_UNKNOWN", device=number or "the sender")
    verify_device(data, bytes.fromhex(manifest.signature), manifest.signed_bytes(number, session))
