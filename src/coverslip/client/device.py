"""Devices: their key, the statement that opens their session, the manifest that names a file.

Rules kept here: a key is a file only its owner can read (0600) and is refused otherwise; a manifest is
signed over device, session, name, size, hash and sequence, so that no file can be exchanged or moved
to another session on its way. Needs the package ``cryptography``; nothing else of the client does.
"""

from __future__ import annotations

import os
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coverslip.client.errors import fault, misuse
from coverslip.client.files import FileFacts
from coverslip.ledger import canonical
from coverslip.ledger.moment import format_time

DELIVERY = b"coverslip-delivery-v1\n"
_SIGNED = ("device", "session", "name", "size", "sha256", "sequence", "taken_at")


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise fault(
            "Signing for a device",
            "the package 'cryptography'",
            "it is not installed",
            "Install it with: pip install 'coverslip[server]'",
        ) from error
    return ed25519


class DeviceKey:
    """A device's Ed25519 key, in memory only while it is used."""

    def __init__(self, seed: bytes) -> None:
        """Take the 32 bytes of the seed."""
        self._key = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)

    def __repr__(self) -> str:
        return f"DeviceKey({self.public})"

    @classmethod
    def create(cls, path: Path) -> DeviceKey:
        """Make a key and keep its seed (hex) in a new file of mode 0600; never replaces a file."""
        seed = secrets.token_bytes(32)
        key = cls(seed)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise misuse(
                str(path),
                "a name that is free, in a folder that can be written",
                error.strerror or "an error",
            ) from error
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(seed.hex() + "\n")
        return key

    @classmethod
    def load(cls, path: Path) -> DeviceKey:
        """Read a key; raises ``MisuseError`` when others can read the file too, or it holds no key."""
        try:
            seed = bytes.fromhex(read_private(path, "a key file"))
        except ValueError:
            seed = b""
        if len(seed) != 32:
            raise misuse(
                str(path), "64 hex digits", "something else", "Make a key with 'coverslip device keygen'."
            )
        return cls(seed)

    @property
    def public(self) -> str:
        """The public key, hex: what the instrument's record names."""
        data: bytes = self._key.public_key().public_bytes_raw()
        return data.hex()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message, hex."""
        signed: bytes = self._key.sign(message)
        return signed.hex()


def read_private(path: Path, what: str) -> str:
    """Return the text of a file only its owner can read, without the space around it.

    Raises ``MisuseError`` when it is missing, no text, or open to others.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise misuse(str(path), what, error.strerror or "an error") from error
    except UnicodeDecodeError as error:
        raise misuse(str(path), what, "bytes that are no text") from error
    if mode & 0o077:
        remedy = f"Run: chmod 600 {path}; make a new secret if others may have read it."
        raise misuse(str(path), f"{what} of mode 0600", f"mode {mode:04o}", remedy)
    return text


def statement(device: str, log: str, at: datetime | None = None) -> bytes:
    """Return what a device signs to open a session: who, at which log, now by its clock (``at``), once."""
    now = format_time(at or datetime.now(UTC))
    return canonical.encode({"device": device, "log": log, "at": now, "nonce": secrets.token_hex(16)})


def manifest(
    facts: FileFacts,
    sequence: int,
    *,
    taken_at: str = "",
    reason: str = "",
    device: str = "",
    session: str = "",
    key: DeviceKey | None = None,
) -> dict[str, Any]:
    """Return the manifest of a file: signed by a device, or with a person's reason."""
    value: dict[str, Any] = {
        "name": facts.name,
        "size": facts.size,
        "sha256": facts.sha256,
        "sequence": sequence,
    }
    if taken_at:
        value["taken_at"] = taken_at
    if reason:
        value["reason"] = reason
    if key is not None:
        signed = {n: v for n, v in ({"device": device, "session": session} | value).items() if n in _SIGNED}
        value["signature"] = key.sign(DELIVERY + canonical.encode(signed))
    return value


def header(value: dict[str, Any]) -> str:
    """Return a manifest as its header carries it. Raises ``MisuseError`` for a name that is not canonical."""
    try:
        return canonical.encode(value).hex()
    except canonical.CanonicalError as error:
        raise misuse("the manifest", "text in normal form (NFC)", str(error), "Rename the file.") from error
