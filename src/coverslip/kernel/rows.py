"""Records as the kernel reads them: frozen facts of one moment.

Rules kept here: a row is never changed; content is the full content of its version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Blocker:
    """An active hold on a record."""

    number: str
    reason: str
    uid: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record at its latest version.

    ``seq`` moves with everything a guard can read about the record; ``leaf_hash`` and ``definition``
    are hex. ``content`` is the decoded ``content`` section; ``fields`` its fields.
    """

    type: str
    uid: str
    number: str
    revision: int
    version: int
    seq: int
    state: str
    title: str
    gxp: str
    leaf_hash: str
    definition: str
    content: dict[str, Json]
    created_at: str = ""
    created_by: str = ""
    changed_at: str = ""
    changed_by: str = ""
    site: str = ""
    blockers: tuple[Blocker, ...] = ()

    @property
    def fields(self) -> dict[str, Json]:
        """Fields of the content, by name."""
        found: dict[str, Json] = self.content.get("fields", {})
        return found

    @property
    def people(self) -> dict[str, list[str]]:
        """Who did what on this record: act or ``signed_<meaning>`` or ``touched`` -> person ids."""
        found: dict[str, list[str]] = self.content.get("people", {})
        return found

    @property
    def label(self) -> str:
        """Number as people say it: ``SOP-0012 v3`` where the type has revisions."""
        return f"{self.number} v{self.revision}" if self.revision else self.number

    def link(self, *, pinned: bool = True) -> dict[str, Json]:
        """Return the link value that names this record, pinned to this version or not."""
        value: dict[str, Json] = {"type": self.type, "uid": self.uid, "number": self.number}
        if self.revision and pinned:
            value["revision"] = self.revision
        if pinned:
            value |= {"version": self.version, "hash": self.leaf_hash}
        return value


@dataclass(frozen=True, slots=True)
class Authority:
    """One row of what a record confers: ``kind`` account, role, trained, esign, certified, device,
    role_document, needs_certification, policy or refines; ``person`` is nil where it holds for all."""

    person: str
    kind: str
    code: str
    subject: str
    valid_from: str
    valid_to: str
    source: str
    data: dict[str, Json] = field(default_factory=dict)


def row_from(value: dict[str, Json]) -> Row:
    """Build a row from the JSON shape the store returns."""
    blockers = tuple(
        Blocker(str(b["number"]), str(b.get("reason", "")), str(b.get("uid", "")))
        for b in value.get("blockers") or ()
    )
    known = {k: value.get(k) for k in Row.__dataclass_fields__ if k not in ("blockers", "definition")}
    texts = ("site", "created_at", "created_by", "changed_at", "changed_by")
    known |= {k: str(known[k] or "") for k in texts}
    return Row(**known, definition=str(value.get("def") or ""), blockers=blockers)  # type: ignore[arg-type]


NIL = "00000000-0000-0000-0000-000000000000"
"""Stands for everybody in authority rows."""
