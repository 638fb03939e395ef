"""A laboratory that also has record types of a test's own, with their definitions on its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from coverslip.bootstrap import wiring
from coverslip.kernel.commit import Door
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.upgrade import Changed, Upgrade
from coverslip.kernel.words import Type
from coverslip.records import all_types
from fix_grounds import Grounds
from fix_lab import Lab


@contextmanager
def lab_with(grounds: Grounds, *types: Type) -> Iterator[Lab]:
    """Open a peopled installation whose catalogue holds ``types`` beside the shipped ones."""
    with grounds.open("world") as lab:
        catalogue = Catalogue((*all_types(), *types)).recalling(
            lambda: wiring._definitions(lab.accounts._pool)
        )
        changes = [Changed(catalogue[t.name], "") for t in types]
        Upgrade(lab.store, lab.door._clock).write({"release": "test"}, changes, lab.service())
        door = Door(
            catalogue,
            lab.store,
            lab.identity,
            lab.door._clock,
            lab.events,
            lab.door._parts.gatherers,
            lab.door._kept,
        )
        yield replace(lab, door=door, _people={})
