"""Addresses before anybody looks at what they name: a path or query with control characters names nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from coverslip.errors import CoverslipError, Invalid, NotFound


def unreadable(path: str, asked: Iterable[tuple[str, str]]) -> CoverslipError | None:
    """Return why a path or query, names with values, cannot name anything (``NOT_FOUND``, ``VAL_FORM``), or
    ``None``."""
    if has_control(path):
        return NotFound("NOT_FOUND", what="page", record="with such a name")
    for name, value in asked:
        if has_control(name + value):
            field = name[:40] if name.isprintable() else "the query"
            expected, found = "text without them", "control characters"
            return Invalid("VAL_FORM", field=field, expected=expected, found=found)
    return None


def has_control(text: str) -> bool:
    """Whether a text has characters that nobody sees and no database keeps."""
    return any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
