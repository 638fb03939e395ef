"""Typed access to values of foreign JSON: a wrong shape is a named fault, never a stray exception."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.verifier.report import BundleError

HEX_64: Final = re.compile(r"[0-9a-f]{64}")
MAX_PATH: Final = 1024
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|^[A-Za-z]:")


def load(data: bytes) -> Any:
    """Return the value of canonical JSON. Raises BundleError if it is not canonical."""
    try:
        return canonical.decode(data)
    except canonical.CanonicalError as error:
        raise BundleError(str(error)) from None


def mapping(what: str, value: Any) -> dict[str, Any]:
    """Return ``value`` if it is an object."""
    if not isinstance(value, dict):
        raise BundleError(f"{what} is not an object")
    return value


def array(what: str, value: Any) -> list[Any]:
    """Return ``value`` if it is a list."""
    if not isinstance(value, list):
        raise BundleError(f"{what} is not a list")
    return value


def text(what: str, value: Any) -> str:
    """Return ``value`` if it is a string."""
    if not isinstance(value, str):
        raise BundleError(f"{what} is not a text")
    return value


def whole(what: str, value: Any) -> int:
    """Return ``value`` if it is a whole number of at least 0."""
    if type(value) is not int or value < 0:
        raise BundleError(f"{what} is not a whole number")
    return value


def digest(what: str, value: Any) -> str:
    """Return ``value`` if it is 64 lower-case hex digits."""
    if not isinstance(value, str) or not HEX_64.fullmatch(value):
        raise BundleError(f"{what} is not a SHA-256 in hex")
    return value


def octets(what: str, value: Any) -> bytes:
    """Return the bytes of lower-case hex digits."""
    if not isinstance(value, str) or len(value) % 2 or not re.fullmatch(r"[0-9a-f]*", value):
        raise BundleError(f"{what} is not lower-case hex")
    return bytes.fromhex(value)


def keys(what: str, value: Any, required: str, optional: str = "") -> dict[str, Any]:
    """Return ``value`` if it is an object with the required and no other than the optional keys."""
    found = mapping(what, value)
    need, may = set(required.split()), set(optional.split())
    if missing := need - found.keys():
        raise BundleError(f"{what} lacks {', '.join(sorted(missing))}")
    if unknown := found.keys() - need - may:
        raise BundleError(f"{what} has the unknown key {sorted(unknown)[0]!r}")
    return found


def path(what: str, value: Any) -> str:
    """Return ``value`` if it is a relative path that no unpacking program can misread."""
    found = text(what, value)
    parts = found.split("/")
    bad = any(part in ("", ".", "..") for part in parts) or _UNSAFE.search(found)
    if bad or len(found.encode()) > MAX_PATH:
        raise BundleError(f"{what} {found[:80]!r} is not a safe relative path")
    return found


def walk(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted path, object) for every object inside ``value``, itself included."""
    if isinstance(value, dict):
        yield name, value
        for key, item in value.items():
            yield from walk(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, f"{name}.{index}" if name else str(index))
