"""The workspace of a review case: everything a reviewer looks at, and the record that it was opened.

Rules kept here:

* What is sent when an item is opened is entered as sent, to whom, at which version, with a hash over it; only
  that counts as opened.
* Exceptions first, then the trail of the subject and of every record linked to it, newest first; what is left
  out by a filter is counted.
* Nothing is decided here: conditions and refusals are the door's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.errors import CoverslipError, NotFound
from coverslip.kernel import history
from coverslip.kernel.change import Context
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.events import Event, Events
from coverslip.kernel.judging import Condition
from coverslip.kernel.rows import Row
from coverslip.kernel.view import render, shown_hash
from coverslip.ledger import canonical
from coverslip.records.quality.release_decision import TYPE as RELEASE
from coverslip.records.quality.review_case import TO_ANSWER, TYPE as CASE, exceptions_of
from coverslip.review.coverage import (
    PAGE,
    TRAIL,
    Coverage,
    Item,
    Reading as CoverageReading,
    cover,
    key_of,
    pages_of,
)
from coverslip.review.exceptions import Reading as ExceptionsReading, all_exceptions, exceptions
from coverslip.review.scope import heads, scope

ACTS = ("technical", "qa_decide")
"""The decisions a case passes through, in order."""
_UNSEEN = ("view", "export")


class Reading(CoverageReading, ExceptionsReading, Protocol):
    """What a workspace reads."""

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it."""
        ...


class Deciding(Protocol):
    """The door, asked in advance."""

    @property
    def catalogue(self) -> Any:
        """The types in force."""
        ...

    def explain(
        self, row: Row, context: Context, act: str, fields: Mapping[str, Any] | None = None
    ) -> CoverslipError | None:
        """Return why an act is not open, or None."""
        ...

    def conditions(self, row: Row, context: Context, act: str) -> list[Condition]:
        """Return every guard of an act, met or not."""
        ...


@dataclass(frozen=True)
class Filter:
    """What of the trail is shown: ``kind`` flagged, modifications or all; the rest narrows it further.

    ``first`` and ``last`` are days; ``text`` is looked for in fields, values and reasons.
    """

    kind: str = "all"
    actor: str = ""
    act: str = ""
    record: str = ""
    first: str = ""
    last: str = ""
    text: str = ""

    @property
    def whole(self) -> bool:
        """Whether it leaves nothing out."""
        return self == Filter()


@dataclass(frozen=True)
class Workspace:
    """Shows review cases and records what of them was opened."""

    door: Deciding
    reading: Reading
    events: Events

    # --- looking -------------------------------------------------------------------------------

    def coverage(self, case: Row) -> Coverage:
        """Return what there is to open and what was opened. Raises ``NOT_FOUND`` where it is no case."""
        found = cover(self.reading, case) if case.type == CASE.name else None
        if found is None:
            raise NotFound("NOT_FOUND", what="review case", record=case.number)
        return found

    def show(self, case: Row, context: Context, wanted: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return everything of a case but the content of its items; nothing counts as opened by it.

        ``listed`` is the first page of what is ``wanted`` of the trail, where it is not the whole.
        """
        found = self.coverage(case)
        mine = found.opened_by(context.person)
        entries = self._entries(found)
        chosen = _filter(wanted)
        listed = {} if chosen.whole else _page_of(entries, chosen, 1)
        act = {"in_review": "technical", "technical_done": "qa_decide"}.get(case.state, "")
        return {
            "number": case.number,
            "version": case.version,
            "state": case.state,
            "title": case.title,
            "subject": _row_value(found.subject),
            "subject_key": key_of(found.subject),
            "exceptions": self._exceptions(found, mine),
            "items": [_item_value(i, mine) for i in found.items],
            "coverage": _coverage_value(found, context.person),
            "trail": _counts(entries) | {"flagged": sum(e["flagged"] for e in entries)},
            "listed": listed,
            "arrived": found.arrived,
            "position": _position(found.case, found.heads),
            "act": act,
            "conditions": [_condition_value(c) for c in self._conditions(case, context, act)],
            "signatures": self.signatures(found),
        }

    def _conditions(self, case: Row, context: Context, act: str) -> list[Condition]:
        return self.door.conditions(case, context, act) if act else []

    def _exceptions(self, found: Coverage, mine: frozenset[str]) -> list[dict[str, Any]]:
        answers = {str(a["exception"]): str(a["answer"]) for a in found.case.fields.get("answers", ())}
        return [
            {
                **item,
                "needed": item["severity"] in TO_ANSWER,
                "answer": answers.get(str(item["key"]), ""),
                "opened": str(item["key"]) in mine,
            }
            for item in exceptions_of(found.case.fields)
        ]

    def position(self, case: Row) -> str:
        """Return where case, subject and scope stand; another answer means that something arrived."""
        link = case.fields["subject"]
        rows = self.reading.rows_of([(str(link["type"]), str(link["uid"]))])
        return _position(case, heads(self.reading, scope(self.reading, rows[0]))) if rows else ""

    def signatures(self, found: Coverage) -> dict[str, list[dict[str, Any]]]:
        """Return what was signed on subject, case and release, and what is awaited, in order."""
        rows = [found.subject, found.case, *(r for r in found.rows if r.type == RELEASE.name)]
        rows += [r for r in self.reading.linked(found.case.uid, (RELEASE.name,)) if r not in rows]
        given = [
            m | {"record": row.label, "record_version": m["version"]}
            for row in rows
            for m in history.manifests(self.reading.history(row.uid))
        ]
        signed = {(m["record"], m["meaning"]) for m in given}
        awaited = [
            {"record": row.label, "meaning": s.meaning, "text": s.text, "roles": list(s.roles), "act": t.name}
            for row in rows
            if row.type in (CASE.name, RELEASE.name)
            for t in self.door.catalogue[row.type].type.transitions
            for s in [t.signature]
            if s is not None and not t.aside and (row.label, s.meaning) not in signed
            if not self.door.catalogue[row.type].state(row.state).terminal
        ]
        return {"given": given, "awaited": awaited}

    # --- opening -------------------------------------------------------------------------------

    def item(self, case: Row, key: str, context: Context) -> dict[str, Any]:
        """Return one item with its evidence, and enter that it was sent to this person.

        Raises ``NOT_FOUND`` where the case has no such item.
        """
        found = self.coverage(case)
        item = next((i for i in found.items if i.key == key), None)
        if item is None:
            raise NotFound("NOT_FOUND", what="review item", record=f"{case.number} {key[:60]}")
        value = self._exception(found, item) if item.kind == "exception" else self._record(found, item)
        mine = found.opened_by(context.person) | {item.key}
        self._enter(case, found, item, value, context)
        return (
            value | _item_value(item, mine) | {"coverage": _coverage_value(found, context.person, item.key)}
        )

    def _enter(self, case: Row, found: Coverage, item: Item, value: dict[str, Any], context: Context) -> None:
        detail = {"record": case.number, "version": case.version, "item": item.key, "shown": value["shown"]}
        about = case
        if item.kind == "record":
            about = next(row for row in found.rows if row.uid == item.uid)
            detail |= {"record": about.number, "version": about.version, "case": case.number}
        self.events.view(Event("view", "view", detail, about), context)

    def _exception(self, found: Coverage, item: Item) -> dict[str, Any]:
        stated = next(i for i in exceptions_of(found.case.fields) if str(i["key"]) == item.key)
        now = next(
            (e for e in all_exceptions(self.reading, found.rows, found.subject) if e.key == item.key), None
        )
        evidence = dict(now.evidence) if now is not None else {}
        record = next((r for r in found.rows if r.label == stated["record"]), None)
        images = [r for r in found.rows if r.number in evidence.get("images", ())]
        if record is not None and record.type == "image":
            images.append(record)
        answers = [a for a in found.case.fields.get("answers", ()) if str(a["exception"]) == item.key]
        value = {
            "severity": stated["severity"],
            "sentence": stated["sentence"],
            "record": _row_value(record) if record is not None else {"number": stated["record"]},
            "entry": evidence.get("entry") or {},
            "images": [_row_value(r) for r in images],
            "gone": now is None,
            "answer": str(answers[0]["answer"]) if answers else "",
        }
        text = f"{stated['sentence']}\n{(value['entry'] or {}).get('leaf_hash', '')}"
        return value | {"shown": _hash(text)}

    def _record(self, found: Coverage, item: Item) -> dict[str, Any]:
        row = next(r for r in found.rows if r.uid == item.uid)
        catalogue: Catalogue = self.door.catalogue
        manifests = history.manifests(self.reading.history(row.uid))
        text = render(catalogue.under(row.type, row.definition), row, manifests)
        return {"record": _row_value(row), "text": text, "shown": shown_hash(text)}

    # --- the trail -----------------------------------------------------------------------------

    def trail(
        self, case: Row, context: Context, page: int = 1, wanted: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return one page of the trail, newest first, and enter that it was sent where nothing is left out.

        ``wanted``: values of a ``Filter``, by name. ``next`` is the page to go on with (0: none). A filtered
        page opens nothing.
        """
        chosen = _filter(wanted)
        found = self.coverage(case)
        value = _page_of(self._entries(found), chosen, page)
        if chosen.whole:
            digest = _hash("\n".join(str(e["leaf_hash"]) for e in value["entries"]))
            detail = {
                "record": case.number, "version": case.version, "item": TRAIL, "page": value["page"],
                "of": value["pages"], "entries": found.entries, "shown": digest,
            }  # fmt: skip
            self.events.view(Event("view", "view", detail, case), context)
        return value

    def _entries(self, found: Coverage) -> list[dict[str, Any]]:
        """Return the trail of the scope, newest first; each with its record and whether it is flagged."""
        rows = {str(h["uid"]): str(h["record"]) for h in found.heads}
        by_record: dict[str, list[dict[str, Any]]] = {uid: [] for uid in rows}
        for entry in self.reading.histories(list(rows)):
            by_record[entry["of"]].append(entry)
        told = {uid: history.trail(of) for uid, of in by_record.items()}
        flagged = _flagged(found, told)
        came = {row["uid"]: row["from_version"] for row in found.arrived}
        entries = [
            one | {
                "record": rows[uid],
                "flagged": one["leaf_hash"] in flagged,
                "modification": one["version"] is not None and one["version"] > 1,
                "new": uid in came and one["version"] is not None and one["version"] > came[uid],
            }
            for uid, of in told.items()
            for one in of
            if one["type"] not in _UNSEEN
        ]  # fmt: skip
        return sorted(entries, key=_order, reverse=True)


def _flagged(found: Coverage, told: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    """Return the leaf hashes of the entries that an exception names."""
    rows = {row.uid: row for row in found.rows}
    return {
        str(one.evidence["entry"]["leaf_hash"])
        for uid, of in told.items()
        for one in exceptions(of, rows[uid], found.subject)
        if "entry" in one.evidence
    }


def _filter(wanted: Mapping[str, str] | None) -> Filter:
    return Filter(**{name: value for name, value in (wanted or {}).items() if value})


def _page_of(entries: list[dict[str, Any]], wanted: Filter, page: int) -> dict[str, Any]:
    """Return one page of what passes a filter, with counts of everything."""
    shown = [e for e in entries if _passes(e, wanted)]
    pages = pages_of(len(shown))
    page = min(max(1, page), pages)
    return {
        "entries": shown[(page - 1) * PAGE : page * PAGE],
        "page": page,
        "pages": pages,
        "next": page + 1 if page < pages else 0,
        "shown": len(shown),
        **_counts(entries),
        "flagged": sum(e["flagged"] for e in entries),
    }


def _order(entry: Mapping[str, Any]) -> tuple[int, str]:
    """Order by place in the tree; what has none yet is the newest."""
    return (int(entry["index"]) if entry["index"] is not None else 1 << 62, str(entry["at"]))


def _passes(entry: Mapping[str, Any], wanted: Filter) -> bool:
    kinds = {"flagged": entry["flagged"], "modifications": entry["modification"]}
    told = [entry["reason"], *(f"{c['field']} {c['old']} {c['new']}" for c in entry["changes"])]
    return (
        bool(kinds.get(wanted.kind, True))
        and wanted.actor in ("", entry["actor"], entry["actor_name"])
        and wanted.act in ("", entry["act"])
        and wanted.record in ("", entry["record"])
        and (not wanted.first or str(entry["at"])[:10] >= wanted.first)
        and (not wanted.last or str(entry["at"])[:10] <= wanted.last)
        and (not wanted.text or any(wanted.text.lower() in str(t).lower() for t in told))
    )


def _counts(entries: list[dict[str, Any]]) -> dict[str, int]:
    return {"all": len(entries), "modifications": sum(e["modification"] for e in entries)}


def _position(case: Row, found: list[dict[str, Any]]) -> str:
    return _hash(canonical.encode([case.version, found]).decode())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _row_value(row: Row) -> dict[str, Any]:
    return {
        "type": row.type, "number": row.number, "label": row.label, "version": row.version,
        "state": row.state, "title": row.title, "leaf_hash": row.leaf_hash,
        "holds": [{"number": b.number, "reason": b.reason} for b in row.blockers],
    }  # fmt: skip


def _item_value(item: Item, mine: frozenset[str]) -> dict[str, Any]:
    return {
        "key": item.key, "kind": item.kind, "says": item.says, "item_version": item.version,
        "needed": item.needed, "opened": item.key in mine,
    }  # fmt: skip


def _coverage_value(found: Coverage, person: str, also: str = "") -> dict[str, Any]:
    """Return how much a person opened: of what is needed, of everything, and of the trail."""
    mine = found.opened_by(person) | {also}
    needed = [i for i in found.items if i.needed]
    trail = next((t for t in found.trails if t["person"] == person), None)
    return {
        "needed": len(needed),
        "needed_opened": sum(i.key in mine for i in needed),
        "all": len(found.items),
        "all_opened": sum(i.key in mine for i in found.items),
        "unopened": [{"key": i.key, "says": i.says} for i in needed if i.key not in mine],
        "entries": found.entries,
        "trail_pages": pages_of(found.entries),
        "trail_opened": trail["pages"] if trail and trail["entries"] == found.entries else 0,
        "trail_new": max(0, found.entries - trail["entries"]) if trail else found.entries,
    }


def _condition_value(one: Condition) -> dict[str, Any]:
    return {
        "says": one.says,
        "met": one.met,
        "unmet": list(one.unmet),
        "code": one.code,
        "proof": [{"label": r.label, "state": r.state, "version": r.version} for r in one.proof[:5]],
        "proofs": len(one.proof),
    }
