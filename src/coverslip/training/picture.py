"""The picture of training as records stand: what each role asks, who holds it, who is trained on what.

Rules kept here:

* A role asks for the documents it names, for those of its curricula in force, and for those whose audience it
  is; where several ask for one document, the deepest training counts and the shortest time for it.
* Training counts for one version of a document. The version in force is asked for, and the one approved to
  follow it, so that nobody is surprised on its day.
* Who acts for somebody else in a role is asked for the same as who holds it; a service trains on nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coverslip.kernel.dates import later_by
from coverslip.kernel.rows import Row
from coverslip.records.documents._governing import TRAINED_STATES, uid_at

DEPTHS = ("none", "read_understood", "assessed", "observed_task")
OPEN_STATES = ("assigned", "acknowledged", "blocked")
REFRESH_DAYS = 30
"""How long before training ends the next one is opened."""
_DAYS_TO_READ = 14
_LIVING = ("invited", "enrolled", "active", "locked")


@dataclass(frozen=True, slots=True)
class Need:
    """What a role asks of its holders for one document; ``enforced``: acting in the role waits for it."""

    depth: str
    grace_days: int = 0
    refresh_months: int | None = None
    enforced: bool = True

    def beside(self, other: Need) -> Need:
        """Return what both ask together: the deeper, the sooner, the more often."""
        months = [m for m in (self.refresh_months, other.refresh_months) if m is not None]
        return Need(
            max(self.depth, other.depth, key=DEPTHS.index),
            min(self.grace_days, other.grace_days),
            min(months) if months else None,
            self.enforced or other.enforced,
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One person, one role, one document: ``green``, ``amber`` or ``red``, and why in words."""

    role: str
    document: Row
    person: Row
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Training nobody has opened yet."""

    person: Row
    document: Row
    need: Need
    due: str


@dataclass(frozen=True)
class Records:
    """The records a picture is made of, and the day it is made for (YYYY-MM-DD)."""

    today: str
    users: Iterable[Row] = ()
    roles: Iterable[Row] = ()
    grants: Iterable[Row] = ()
    delegations: Iterable[Row] = ()
    curricula: Iterable[Row] = ()
    documents: Iterable[Row] = ()
    training: Iterable[Row] = ()


def _code(link: Mapping[str, Any]) -> str:
    return str(link["number"]).split("-", 1)[-1]


@dataclass
class Picture:
    """What follows from the records; built once, then only read."""

    records: Records
    needs: dict[str, dict[str, Need]] = field(default_factory=dict)
    """Role code -> document number -> what is asked."""
    holders: dict[str, dict[str, Row]] = field(default_factory=dict)
    """Role code -> person id -> account."""

    def __post_init__(self) -> None:
        """Work out needs and holders."""
        self.today = self.records.today
        self._versions: dict[str, list[Row]] = {}
        for row in self.records.documents:
            if row.state in ("approved", "effective"):
                self._versions.setdefault(row.number, []).append(row)
        for versions in self._versions.values():
            versions.sort(key=lambda r: r.revision)
        self._training = _by_pair(self.records.training)
        self._work_out_needs()
        self._work_out_holders()

    # --- what is asked -------------------------------------------------------------------------

    def _work_out_needs(self) -> None:
        for role in self.records.roles:
            if role.state == "effective":
                for link in role.fields.get("documents") or ():
                    self._ask(_code({"number": role.number}), str(link["number"]), Need("none"))
        for curriculum in self.records.curricula:
            if curriculum.state != "effective":
                continue
            for item in curriculum.fields.get("items") or ():
                need = Need(str(item["depth"]), int(item["grace_days"]), item.get("refresh_months"))
                self._ask(_code(curriculum.fields["role"]), str(item["document"]["number"]), need)
        for versions in self._versions.values():
            for row in versions:
                if row.fields.get("training_depth", "none") != "none":
                    for link in row.fields.get("audience") or ():
                        self._ask(_code(link), row.number, Need("none", _DAYS_TO_READ, enforced=False))

    def _ask(self, code: str, number: str, need: Need) -> None:
        known = self.needs.setdefault(code, {})
        known[number] = known[number].beside(need) if number in known else need

    def _work_out_holders(self) -> None:
        people = {u.uid: u for u in self.records.users if u.state in _LIVING}
        people = {uid: u for uid, u in people.items() if u.fields.get("kind") != "service"}
        held = [(g, "person") for g in self.records.grants] + [(d, "taker") for d in self.records.delegations]
        for row, name in held:
            uid = uid_at(row.fields, name)
            start, end = str(row.fields.get("start", "")), str(row.fields.get("end", "9999-12-31"))
            if row.state == "active" and uid in people and start <= self.today <= end:
                self.holders.setdefault(_code(row.fields["role"]), {})[uid] = people[uid]

    def asking(self) -> list[str]:
        """Return the codes of the roles that ask something of somebody now, in order."""
        return sorted(
            code
            for code, needs in self.needs.items()
            if self.holders.get(code) and any(number in self._versions for number in needs)
        )

    def asked(self) -> dict[str, Row]:
        """Return everybody of whom training is asked, by id."""
        return {uid: person for code in self.asking() for uid, person in self.holders[code].items()}

    def of(self, people: Collection[str], training: Iterable[Row]) -> Picture:
        """Return of this picture what concerns some people (ids), with their training."""
        found = copy.copy(self)
        found._training = _by_pair(training)
        found.holders = {
            code: {uid: one for uid, one in held.items() if uid in people}
            for code, held in self.holders.items()
        }
        return found

    # --- what there is -------------------------------------------------------------------------

    def _trained(self, person: str, document: Row) -> Row | None:
        """Return the record that trains a person on a version, the one that lasts longest."""
        rows = [
            r
            for r in self._training.get((person, document.uid), ())
            if r.state in TRAINED_STATES and str(r.fields.get("expires", "9999-12-31")) >= self.today
        ]
        return max(rows, key=lambda r: str(r.fields.get("expires", "9999-12-31")), default=None)

    def _open(self, person: str, document: Row) -> Row | None:
        rows = self._training.get((person, document.uid), ())
        return next((r for r in rows if r.state in OPEN_STATES), None)

    def cells(self, role: str = "") -> Iterator[Cell]:
        """Yield the matrix, of one role or of all, by role, document and person."""
        for code in sorted(self.needs):
            if role in ("", code):
                for number in sorted(self.needs[code]):
                    for person in sorted(self.holders.get(code, {}).values(), key=lambda p: p.number):
                        yield from self._cell(code, number, person)

    def _cell(self, code: str, number: str, person: Row) -> Iterator[Cell]:
        versions = self._versions.get(number, [])
        if not versions:
            return  # out of force: nobody can be trained on it, and nobody waits for it
        in_force = next((v for v in versions if v.state == "effective"), None)
        state, why = "green", ""
        if in_force is not None:
            state, why = self._on_version_in_force(person, in_force, self.needs[code][number])
        coming = [v for v in versions if v.state == "approved"]
        if state == "green" and coming and self._trained(person.uid, coming[-1]) is None:
            day = coming[-1].fields.get("effective_date", "")
            state, why = "amber", f"{coming[-1].label} comes into force on {day}"
        shown = in_force or coming[-1]
        yield Cell(code, shown, person, state, why or f"trained on {shown.label}")

    def _on_version_in_force(self, person: Row, document: Row, need: Need) -> tuple[str, str]:
        done = self._trained(person.uid, document)
        if done is not None:
            last = str(done.fields.get("expires", ""))
            if last and last < later_by(self.today, days=REFRESH_DAYS):
                return "amber", f"trained until {last}"
            return "green", ""
        waiting = self._open(person.uid, document)
        if waiting is None:
            return "red", "not trained, not assigned"
        if waiting.state == "blocked":
            return "red", f"{waiting.number} is blocked after failures"
        due = str(waiting.fields.get("due", ""))
        if due < self.today:
            return "red", f"{waiting.number} was due on {due}"
        # Where acting waits for it the person is refused today, however much time is left.
        return "red" if need.enforced else "amber", f"{waiting.number} is due on {due}"

    def missing(self) -> Iterator[Missing]:
        """Yield what is asked for and nobody has opened, once for each person and version."""
        wanted: dict[tuple[str, str], tuple[Row, Row, Need]] = {}
        for code, needs in self.needs.items():
            for number, need in needs.items():
                for document in self._versions.get(number, ()):
                    for uid, person in self.holders.get(code, {}).items():
                        known = wanted.get((uid, document.uid))
                        both = known[2].beside(need) if known else need
                        wanted[(uid, document.uid)] = (person, document, both)
        for person, document, need in sorted(wanted.values(), key=lambda f: (f[1].label, f[0].number)):
            due = self._due(person, document, need)
            if due:
                yield Missing(person, document, _deep_enough(need, document), due)

    def _due(self, person: Row, document: Row, need: Need) -> str:
        """Return by when training to be opened now is to be done; empty where there is nothing to open."""
        if self._open(person.uid, document) is not None:
            return ""
        done = self._trained(person.uid, document)
        if done is not None:
            last = str(done.fields.get("expires", ""))
            return last if last and last < later_by(self.today, days=REFRESH_DAYS) else ""
        if document.state == "approved":
            return max(str(document.fields.get("effective_date", self.today)), self.today)
        return later_by(self.today, days=need.grace_days)


def _by_pair(training: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in training:
        found.setdefault((uid_at(row.fields, "person"), uid_at(row.fields, "document")), []).append(row)
    return found


def _deep_enough(need: Need, document: Row) -> Need:
    """Return the need with a depth: what is asked, the document's own, or at least reading."""
    own = str(document.fields.get("training_depth", "none"))
    depth = max(need.depth, own, "read_understood", key=DEPTHS.index)
    return Need(depth, need.grace_days, need.refresh_months, need.enforced)
