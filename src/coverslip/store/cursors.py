"""Cursors of pages: where a list goes on, bound to the question it belongs to.

Rules kept here: a cursor is plain data, holds no part of the query, and one of another question or made up
is refused as malformed; what is in it travels as a value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import orjson

from coverslip.errors import Invalid

_MOST = 2000


def bound(question: Any) -> str:
    """Return what binds a cursor to a question: eight hex digits of its hash."""
    return hashlib.sha256(repr(question).encode()).hexdigest()[:8]


def written(question: Any, keys: list[Any]) -> str:
    """Return the cursor that goes on behind these keys."""
    data = orjson.dumps([bound(question), *keys])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(question: Any, cursor: str, count: int) -> list[Any]:
    """Return the keys of a cursor. Raises ``VAL_FORM`` for one that is not of this question."""
    try:
        if len(cursor) > _MOST:
            raise ValueError
        keys = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if not isinstance(keys, list) or len(keys) != count + 1 or keys[0] != bound(question):
            raise ValueError
        if not all(key is None or isinstance(key, str | int) for key in keys):
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise Invalid(
            "VAL_FORM", field="cursor", expected="that of this very list", found=cursor[:60]
        ) from error
    return keys[1:]
