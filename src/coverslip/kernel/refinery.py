"""The catalogue as it is now: the shipped types with every refinement that is in force.

Rules kept here:

* What a decision is made by is told by its own facts, never remembered: refinements are authority rows that
  hold for everybody, so the epoch that a commit compares under lock covers them. A decision made by another
  catalogue than the one in force is a conflict and is decided again.
* What people are shown follows within ``FRESH_S``, whichever process put a refinement in force.
* A change of the refinements carries the definitions it makes; nothing comes into force without them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from coverslip.errors import EnvironmentFault, Invalid
from coverslip.kernel import entries, words as w
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Draft
from coverslip.kernel.facts import Facts
from coverslip.kernel.patches import read, refused
from coverslip.kernel.ports import Store
from coverslip.kernel.projecting import project
from coverslip.kernel.refined import Refinement, in_order, refined, refinement, refinements
from coverslip.kernel.rows import NIL
from coverslip.kernel.upgrade import Changed, definition_sections
from coverslip.ledger import leaf

FRESH_S = 1.0
MOST_KEPT = 8


class Refinery(Catalogue):
    """A catalogue that follows the refinements in force; safe for many threads."""

    def __init__(self, shipped: Catalogue, store: Store) -> None:
        self._shipped, self._store = shipped, store
        self._recall, self._earlier = shipped._recall, shipped._earlier
        self._made: dict[frozenset[Refinement], Catalogue] = {frozenset(): shipped}
        self._last, self._read_at = shipped, float("-inf")
        self._lock = threading.Lock()

    # --- which one -----------------------------------------------------------------------------

    @property
    def last(self) -> Catalogue:
        """The catalogue this process was told of last, without asking."""
        return self._last

    def now(self) -> Catalogue:
        """Return the catalogue in force, at most ``FRESH_S`` old."""
        if monotonic_s() - self._read_at > FRESH_S:
            value = self._store.facts({"persons": [NIL]})
            rows = value.get("persons", {}).get(NIL, {}).get("authority", ())
            self._tell(frozenset(refinement(a["code"], a["data"]) for a in rows if a["kind"] == "refines"))
            self._read_at = monotonic_s()
        return self._last

    def told(self, facts: Facts) -> Catalogue:
        """Return the catalogue that facts tell of; that of before where they tell of nobody's session."""
        if facts.session is None:
            return self._last
        return self._tell(refinements(facts.authority))

    def _tell(self, found: frozenset[Refinement]) -> Catalogue:
        with self._lock:
            known = self._made.get(found)
            if known is None:
                known = self._derive(found)
                self._made[found] = known
                while len(self._made) > MOST_KEPT:
                    del self._made[next(one for one in self._made if one and one != found)]
            self._last = known
            return known

    def _derive(self, found: frozenset[Refinement]) -> Catalogue:
        try:
            return refined(self._shipped, found)
        except Invalid as error:
            raise unfit(error) from error

    # --- what a change of refinements brings ---------------------------------------------------

    def following(self, facts: Facts, drafts: Iterable[Draft], catalogue: Catalogue) -> list[Changed]:
        """Return the definitions that drafts of refinements change when they are written.

        Raises ``REFINEMENT`` with every problem of one that is in force, or on its way there and locked.
        """
        listed = [d for d in drafts if _refining(d.definition)]
        if not listed:
            return []
        uids = {d.uid for d in listed}
        others = refinements(a for a in facts.authority if a.source not in uids)
        try:
            for draft in listed:
                refined(self._shipped, others | set(_proposed(draft)))
            after = refined(self._shipped, others.union(*(_conferred(d) for d in listed)))
        except Invalid as error:
            error.record = listed[0].number
            raise
        return [
            Changed(definition, catalogue[definition.name].hash)
            for definition in after
            if definition.hash != catalogue[definition.name].hash
        ]

    def entries(self, frame: entries.Frame, subject: Draft, changes: list[Changed]) -> list[entries.Built]:
        """Build the entries that put changed definitions on the log, with the refinement as their subject."""
        if not changes:
            return []
        head = self._store.facts({})["installation"]
        version, previous = int(head["version"]), head.get("leaf_hash")
        about = leaf.About(subject.definition.name, subject.uid, subject.version)
        built: list[entries.Built] = []
        for one in changes:
            version += 1
            made = entries.build_event(
                replace(frame, type="definition"), "installation", head["uuid"], version, previous, "define",
                definition_sections(one, frame.context), about,
            )  # fmt: skip
            previous = made.leaf_hash
            built.append(made)
        self._read_at = float("-inf")
        return built

    # --- as a catalogue ------------------------------------------------------------------------

    @property
    def _by_name(self) -> dict[str, Definition]:  # type: ignore[override]
        return self.now()._by_name

    def under(self, name: str, hash: str) -> Definition:
        """Return the definition of ``name`` with this hash, in force now or before."""
        return self._last.under(name, hash)

    @property
    def counted(self) -> frozenset[tuple[str, str]]:
        """(type, link field) pairs that some guard or rule counts."""
        return self.now().counted

    @property
    def read_whole(self) -> frozenset[tuple[str, str]]:
        """The pairs of ``counted`` whose records a rule reads."""
        return self.now().read_whole

    # --- what people are told ------------------------------------------------------------------

    def shipped(self, name: str) -> Definition:
        """Return the definition of ``name`` as released."""
        return self._shipped[name]

    def refining(self, name: str) -> list[Refinement]:
        """Return the refinements of a type in force or withdrawn, in the order applied."""
        return in_order(one for one in self._known() if one.type == name)

    def tried(self, name: str, patch: Mapping[str, Any]) -> Definition:
        """Return what a type would be with one more refinement; raises ``REFINEMENT`` with every problem."""
        problems = read(patch)[1]
        if problems:
            raise refused("", name, problems)
        one = refinement(TRIED, {"type": name, "patch": patch})
        return refined(self._shipped, {*self._known(), one})[name]

    def _known(self) -> frozenset[Refinement]:
        self.now()
        with self._lock:
            return next(key for key, made in self._made.items() if made is self._last)


TRIED = "tried"
"""Stands for the number of a refinement that is only tried out."""


def unfit(error: Invalid) -> EnvironmentFault:
    """Return that refinements in force and shipped types do not fit each other, with every problem."""
    return EnvironmentFault(
        "ENVIRONMENT",
        what="the refinements in force here",
        expected="types of this release that they fit",
        found="; ".join(str(p) for p in error.values["problems"]),
        remedy="Nothing was changed. Stay with the release before, or withdraw the refinement named there.",
    )


def _words(definition: Definition) -> list[w.Refines]:
    return [word for word in definition.type.provides if isinstance(word, w.Refines)]


def _refining(definition: Definition) -> bool:
    return bool(_words(definition))


def _conferred(draft: Draft) -> frozenset[Refinement]:
    rows = project(draft.definition, draft.uid, draft.content).authority
    return frozenset(refinement(str(r["code"]), r["data"]) for r in rows if r["kind"] == "refines")


def _proposed(draft: Draft) -> Iterator[Refinement]:
    """Yield what the record would confer once in force, where its content is locked on its way there."""
    state = draft.definition.state(draft.state)
    word = next(word for word in _words(draft.definition) if word.patch)
    if state.locked and not state.terminal:
        data = {"type": draft.fields.get(word.type, ""), "patch": draft.fields.get(word.patch, {})}
        yield refinement(draft.number, data)
