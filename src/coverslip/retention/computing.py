"""Keep-until: what the rules of a class say of dated events. Pure; no clock, no store.

Rules kept here:

* Keep-until is the latest of all rules that apply (RET-E1); one that is open keeps the whole open.
* The answer carries its reason in words (RET-E7) and the version of the rule table it was made with.
* A site's own rules are further rules: since the latest counts, they can only lengthen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coverslip.retention.calendar import after, day_of, span
from coverslip.retention.rules import CLASSES, EVENTS, TABLE, VERSION, Rule, Term

Value = str | int | bool
_WHOLE = ("date ", "end ", "decision ", "the ", "system ")


@dataclass(frozen=True, slots=True)
class Held:
    """One record with a class: what its rules may see.

    ``kind`` and ``name`` are the record in words (``batch``, ``24A17``); ``events`` a date, month or instant,
    a number of months (a lifetime), or ``True`` for a circumstance. ``more`` are the site's own
    rules for the class.
    """

    kind: str
    number: str
    class_: str
    events: Mapping[str, Value] = field(default_factory=dict)
    zone: str = ""
    more: tuple[Rule, ...] = ()
    name: str = ""

    @property
    def subject(self) -> str:
        """The record in words; its number where no other name is given."""
        return f"{self.kind} {self.name or self.number}"


@dataclass(frozen=True, slots=True)
class Clock:
    """What one rule says of one record: ``until`` (None: open) and why, in words."""

    rule: str
    citation: str
    number: str
    until: dt.date | None
    because: str

    def value(self) -> dict[str, str]:
        """Return the JSON form; an open clock has no ``until``."""
        value = {"rule": self.rule, "citation": self.citation, "record": self.number, "because": self.because}
        return value | ({"until": self.until.isoformat()} if self.until else {})


@dataclass(frozen=True, slots=True)
class Answer:
    """How long a record is kept, by which clock, and what all clocks say."""

    until: dt.date | None
    clock: Clock
    clocks: tuple[Clock, ...]
    version: str = VERSION

    @property
    def sentence(self) -> str:
        """Return what is shown on every record."""
        said = f"{self.clock.citation}: {self.clock.because}" if self.clock.citation else self.clock.because
        if self.until is None:
            return f"Open — {said}" if not self.clock.because.startswith("waiting") else self._waiting()
        return f"Keep until {self.until.isoformat()} — {said}"

    def _waiting(self) -> str:
        return f"Open — {self.clock.because} ({self.clock.citation}, {self.clock.number})"

    def over(self, today: dt.date) -> bool:
        """Return whether the period has ended before ``today``."""
        return self.until is not None and self.until < today


def clocks(held: Held) -> list[Clock]:
    """Return what every rule that applies to a record says, in the order of the table."""
    rules = [TABLE[rule] for rule in CLASSES.get(held.class_, ())]
    found = [_clock(rule, held) for rule in (*rules, *held.more) if _applies(rule, held.events)]
    if not found:
        waiting = f"waiting for: a retention class of {held.subject}"
        found = [Clock("RET-E1", "REGULATION 3.1", held.number, None, waiting)]
    return found


def answer(found: Iterable[Clock], own: str = "") -> Answer:
    """Return the latest of several clocks; of equal ones that of the record numbered ``own`` is named.

    Raises ``ValueError`` for none at all.
    """
    listed = tuple(sorted(set(found), key=lambda c: (c.number, c.rule, c.because)))
    if not listed:
        raise ValueError("no rule was asked")
    longest = max(listed, key=lambda clock: _length(clock, own))
    return Answer(longest.until, longest, listed)


def _length(clock: Clock, own: str) -> tuple[bool, dt.date, bool]:
    return (clock.until is None, clock.until or dt.date.min, clock.number == own)


def _applies(rule: Rule, events: Mapping[str, Value]) -> bool:
    return not rule.where or any(_stated(name, events) for name in rule.where)


def _stated(name: str, events: Mapping[str, Value]) -> bool:
    return events.get(name) not in (None, False, "")


def _clock(rule: Rule, held: Held) -> Clock:
    terms = [t for t in rule.terms if _holds(t, held.events)]
    dated = {i: d for i, t in enumerate(terms) if (d := _until(t, held)) is not None}
    missing = [t for i, t in enumerate(terms) if i not in dated]
    open_ = not dated or (rule.combine == "all" and bool(missing))
    if open_:
        return Clock(rule.id, rule.citation, held.number, None, _wait(rule, missing, held))
    choose = min if rule.combine == "shortest" else max
    best = choose(dated, key=lambda i: dated[i])
    return Clock(rule.id, rule.citation, held.number, dated[best], _because(terms[best], held))


def _holds(term: Term, events: Mapping[str, Value]) -> bool:
    return all(_stated(n, events) for n in term.needs) and not any(_stated(n, events) for n in term.unless)


def _known(term: Term, held: Held) -> tuple[str, dt.date] | None:
    """Return the latest event of a term that has happened, and its day."""
    found = [
        (day_of(str(held.events[name]), held.zone), name)
        for name in term.events
        if isinstance(held.events.get(name), str) and held.events[name]
    ]
    return (max(found)[1], max(found)[0]) if found else None


def _until(term: Term, held: Held) -> dt.date | None:
    known = _known(term, held)
    if known is None or term.for_ever:
        return None
    months = term.months
    if term.lifetime:
        lifetime = held.events.get(term.lifetime)
        if isinstance(lifetime, bool) or not isinstance(lifetime, int):
            return None
        months += lifetime
    return after(known[1], term.years, months)


def _because(term: Term, held: Held) -> str:
    known = _known(term, held)
    assert known is not None  # noqa: S101 -- asked only of terms that have a date
    name, day = known
    lifetime = held.events.get(term.lifetime) if term.lifetime else 0
    period = span(term.years, term.months + int(lifetime or 0))
    said = f"{held.subject} {_words(name)} {day.isoformat()}"
    return f"{said} + {period}" if period else said


def _wait(rule: Rule, missing: list[Term], held: Held) -> str:
    for text, events in rule.waits:
        if not any(_stated(name, held.events) for name in events):
            return f"waiting for: {_of(held.kind, text)}"
    if any(t.for_ever for t in missing):
        return "kept indefinitely, for it has no expiry date"
    names: list[str] = []
    for term in missing:
        if not any(_stated(n, held.events) for n in term.events):
            names.append(" or ".join(_of(held.kind, _words(n)) for n in term.events))
        if term.lifetime and not _stated(term.lifetime, held.events):
            names.append(_words(term.lifetime))
    return f"waiting for: {'; '.join(dict.fromkeys(names))}"


def _of(kind: str, words: str) -> str:
    """Return an event with what it is the event of, where the words do not say so themselves."""
    return words if words.startswith(_WHOLE) else f"{kind} {words}"


def _words(event: str) -> str:
    return EVENTS.get(event, event.replace("_", " "))
