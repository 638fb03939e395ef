"""The first version of the rendering, kept as it was for what was signed under it.

Rules kept here: nothing in this module is ever changed, so that the text somebody signed in an earlier
release is made again byte for byte; nothing new is signed under it (decision 0046).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row


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
    for name in sorted(row.fields.keys() - definition.type.fields.keys()):
        lines += _field(f"{name} (of an earlier definition)", row.fields[name])
    lines += ["", "Signatures", *(manifests or ("none",))]
    if row.blockers:
        lines += ["", *(f"ON HOLD: {b.number}, {b.reason}" for b in row.blockers)]
    return "\n".join(lines) + "\n"


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
        yield from (f"  - {_plain(item)}" for item in value)
    else:
        yield f"{label}: {_plain(value)}"


_LINK = frozenset({"type", "uid", "number", "revision", "version", "hash"})


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        if {"type", "number"} <= value.keys() <= _LINK:
            revision = f" v{value['revision']}" if "revision" in value else ""
            pinned = f" (version {value['version']}, {value['hash'][:12]})" if "version" in value else ""
            return f"{value['number']}{revision}{pinned}"
        if set(value) == {"value", "unit"}:
            return f"{value['value']} {value['unit']}"
        if "sha256" in value and "name" in value:
            return f"{value['name']} ({value['size']} bytes, sha256 {value['sha256']})"
        return ", ".join(f"{k}: {_plain(v)}" for k, v in sorted(value.items()))
    if isinstance(value, list):
        return "; ".join(_plain(v) for v in value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
