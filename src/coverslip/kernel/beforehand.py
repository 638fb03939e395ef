"""Beforehand: several acts on one record asked about at once, each judged by itself.

Rules kept here: what the acts look at is read in one statement, and each act is given what its own plan names
and nothing more: its judgement is the one it gets when it is asked about alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from coverslip.kernel.attempt import Attempt, Parts
from coverslip.kernel.change import Change, Context
from coverslip.kernel.definition import Definition
from coverslip.kernel.facts import Facts, Plan, newest_of, plan_act
from coverslip.kernel.rows import Row

REASON = "asked in advance, nothing done"


def asked(row: Row, act: str) -> Change:
    """Return the change that asks about an act on a record, with nothing given."""
    return Change(act, row.type, row.number, row.revision, {}, REASON, row.version)


class Several(Attempt):
    """Acts on one record whose facts are read together. Raises what an attempt of one of them raises."""

    def __init__(self, parts: Parts, row: Row, context: Context, acts: Sequence[str]) -> None:
        """``acts``: names of acts, at least one."""
        self._acts = tuple(acts)
        super().__init__(parts, asked(row, self._acts[0]), context, dry=True)
        self._shared = self._facts()

    def attempt(self, act: str) -> Attempt:
        """Return the attempt of one of the acts, yet to be decided or judged."""
        one = copy.copy(self)
        one._acts, one.change = (act,), replace(self.change, act=act)
        one._ids, one._taken, one.defines = None, {}, []
        one._first = _own(self._shared, one._plan(self.definition, one.change.number))
        return one

    def _plan(self, definition: Definition, number: str) -> Plan:
        whole = Plan()
        for act in self._acts:
            plan = plan_act(self._catalogue, definition, act, number)
            for name, read in plan.reads.items():
                whole.add(name, read)
            whole.newest += [name for name in plan.newest if name not in whole.newest]
            whole.in_force |= plan.in_force
        return whole


def _own(facts: Facts, plan: Plan) -> Facts:
    """Return of facts what a plan names."""
    names = {*plan.reads, *plan.in_force, *(newest_of(name) for name in plan.newest)}
    return replace(facts, reads={name: rows for name, rows in facts.reads.items() if name in names})
