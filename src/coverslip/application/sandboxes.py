"""Trying out: one person's sandbox study, ready to take images and to compute on them.

Rules kept here (DESIGN 8):

* It is made by acts through the door, each its own entry, in the name of whoever asked; nothing is skipped
  that the declarations ask of a sandbox.
* Nothing in it is regulated, all of it is marked, and no regulated record can name it.
* The same request sent again makes nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coverslip.application.acting import Wish, act, create
from coverslip.application.services import Services
from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row

_APPROVED = ("submit", "approve")
_STARTED = ("accept_responsibility", "approve", "start")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What was made: numbers of the study and of the method for runs in it."""

    study: str
    method: str


def start(services: Services, context: Context, title: str, key: str) -> Sandbox:
    """Make a sandbox study in progress and, in it, a method for the first bundled algorithm.

    ``key`` names this request. Raises what the door raises, such as ``AUTH_ROLE`` without a role.
    """
    made = _Maker(services, context, key)
    person = (services.accounts.account(context.person) or {}).get("number", "")
    study = made(
        "study", _STARTED, title=title, kind="sandbox", director=person, objectives="To try things out."
    )
    found = services.algorithms()[0]
    algorithm = made(
        "algorithm",
        _APPROVED,
        study=study.number,
        title=found["id"],
        kind="classical",
        source="bundled with Coverslip",
        deterministic=True,
        **found["algorithm"],
    )
    parameters = made(
        "parameter_set",
        _APPROVED,
        study=study.number,
        title=f"{found['id']}, defaults",
        algorithm=algorithm.label,
        values=found["parameters"],
        rationale="Defaults of the bundled algorithm.",
    )
    method = made(
        "analysis_method",
        _APPROVED,
        study=study.number,
        title=f"{found['id']} in {study.number}",
        algorithm=algorithm.label,
        parameters=parameters.label,
        permitted_runs=100,
        intended_use="To try things out.",
        outputs=[{**one, "digits": 1} for one in found["outputs"]],
    )
    return Sandbox(study.number, method.label)


class _Maker:
    """Makes records and drives them on, each act with a key of its own under the request's."""

    def __init__(self, services: Services, context: Context, key: str) -> None:
        self._services, self._context, self._key = services, context, key

    def __call__(self, type_: str, acts: tuple[str, ...], /, **fields: Any) -> Row:
        wish = Wish(fields, key=f"{self._key}/{type_}")
        number = create(self._services, self._context, type_, wish).entries[0].number
        for name in acts:
            row = self._row(number)
            if name not in row.people:
                key = f"{self._key}/{type_}/{name}"
                act(self._services, self._context, row, name, Wish(expected_version=row.version, key=key))
        return self._row(number)

    def _row(self, number: str) -> Row:
        found = self._services.reading.find(number)
        if found is None:
            raise LookupError(number)
        return found
