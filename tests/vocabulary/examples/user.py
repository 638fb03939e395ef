"""A new person, who enrols a key with a code of their own."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.identity import Place
from coverslip.kernel.rows import Row
from fix_lab import Person, secret_of
from fix_world import Example, World

_NAMES: dict[str, tuple[Person, dict[str, Any]]] = {}


def _code(w: World, row: Row) -> None:
    """Open an enrolment with a new code, as the person would."""
    name, lab = str(row.fields["username"]), w.lab
    code = lab.identity.invite(row.uid, lab.ada.uid)
    place = Place(f"ws-{name}", "127.0.0.1", "tests", "UTC")
    opened, made, _ = lab.identity.begin_enrolment(code, name, secret_of(name), place)
    key = {
        "kid": made.kid,
        "scheme": made.wrapped["scheme"],
        "public": made.public,
        "enrolled_at": opened.session.opened_at,
    }
    _NAMES[row.uid] = (Person(lab, name, opened), key)


def _keys(w: World, row: Row) -> dict[str, Any]:
    return {"signing_keys": [*row.fields.get("signing_keys", ()), _NAMES[row.uid][1]]}


def _check(w: World, row: Row) -> dict[str, Any]:
    return {"identity_check": [{"document_kind": "passport", "manner": "in person", "on": w.day()}]}


def _reset_by_otto(w: World, state: str) -> str:
    number = w.new("user", "active")
    w.do(number, "reset", by="otto")
    w.step(number, "enrol")
    return number


def _locked_by_otto(w: World, state: str) -> str:
    number = w.new("user", "active")
    w.do(number, "lock", by="otto")
    return number


EXAMPLE = Example(
    create=lambda w: {
        "username": w.unique("newcomer"),
        "printed_name": "New Comer",
        "kind": "person",
        "email": "new@lab.example",
    },
    acts={"enrol": _keys, "activate": _check},
    before={"enrol": _code},
    actors={
        "enrol": lambda w, row: _NAMES[row.uid][0],
        "report_lost": lambda w, row: w.person("SEC"),
        "end_sessions": lambda w, row: w.person("SEC"),
    },
    on={
        "activate_service": lambda w, state: w.new(
            "user", state, kind="service", email=None, responsible=w.number_of("admin1")
        )
    },
    nobody={"activate_service": "Only administrators make accounts, and they do not verify them."},
    routes={"active": ("enrol", "activate"), "locked": ("enrol", "activate", "lock")},
    selves={
        "holder": lambda w, state: w.number_of("otto"),
        "resetter": _reset_by_otto,
        "locker": _locked_by_otto,
    },
)
