"""Canonical JSON: the restricted RFC 8785 profile every hashed byte of the ledger is written in.

Rules kept here:

* Values are objects, arrays, strings, integers and booleans. No null (absent is absent), no float
  (a decimal is a string), so no number formatting is ever in doubt.
* Keys match ``[a-z0-9_]+``: code-point order and RFC 8785's UTF-16 order are then the same.
* Strings are NFC and hold no lone surrogate. Integers lie strictly between -2**53 and 2**53.
* ``decode`` accepts only bytes that ``encode`` would have written, so equal values are equal bytes
  and a hash over bytes is a hash over the value.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from unicodedata import is_normalized

from coverslip.ledger.failure import CanonicalError

__all__ = ["MAX_DEPTH", "MAX_INT", "CanonicalError", "decode", "encode"]

MAX_INT: Final = 2**53 - 1
MAX_DEPTH: Final = 64
"""Nesting beyond this is refused, so that hostile input cannot exhaust the stack."""

_KEY: Final = re.compile(r"[a-z0-9_]+")
_KEYS_KEPT: Final = 4096
_keys: set[str] = set()
"""Keys found to be of the form; the few hundred that declarations use are asked about once."""
_dump: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def encode(value: Any) -> bytes:
    """Return the canonical UTF-8 bytes of ``value``; tuples count as arrays.

    Raises:
        CanonicalError: a value outside the profile; its ``path`` names the place.
    """
    _check(value, 0)
    return _dump(value).encode()


def decode(data: bytes) -> Any:
    """Return the value of canonical bytes, so that ``encode(decode(data)) == data``.

    Raises:
        CanonicalError: not UTF-8, not JSON, outside the profile, a repeated key, or any other
            spelling than the canonical one (spaces, key order, escapes, ``-0``).
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text)
    except RecursionError:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise CanonicalError(f"not JSON in UTF-8: {error}") from None
    if encode(value) != data:
        raise _spelling(text)
    return value


def _check(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
    elif kind is dict:
        _check_object(value, depth + 1)
    elif kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise CanonicalError("integer not strictly within 2**53")
    elif kind is list or kind is tuple:
        _check_array(value, depth + 1)
    elif kind is bool:
        pass
    elif isinstance(value, str):
        _check_text(value)
    else:
        raise CanonicalError(_refusal(value))


def _check_object(value: dict[Any, Any], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
    for key, item in value.items():
        # The key is asked for its type first: a value that merely equals a known key is none.
        if type(key) is not str or (key not in _keys and not _new_key(key)):
            raise CanonicalError(f"key {key!r} does not match [a-z0-9_]+")
        if type(item) is str and item.isascii():
            continue
        try:
            _check(item, depth)
        except CanonicalError as error:
            raise error.under(f".{key}") from None


def _new_key(key: str) -> bool:
    if not _KEY.fullmatch(key):
        return False
    if len(_keys) < _KEYS_KEPT:
        _keys.add(key)
    return True


def _check_array(value: list[Any] | tuple[Any, ...], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
    for index, item in enumerate(value):
        try:
            _check(item, depth)
        except CanonicalError as error:
            raise error.under(f"[{index}]") from None


def _check_text(value: str) -> None:
    if not is_normalized("NFC", value):
        raise CanonicalError("string is not in Unicode form NFC")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CanonicalError("string holds a lone surrogate") from None


def _refusal(value: Any) -> str:
    if value is None:
        return "null; leave the key out"
    if isinstance(value, float):
        return "float; write a decimal as a string"
    return f"a {type(value).__name__} has no canonical form"


def _spelling(text: str) -> CanonicalError:
    """Say why ``text``, whose value is within the profile, is not its canonical spelling."""
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            repeated.extend(key for key, _ in items if sum(key == other for other, _ in items) > 1)
        return found

    json.loads(text, object_pairs_hook=pairs)
    if repeated:
        return CanonicalError(f"key {repeated[0]!r} is repeated")
    return CanonicalError("not the canonical spelling (space, key order, escape or number form)")
