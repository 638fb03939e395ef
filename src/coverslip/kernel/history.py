"""History: what changed between versions, field by field, and what was signed.

Rules kept here: old and new come from two full versions, never from a stored difference; a signature
is told with printed name, time with zone, and meaning (P11-50).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.clock import people_time
from coverslip.kernel.view import is_link, plain

_QUIET = ("people",)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs; ``None`` where it was not there."""

    field: str
    old: str | None
    new: str | None

    def value(self) -> dict[str, Any]:
        """Return the JSON form; absent sides are empty text."""
        return {"field": self.field, "old": self.old or "", "new": self.new or ""}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and not _is_one(value):
        for key, item in sorted(value.items()):
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(i, dict | list) for i in value):
        for position, item in enumerate(value):
            yield from _flat(item, f"{name}[{position}]")
    else:
        yield name, plain(value)


def _is_one(value: dict[str, Any]) -> bool:
    """Whether a person reads this object as one value: a link, a quantity, a file."""
    return is_link(value) or set(value) == {"value", "unit"} or {"sha256", "name"} <= set(value)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldChange]:
    """Return the fields that differ between two contents, in order of their names."""
    before = dict(_flat({k: v for k, v in old.items() if k not in _QUIET}))
    after = dict(_flat({k: v for k, v in new.items() if k not in _QUIET}))
    return [
        FieldChange(name.removeprefix("fields."), before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def contents(entries: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the content of every version of the record itself, personal fields included."""
    found: dict[int, dict[str, Any]] = {}
    for entry in entries:
        content = entry["sections"].get("content")
        if content is not None and not entry["about"]:
            personal = entry["sections"].get("personal") or {}
            found[entry["version"]] = {**content, "fields": {**content["fields"], **personal}}
    return found


def trail(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the trail as people read it, oldest first, with each version's changed fields."""
    found = contents(entries)
    rows = []
    for entry in entries:
        own = not entry["about"]
        now = found.get(entry["version"]) if own else None
        rows.append(told(entry, found.get(entry["version"] - 1, {}), now))
    return rows


def told(
    entry: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return one entry as people read it; ``before`` and ``now`` are the contents on both sides of it.

    ``now`` is None where the entry is no version of a record, or its content is not there.
    """
    own = not entry["about"]
    context = entry["sections"].get("context") or {}
    return {
        "index": entry["index"],
        "entry": entry["entry"],
        "at": entry["at"],
        "at_text": people_time(entry["at"], context.get("zone", "UTC")),
        "type": entry["type"],
        "act": entry["act"],
        "version": entry["version"] if own else None,
        "actor": entry["actor"],
        "actor_name": entry["actor_name"],
        "auth": entry["auth"],
        "behalf": entry.get("behalf") or "",
        "late": bool(now.get("late")) if now is not None else False,
        "occurred_at": now.get("occurred_at", "") if now is not None else "",
        "reason": entry["sections"].get("reason", ""),
        "meaning": entry.get("meaning") or "",
        "workstation": context.get("workstation", ""),
        "address": context.get("address", ""),
        "detail": entry["sections"].get("detail") or {},
        "changes": [c.value() for c in changes(before, now)] if now is not None else [],
        "leaf_hash": entry["leaf_hash"],
    }


def _for(signer: Mapping[str, Any]) -> str:
    behalf = signer.get("behalf")
    return f" for {behalf['name']}, delegation {behalf['delegation']}" if behalf else ""


def manifests(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifestation of every signature on the record: name, time, meaning, and what was signed."""
    found = []
    for entry in entries:
        signed = entry["sections"].get("signature")
        if not signed or entry["about"]:
            continue
        statement = signed["statement"]
        when = people_time(entry["at"], statement["zone"])
        signer = statement["signer"]
        found.append(
            {
                "name": signer["name"],
                "username": signer["username"],
                "role": signer["role"],
                "at": entry["at"],
                "at_text": when,
                "meaning": statement["meaning"],
                "meaning_text": statement["meaning_text"],
                "version": entry["version"],
                "act": statement["act"],
                "components": statement["components"],
                "reason": entry["sections"].get("reason", ""),
                "kid": signed["kid"],
                "behalf": signer.get("behalf"),
                "text": f"{signer['name']}{_for(signer)} ({signer['role']}), {when}, {statement['meaning']}:"
                f" {statement['meaning_text']}",
            }
        )
    return found
