"""Views: the one rendering of a record that a person reads before signing, and its hash.

Rules kept here: the same content gives the same text, byte for byte, in every release that carries
this version of the rendering; signatures show printed name, time and meaning wherever the record is
shown (P11-50-b).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row

VERSION = 1


def render(definition: Definition, row: Row, manifests: Sequence[str] = ()) -> str:
    """Return the record as plain text: heading, fields in declared order, signatures."""
    lines = [
        f"{row.label}  {row.title}",
        f"{definition.type.title} · version {row.version} · state {row.state} · {_regime(row)}",
        *_happened(row),
        "",
    ]
    for name, declared in definition.type.fields.items():
        if name in row.fields:
            lines += _field(declared.label, row.fields[name])
    # What an earlier definition asked for is part of the record still, and of what is signed.
    for name in sorted(row.fields.keys() - definition.type.fields.keys()):
        lines += _field(f"{name} (of an earlier definition)", row.fields[name])
    lines += ["", "Signatures", *(manifests or ("none",))]
    if row.blockers:
        lines += ["", *(f"ON HOLD: {b.number}, {b.reason}" for b in row.blockers)]
    return "\n".join(lines) + "\n"


def shown_hash(text: str) -> str:
    """Return the hex SHA-256 of a rendering, with its version, as a signature names it."""
    return hashlib.sha256(f"coverslip-view-v{VERSION}\n{text}".encode()).hexdigest()


def _regime(row: Row) -> str:
    return "SANDBOX, not regulated" if row.content.get("sandbox") else f"gxp {row.gxp}"


def _happened(row: Row) -> Iterator[str]:
    at = row.content.get("occurred_at")
    if at:
        how = "Late entry: it happened at" if row.content.get("late") else "It happened at"
        yield f"{how} {at}, as stated by who entered it"


def _field(label: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield f"{label}: {len(value)}"
        yield from (f"  - {plain(item)}" for item in value)
    else:
        yield f"{label}: {plain(value)}"


_LINK = frozenset({"type", "uid", "number", "revision", "version", "hash"})


def is_link(value: dict[str, Any]) -> bool:
    """Return whether a value is a link to a record."""
    return {"type", "number"} <= value.keys() <= _LINK


def plain(value: Any) -> str:
    """Return one value as people read it."""
    if isinstance(value, dict):
        if is_link(value):
            revision = f" v{value['revision']}" if "revision" in value else ""
            pinned = f" (version {value['version']}, {value['hash'][:12]})" if "version" in value else ""
            return f"{value['number']}{revision}{pinned}"
        if set(value) == {"value", "unit"}:
            return f"{value['value']} {value['unit']}"
        if "sha256" in value and "name" in value:
            return f"{value['name']} ({value['size']} bytes, sha256 {value['sha256']})"
        return ", ".join(f"{k}: {plain(v)}" for k, v in sorted(value.items()))
    if isinstance(value, list):
        return "; ".join(plain(v) for v in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
