"""Retention of records as they stand: which clocks run for each, who preserves it, what is due.

Rules kept here:

* A record is kept as long as itself, what it belongs to, and anything built on it (RET-E1, RET-E3).
* Records whose class follows others (documents, people, the system) lengthen nobody's period, except that a
  document is kept for what was made under it.
* What a legal hold preserves is not due, whatever its clocks say (RET-E4); nor is what is on hold.
* A record with no class, or that belongs to nothing yet, is open: kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.records.organisation.site import TYPE as SITE
from coverslip.records.quality.disposal import EXECUTED
from coverslip.retention.calendar import day_of
from coverslip.retention.computing import Answer, Clock, Held, Value, answer, clocks
from coverslip.retention.family import Family, Reading
from coverslip.retention.rules import FOLLOWERS, Rule, Term

SCANNED = 2000
"""Records looked at for one page of what is due."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """How long a record is kept, who preserves it (number and title), and the holds on it."""

    row: Row
    answer: Answer
    preserved_by: tuple[str, ...]
    disposed_under: str = ""

    def over(self, today: dt.date) -> bool:
        """Return whether retention is over and nobody preserves the record; holds are asked apart."""
        return self.answer.over(today) and not self.preserved_by

    def due(self, today: dt.date) -> bool:
        """Return whether nothing asks any more that the record is kept."""
        return self.over(today) and not self.row.blockers and not self.disposed_under

    def until(self) -> str:
        """Return until when, in words: a date, or what is waited for."""
        if self.preserved_by:
            return f"{self.preserved_by[0]} is released"
        if self.answer.until is not None:
            return self.answer.until.isoformat()
        return self.answer.clock.because.removeprefix("waiting for: ")

    def because(self) -> str:
        """Return the rule and its reason, in words."""
        if self.preserved_by:
            return "a legal hold preserves it"
        clock = self.answer.clock
        return f"{clock.citation} ({clock.number}): {clock.because}"

    def value(self, today: dt.date) -> dict[str, Any]:
        """Return the JSON form that page, interface and command show."""
        until = {"keep_until": self.answer.until.isoformat()} if self.answer.until else {}
        return {
            "number": self.row.label,
            "sentence": self.answer.sentence,
            "open": self.answer.until is None,
            **until,
            "rule": self.answer.clock.rule,
            "citation": self.answer.clock.citation,
            "because": self.answer.clock.because,
            "rule_version": self.answer.version,
            "clocks": [clock.value() for clock in self.answer.clocks],
            "preserved_by": list(self.preserved_by),
            "on_hold": [blocker.number for blocker in self.row.blockers],
            "due": self.due(today),
            **({"disposed_under": self.disposed_under} if self.disposed_under else {}),
        }


class Retentions:
    """Computes retention from what is declared and what is linked now."""

    def __init__(self, catalogue: Catalogue, reading: Reading, today: Callable[[], str]) -> None:
        """``today`` gives the date as text; the database's, so that no workstation's clock counts."""
        self._catalogue, self._reading, self._today = catalogue, reading, today

    def today(self) -> dt.date:
        """Return the date everything is compared with."""
        return dt.date.fromisoformat(self._today()[:10])

    def size(self) -> int:
        """Return the size of the tree that was looked at."""
        return self._reading.size()

    def rows(self, uids: Sequence[str]) -> list[Row]:
        """Return records by uid."""
        return self._reading.rows(uids)

    def of(self, rows: Sequence[Row]) -> dict[str, Kept]:
        """Return how long each of these records is kept, by uid."""
        return self._of(rows, Family(self._catalogue, self._reading, rows))

    def _of(self, rows: Sequence[Row], family: Family) -> dict[str, Kept]:
        wanted = [_Wanted(row, family, self._catalogue) for row in rows]
        known = {row.uid: row for row in rows}
        missing = {uid for one in wanted for uid in one.holding} - known.keys()
        known |= {row.uid: row for row in self._reading.rows(sorted(missing))} if missing else {}
        holders = self._holders({uid for one in wanted for uid, _ in one.preservers})
        disposals = self._disposals({uid for row in rows for uid in family.disposals.get(row.uid, ())})
        sites = _sites(self._reading.of_type(SITE.name))
        found: dict[str, list[Clock]] = {}

        def of_one(uid: str) -> list[Clock]:
            if uid not in found:
                found[uid] = list(self._clocks(known[uid], sites)) if uid in known else []
            return found[uid]

        kept = {}
        for one in wanted:
            said = [clock for uid in sorted(one.holding) for clock in of_one(uid)]
            own = [clock for uid in sorted({one.row.uid, *one.above}) for clock in of_one(uid)]
            if not own:
                said.append(_unknown(one.row, self._catalogue))
            preserved = {holders[uid] for uid, field in one.preservers if (uid, field) in holders.active}
            gone = sorted(disposals[uid] for uid in family.disposals.get(one.row.uid, ()) if uid in disposals)
            kept[one.row.uid] = Kept(
                one.row, answer(said, one.row.label), tuple(sorted(preserved)), "".join(gone[:1])
            )
        return kept

    def one(self, row: Row) -> dict[str, Any]:
        """Return how long one record is kept, in the form that is shown."""
        return self.of([row])[row.uid].value(self.today())

    def soon(self, row: Row, most: int) -> dict[str, Any] | None:
        """Return ``one``; None where more than ``most`` records would have to be looked at for it."""
        family = Family(self._catalogue, self._reading, [row], most)
        return None if family.wide else self._of([row], family)[row.uid].value(self.today())

    def due(self, cursor: str) -> tuple[list[dict[str, Any]], str]:
        """Return records that nothing asks to be kept any more, and where to go on (empty: at the end)."""
        types = [d.name for d in self._catalogue if d.type.retention.class_ not in ("PERS", "SYS")]
        today, found, last = self.today(), list[dict[str, Any]](), cursor
        for _ in range(SCANNED // _BATCH):
            rows = self._reading.page(types, last, _BATCH)
            if rows:
                kept = self.of(rows)
                found += [kept[row.uid].value(today) for row in rows if kept[row.uid].due(today)]
                last = rows[-1].uid
            if len(rows) < _BATCH:
                return found, ""
        return found, last

    def _clocks(self, row: Row, sites: _Sites) -> Iterator[Clock]:
        declared = self._catalogue[row.type].type
        class_ = _class(declared, row)
        if row.content.get("sandbox"):
            day = day_of(row.created_at or "1970-01-01")
            yield Clock("RET-E1", "", row.label, day, "no rule asks it to be kept: sandbox, not regulated")
        elif class_:
            events = {**sites.circumstances(row), **_events(declared, row)}
            held = Held(
                declared.title.lower(), row.label, class_, events, sites.zone(row), sites.longer(row, class_)
            )
            yield from clocks(held)

    def _disposals(self, uids: set[str]) -> dict[str, str]:
        """Return the numbers of disposals that were executed."""
        found = self._reading.rows(sorted(uids)) if uids else []
        return {row.uid: row.label for row in found if row.state in EXECUTED}

    def _holders(self, uids: set[str]) -> _Holders:
        found = _Holders()
        for row in self._reading.rows(sorted(uids)) if uids else []:
            found[row.uid] = f"{row.label}"
            for word in self._catalogue[row.type].type.provides:
                if isinstance(word, w.Preserves) and row.state in word.states:
                    found.active.add((row.uid, word.field))
        return found


class _Holders(dict[str, str]):
    """Number of what may preserve, by uid; ``active``: (uid, field) of what does."""

    def __init__(self) -> None:
        super().__init__()
        self.active: set[tuple[str, str]] = set()


class _Wanted:
    """Whose clocks count for one record, and who may preserve it."""

    def __init__(self, row: Row, family: Family, catalogue: Catalogue) -> None:
        self.row = row
        self.above = family.lineage([row.uid])
        seeds = {row.uid} | {uid for uid in self.above if _static(catalogue, family.types[uid]) in FOLLOWERS}
        built = family.built_on(seeds) - seeds
        everything = {row.uid} | self.above | built | family.lineage(built)
        documents = {uid for uid in seeds if _static(catalogue, family.types[uid]) == "DOC"}
        made_under = {child for uid in documents for child in family.children.get(uid, ())}
        own = {row.uid} | self.above | made_under
        self.holding = {
            uid for uid in everything if uid in own or _static(catalogue, family.types[uid]) not in FOLLOWERS
        }
        self.preservers = family.preservers({row.uid} | self.above | built)


class _Sites:
    """What sites add: the legal calendar, the authorities they answer to, their own longer rules."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row.uid: row for row in rows}

    def _of(self, row: Row) -> list[Row]:
        own = self._rows.get(row.site)
        return [own] if own is not None else list(self._rows.values())

    def zone(self, row: Row) -> str:
        own = self._rows.get(row.site)
        return str(own.fields.get("tz", "")) if own is not None else ""

    def circumstances(self, row: Row) -> dict[str, Value]:
        eu = any(
            line.get("authority") == "eu"
            for site in self._of(row)
            for line in site.fields.get("regulated_as", ())
        )
        return {"eu": True} if eu else {}

    def longer(self, row: Row, class_: str) -> tuple[Rule, ...]:
        return tuple(
            Rule(
                f"{site.number}/{position}",
                f"{site.number}, {line['basis']}",
                "the site's own rule",
                (Term((str(line["event"]),), int(line["years"])),),
            )
            for site in self._of(row)
            for position, line in enumerate(site.fields.get("longer_retention", ()), 1)
            if line["class"] == class_
        )


def _sites(rows: Iterable[Row]) -> _Sites:
    return _Sites(rows)


def _static(catalogue: Catalogue, kind: str) -> str:
    definition = catalogue.get(kind)
    return definition.type.retention.class_ if definition else ""


def _class(declared: w.Type, row: Row) -> str:
    said = row.fields.get(declared.retention.class_at) if declared.retention.class_at else None
    return str(said or declared.retention.class_)


def _events(declared: w.Type, row: Row) -> dict[str, Value]:
    found: dict[str, Value] = {"creation": row.created_at} if row.created_at else {}
    for name, field in declared.retention.events.items():
        value = row.fields.get(field)
        if isinstance(value, list):
            found |= _listed(value)
        elif isinstance(value, str | int) and value != "":
            found[name] = value
    return found


def _listed(lines: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    """Return the events of a table, each with its latest date; a lifetime as its months."""
    found: dict[str, Value] = {}
    for line in sorted(lines, key=lambda one: day_of(str(one["on"]))):
        found[str(line["event"])] = int(line["months"]) if "months" in line else str(line["on"])
    return found


def _unknown(row: Row, catalogue: Catalogue) -> Clock:
    path = catalogue[row.type].type.retention.longest_of
    what = " of its ".join(step.replace("_", " ") for step in reversed(path)) or "retention class"
    return Clock("RET-E1", "REGULATION 3.1", row.label, None, f"waiting for: the {what} it belongs to")
