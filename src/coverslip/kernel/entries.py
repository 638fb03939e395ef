"""Entries: from drafts to the exact bytes the ledger keeps.

Rules kept here:

* The leaf holds identifiers, hashes and times only; content, reason and place are sections, each
  behind a salted commitment (LEDGER D6).
* Personal fields and free text go into erasable sections, everything else into fixed ones.
* A leaf's ``prev`` is the hash of the version the decision was made on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from coverslip.errors import Invalid
from coverslip.kernel.change import Context
from coverslip.kernel.definition import Definition
from coverslip.kernel.drafts import Draft
from coverslip.kernel.ports import NewEntry
from coverslip.kernel.projecting import project, same_links
from coverslip.ledger import canonical, commitment, files, leaf
from coverslip.ledger.identity import uuid7

SOFTWARE = "coverslip/0.1.0"


_FILE_KEYS = frozenset({"root", "sha256", "size", "name"})


@dataclass(frozen=True, slots=True)
class Section:
    """One section with its salt: 32 bytes; ``commitment`` is hex."""

    name: str
    content: bytes
    salt: bytes

    @property
    def commitment(self) -> str:
        """Commitment, hex."""
        return commitment.commit(self.name, self.salt, self.content).hex()


def section(name: str, value: Any) -> Section:
    """Return a section with a new salt; ``reason`` is text, everything else canonical JSON."""
    content = value.encode() if name == "reason" else canonical.encode(value)
    return Section(name, content, commitment.new_salt())


@dataclass(frozen=True, slots=True)
class Frame:
    """What all entries of one command share; ``behalf``: the person acted for, empty where for oneself."""

    log: str
    command: str
    at: str
    clock: Mapping[str, Any]
    context: Context
    type: str = "record"
    behalf: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A built entry: what the store takes, its uuid and leaf hash (hex)."""

    new: NewEntry
    entry: str
    leaf_hash: str


def split_personal(definition: Definition, content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (content without personal fields, the personal fields)."""
    names = {n for n, f in definition.type.fields.items() if f.personal}
    fields: dict[str, Any] = content["fields"]
    personal = {n: v for n, v in fields.items() if n in names}
    if not personal:
        return content, {}
    return {**content, "fields": {n: v for n, v in fields.items() if n not in names}}, personal


def content_sections(draft: Draft) -> dict[str, Section]:
    """Return the sections a signature covers: content, personal, reason, snapshot, files."""
    content, personal = split_personal(draft.definition, draft.content)
    found = {"content": section("content", content)}
    if personal:
        found["personal"] = section("personal", personal)
    if draft.reason:
        found["reason"] = section("reason", draft.reason)
    if draft.snapshot:
        found["snapshot"] = section("snapshot", draft.snapshot)
    items = file_items(draft)
    if items:
        found["files"] = section("files", items)
    return found


def file_items(draft: Draft) -> list[dict[str, Any]]:
    """Return every file the content names, sorted by path, as the ``files`` section holds them.

    Raises ``VAL_FORM`` where two different files have one name: one of them would leave no trace there.
    """
    found: dict[str, dict[str, Any]] = {}
    for value in draft.fields.values():
        if not isinstance(value, list | dict):
            continue
        for item in value if isinstance(value, list) else [value]:
            for candidate in [item, *(item.values() if isinstance(item, dict) else ())]:
                if isinstance(candidate, dict) and candidate.keys() >= _FILE_KEYS:
                    path = candidate["name"]
                    listed = {"path": path} | {k: candidate[k] for k in ("root", "sha256", "size")}
                    if found.setdefault(path, listed) != listed:
                        raise Invalid(
                            "VAL_FORM",
                            record=draft.number,
                            field="files",
                            expected="one name for each file",
                            found=f"two files named '{path[:60]}'",
                        )
    return [found[path] for path in sorted(found)]


def context_value(context: Context) -> dict[str, str]:
    """Return where an act came from, as its ``context`` section says it."""
    value = {
        "workstation": context.workstation,
        "address": context.address,
        "client": context.client,
        "zone": context.zone,
    }
    return {k: v for k, v in value.items() if v}


def build_record(frame: Frame, draft: Draft, sections: Mapping[str, Section], meaning: str = "") -> Built:
    """Build the entry of one record version; ``sections`` as signed, plus signature where there is one."""
    merged = dict(sections)
    merged["context"] = section("context", context_value(frame.context))
    items = file_items(draft)
    listed = leaf.Files(files.list_root(items).hex(), len(items)) if items else None
    base = draft.base
    head = leaf.Record(draft.definition.name, draft.uid, draft.version, base.leaf_hash if base else None)
    projection = project(draft.definition, draft.uid, draft.content)
    if base is not None and same_links(draft.definition, base, draft.content):
        projection = replace(projection, keep_links=True)
    return _build(
        frame,
        act=draft.act,
        record=head,
        sections=merged,
        definition=draft.definition.hash,
        meaning=meaning or None,
        listed=listed,
        projection=projection,
    )


def build_event(
    frame: Frame,
    kind: str,
    stream: str,
    version: int,
    prev: str | None,
    act: str,
    sections: Mapping[str, Section],
    about: leaf.About | None = None,
) -> Built:
    """Build an entry of a session's or the installation's stream."""
    return _build(
        frame, act=act, record=leaf.Record(kind, stream, version, prev), sections=sections, about=about
    )


def _build(
    frame: Frame,
    *,
    act: str,
    record: leaf.Record,
    sections: Mapping[str, Section],
    definition: str | None = None,
    meaning: str | None = None,
    listed: leaf.Files | None = None,
    projection: Any = None,
    about: leaf.About | None = None,
) -> Built:
    ordered = [sections[name] for name in sorted(sections)]
    made = leaf.Leaf(
        log=frame.log,
        entry=str(uuid7()),
        type=frame.type,
        act=act,
        cmd=frame.command,
        record=record,
        actor=leaf.Actor(
            frame.context.person, frame.context.session, frame.context.auth, frame.behalf or None
        ),
        at=frame.at,
        clock=leaf.Clock(frame.clock["off_us"], frame.clock["src"], frame.clock["ok"]),
        sw=SOFTWARE,
        bodies=tuple(leaf.BodyRef(s.name, s.commitment, len(s.content)) for s in ordered),
        about=about,
        files=listed,
        definition=definition,
        meaning=meaning,
    )
    data = made.to_bytes()
    fixed = [s for s in ordered if s.name not in commitment.ERASABLE]
    erasable = [s for s in ordered if s.name in commitment.ERASABLE]
    new = NewEntry(
        stream=UUID(record.id),
        kind=record.kind,
        version=record.ver,
        prev=bytes.fromhex(record.prev) if record.prev else None,
        leaf=data,
        fixed_salts=b"".join(s.salt for s in fixed),
        fixed=b"".join(s.content for s in fixed),
        erasable_salts=b"".join(s.salt for s in erasable) if erasable else None,
        erasable=b"".join(s.content for s in erasable) if erasable else None,
        projection=projection,
        about=UUID(about.id) if about else None,
    )
    return Built(new, made.entry, leaf.hash(data).hex())


def instant(text: str) -> dt.datetime:
    """Return an ISO 8601 instant as an aware datetime."""
    return dt.datetime.fromisoformat(text)
