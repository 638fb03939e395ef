"""Upgrading: what a new release changed, put on the log by that release.

Rules kept here:

* One command: an entry of type ``migration`` naming what was applied, and an entry of type ``definition``
  for every type that is new or changed, with the whole definition. What was made before keeps the
  definition it was made under.
* A definition that was in force before a later one never comes back: that is a program older than the
  log, and nothing is written by it.
* A record is never left in a state its type no longer knows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from coverslip.errors import Conflict, EnvironmentFault
from coverslip.kernel import entries
from coverslip.kernel.change import Context
from coverslip.kernel.clock import ClockState
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.ports import Batch, Store
from coverslip.ledger import commitment
from coverslip.ledger.identity import uuid7

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Changed:
    """A definition to put on the log; ``before``: the hash (hex) in force until now, none for a new type."""

    definition: Definition
    before: str


def changed(
    catalogue: Catalogue, on_log: Iterable[tuple[str, str]], shipped: Iterable[tuple[str, str]] = ()
) -> list[Changed]:
    """Return what this release declares otherwise than the log; ``on_log`` is (type, hash) in order.

    ``shipped`` gives in the same order the hash of the shipped definition each was made of, where a site
    refines types. Raises ``ENVIRONMENT`` when the log has gone further than this release.
    """
    history = _by_type(on_log)
    bases = _by_type(shipped)
    gone = sorted(history.keys() - {d.name for d in catalogue})
    if gone:
        raise _newer(f"a record type {gone[0]}, which this release does not have")
    found = []
    for definition in catalogue:
        known = history.get(definition.name, [])
        if known and known[-1] == definition.hash:
            continue
        base = bases.get(definition.name, [])
        if definition.hash in known or (definition.shipped in base and definition.shipped != base[-1]):
            raise _newer(f"a later definition of {definition.name}")
        found.append(Changed(definition, known[-1] if known else ""))
    return found


def _by_type(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, hash in pairs:
        found.setdefault(name, []).append(hash)
    return found


def definition_sections(one: Changed, context: Context) -> dict[str, entries.Section]:
    """Return the sections of the entry that puts a definition on the log."""
    made = {
        "definition": entries.Section("definition", one.definition.canonical, commitment.new_salt()),
        "detail": entries.section("detail", _said(one)),
    }
    place = entries.context_value(context)
    return made | ({"context": entries.section("context", place)} if place else {})


def require_states(changes: Iterable[Changed], in_use: Mapping[str, Iterable[str]]) -> None:
    """Refuse a definition that lacks a state some record is in; ``in_use`` is type -> states.

    Raises ``ENVIRONMENT``.
    """
    for one in changes:
        missing = sorted(set(in_use.get(one.definition.name, ())) - one.definition.states.keys())
        if missing:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what=f"the definition of {one.definition.name} in this release",
                expected="every state a record is in",
                found=f"none called {', '.join(missing)}",
                remedy="Nothing was changed. Stay with the release before, and report this.",
            )


class Upgrade:
    """Writes the entries of one migration to the installation's stream."""

    def __init__(self, store: Store, clock: Callable[[], ClockState]) -> None:
        self._store, self._clock = store, clock

    def write(self, detail: Mapping[str, Any], changes: Iterable[Changed], context: Context) -> int:
        """Append the migration and its definitions, all or none; return how many entries.

        Raises ``Conflict`` when the stream stays busy: nothing else may be running.
        """
        listed = list(changes)
        for attempt in range(_ATTEMPTS):
            try:
                return self._write(dict(detail), listed, context)
            except Conflict:
                if attempt + 1 == _ATTEMPTS:
                    raise
                time.sleep(secrets.randbelow(50) / 1000)
        raise AssertionError("unreachable")

    def _write(self, detail: dict[str, Any], changes: list[Changed], context: Context) -> int:
        answer = self._store.facts({})
        head, clock = answer["installation"], self._clock().value()
        frame = entries.Frame(head["origin"], str(uuid7()), answer["now"], clock, context, "migration")
        detail["definitions"] = [_said(one) for one in changes]
        sections = [("migration", "migrate", {"detail": entries.section("detail", detail)})]
        sections += [("definition", "define", definition_sections(one, context)) for one in changes]
        version, previous = int(head["version"]), head["leaf_hash"]
        built = []
        for kind, act, content in sections:
            version += 1
            place = entries.context_value(context)
            if place:
                content["context"] = entries.section("context", place)
            one_built = entries.build_event(
                replace(frame, type=kind), "installation", head["uuid"], version, previous, act, content
            )
            previous = one_built.leaf_hash
            built.append(one_built.new)
        self._store.commit(
            Batch(UUID(frame.command), UUID(context.person), entries.instant(frame.at), tuple(built))
        )
        return len(built)


def _said(one: Changed) -> dict[str, str]:
    said = {"type": one.definition.name, "hash": one.definition.hash}
    return said | ({"before": one.before} if one.before else {})


def _newer(found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT",
        what="this installation",
        expected="nothing later than this release",
        found=found,
        remedy="Install the release that last ran here, or a later one.",
    )
