"""A new person, who enrols a key with a code of their own."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.identity import Place
from coverslip.kernel.rows import Row
from fix_lab import Person, secret_of
from fix_passkey import Holder, passkey_row, registered
from fix_world import Example, World

_NAMES: dict[str, tuple[Person, dict[str, Any]]] = {}
_PASSKEYS: dict[str, tuple[Holder, dict[str, str]]] = {}


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


def _passkey(w: World, row: Row) -> None:
    """Let the person's authenticator make a passkey."""
    holder = Holder(w.lab, str(row.fields["username"]))
    _PASSKEYS[row.uid] = (holder, passkey_row(registered(w.lab, holder, holder.key), w.lab.accounts.now()))


def _with_passkey(w: World, state: str) -> str:
    number = w.new("user", "active")
    w.step(number, "add_passkey")
    if state == "locked":
        w.do(number, "lock")
    return number


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
    acts={
        "enrol": _keys,
        "activate": _check,
        "add_passkey": lambda w, row: {"signing_keys": [*row.fields["signing_keys"], _PASSKEYS[row.uid][1]]},
        "verify_passkey": lambda w, row: {
            "identity_check": [*row.fields["identity_check"], *_check(w, row)["identity_check"]]
        },
        "withdraw_passkey": lambda w, row: {"signing_keys": row.fields["signing_keys"][:-1]},
    },
    before={"enrol": _code, "add_passkey": _passkey},
    actors={
        "enrol": lambda w, row: _NAMES[row.uid][0],
        "add_passkey": lambda w, row: _PASSKEYS[row.uid][0],
        "withdraw_passkey": lambda w, row: w.person("SEC"),
        "report_lost": lambda w, row: w.person("SEC"),
        "end_sessions": lambda w, row: w.person("SEC"),
    },
    on={
        "activate_service": lambda w, state: w.new(
            "user", state, kind="service", email=None, responsible=w.number_of("admin1")
        ),
        "verify_passkey": _with_passkey,
        "withdraw_passkey": _with_passkey,
    },
    breaks={
        "verify_passkey": {
            "after the passkey was added": lambda w, row: {
                "identity_check": [
                    *row.fields["identity_check"],
                    {"document_kind": "passport", "manner": "in person", "on": w.day(-40)},
                ]
            }
        }
    },
    nobody={"activate_service": "Only administrators make accounts, and they do not verify them."},
    routes={"active": ("enrol", "activate"), "locked": ("enrol", "activate", "lock")},
    selves={
        "holder": lambda w, state: w.number_of("otto"),
        "resetter": _reset_by_otto,
        "locker": _locked_by_otto,
    },
)
