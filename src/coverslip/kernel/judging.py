"""Judging: every guard of an act by itself, met or not, as a reviewer reads the conditions of a decision.

Rules kept here: the same guards on the same facts as the decision; nothing is written, nothing decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel import guards, words as w
from coverslip.kernel.definition import guard_paths
from coverslip.kernel.drafts import Request
from coverslip.kernel.facts import SELF, Facts
from coverslip.kernel.rows import Row


@dataclass(frozen=True, slots=True)
class Condition:
    """One guard of an act: what it asks in words, whether it holds, else why not, and what it looked at.

    ``code`` is the refusal's where it does not hold, empty where it does.
    """

    guard: w.Guard
    says: str
    unmet: tuple[str, ...]
    code: str
    proof: tuple[Row, ...]

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return not self.unmet


def conditions(request: Request, facts: Facts) -> list[Condition]:
    """Return every guard of the act asked for, in declared order; of a record that is there."""
    row = facts.record
    found = request.definition.acts.get(request.change.act)
    if row is None or found is None or row.content.get("sandbox"):
        return []
    gathered = {
        e.field: request.gathered[e.field]
        for e in found.effects
        if isinstance(e, w.Gather) and e.field in request.gathered
    }
    scene = guards.Scene(
        request.catalogue,
        facts,
        SELF,
        row,
        row.fields | dict(request.change.fields) | gathered,
        request.context.person,
        request.change.act,
    )
    return [_judged(guard, scene) for guard in found.requires]


def given_later(guard: w.Guard, asked: tuple[str, ...], there: Mapping[str, Any]) -> bool:
    """Whether what an act asks for may still meet a guard, when it is asked before anything is given.

    A named rule sees every field: where one the act asks for is absent yet, or is a table that rows are added
    to and taken from, it cannot be known in advance.
    """
    if isinstance(guard, w.Rule) and any(isinstance(there.get(name, []), list | tuple) for name in asked):
        return True
    if isinstance(guard, w.When) and any(given_later(one, asked, there) for one in guard.then):
        return True
    return any(path and path[0].partition(".")[0] in asked for path in guard_paths(guard))


def _judged(guard: w.Guard, scene: guards.Scene) -> Condition:
    unmet = guards.unmet((guard,), scene)
    proof = _proof(guard, scene)
    says = _words(guard, proof)
    return Condition(guard, says, tuple(u.sentence for u in unmet), unmet[0].code if unmet else "", proof)


def _proof(guard: w.Guard, scene: guards.Scene) -> tuple[Row, ...]:
    if isinstance(guard, w.InState | w.Current | w.Trained | w.NotOnHold | w.Signed):
        return scene.rows(guard.path)
    if isinstance(guard, w.Rule):
        return tuple(row for path in guard.reads.values() for row in scene.rows(path))
    return ()


def _words(guard: w.Guard, proof: tuple[Row, ...]) -> str:
    """Return what a guard asks, without what it says only where it does not hold."""
    text = str(getattr(guard, "message", "")).split(" (")[0].rstrip(".")
    numbers = ", ".join(row.label for row in proof[:3]) + (" and others" if len(proof) > 3 else "")
    return text.replace("{number}", numbers or "What is named").replace("{target}", numbers or "It")
