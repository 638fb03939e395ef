"""Requests before anybody looks at their meaning: one reading of a body, no characters nobody sees.

Rules kept here:

* JSON that two readers could take differently is refused: a name given twice, numbers that are none,
  lone surrogates, NUL, nesting beyond ``MAX_DEPTH``.
* A path or query with control characters names nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import Request

from coverslip.application.addresses import has_control, unreadable
from coverslip.errors import CoverslipError, Invalid

MAX_DEPTH = 64
_CURSOR = re.compile(
    r"|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z|\d{4}-\d\d-\d\d/\d{1,12}\.\d{1,6})"
    r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
"""Of a list: when and which; of work: due, when, which."""


def _bad(found: str, field: str = "the request") -> Invalid:
    return Invalid("VAL_FORM", field=field, expected="well-formed JSON with one meaning", found=found)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _bad("a name given twice")
    return value


def _no_number(text: str) -> Any:
    raise _bad(text)


def check_body(body: bytes) -> None:
    """Return if a JSON body has one meaning; raises ``VAL_FORM``."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _bad("something else") from None
    _check(value, 0)


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _bad(f"more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check(item, depth + 1)


def _check_text(text: str) -> None:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise _bad("characters that are none")


def check_address(request: Request) -> CoverslipError | None:
    """Return why a path or query cannot name anything, or ``None``."""
    asked = request.query_params.multi_items()
    for name, value in asked:
        if name == "cursor" and not has_control(value) and not _CURSOR.fullmatch(value):
            return _bad("another text", "cursor")
    return unreadable(request.url.path, asked)
