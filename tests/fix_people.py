"""A laboratory with somebody for every role: four people each or more, verified, trained, able to sign.

Rules kept here:

* Every role asks training on one document that nothing else touches, so that training can be tried for all
  of them; everybody here is trained on it, except ``fresh``, who holds every role and is trained on nothing.
* ``otto`` and ``olive`` hold every role but the administrator's, so that they are kept from an act by
  independence and by nothing else. ``nora`` holds none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest

from coverslip.kernel import keys
from fix_days import make_movable
from fix_grounds import Grounds
from fix_lab import CHEAP, FOUNDERS, LATER, STAFF, TODAY, Lab

_TEAMS = {
    "maker": ("AUT", "ANL", "OPR", "WHS"),
    "bench": ("MET", "ENG", "SDR", "PUR"),
    "checker": ("REV", "TRN", "SEC"),
    "quality": ("QA", "QAL"),
    "admin": ("ADM",),
}
ROLES = tuple(role for roles in _TEAMS.values() for role in roles)
"""Roles that people hold and act in; an inspector reads, a service and a device are no people."""
_OPERATING = tuple(role for role in ROLES if role != "ADM")
UNTRAINED = {"fresh": _OPERATING, "freda": ("ADM",)}
LAPSING = {"lars": _OPERATING, "lena": ("ADM",)}
HALF_TRAINED = {"tara": _OPERATING}
DELEGATE = "delia"
"""Holds no role; somebody may lend her theirs."""
_KEPT_APART: dict[str, tuple[str, ...]] = {**UNTRAINED, **LAPSING, **HALF_TRAINED, DELEGATE: ()}
ALL_ROUND = ("otto", "olive")
TEAM: dict[str, tuple[str, ...]] = {
    **{f"{team}{n}": roles for team, roles in _TEAMS.items() for n in range(1, 5)},
    **dict.fromkeys(ALL_ROUND, _OPERATING),
    **_KEPT_APART,
}
"""User name -> roles, in the order in which the driver asks people."""
TEMPLATE = "vocabulary"


def holders(role: str) -> tuple[str, ...]:
    """Return the user names of the trained people who hold a role; the all-round ones come last."""
    return tuple(name for name, roles in TEAM.items() if role in roles and name not in _KEPT_APART)


def everybody() -> tuple[str, ...]:
    """Return the user names of all trained people."""
    return tuple(name for name in TEAM if name not in _KEPT_APART)


def _take_on(lab: Lab) -> None:
    for username, roles in TEAM.items():
        number = lab.invite(username, f"{username.capitalize()} Team", roles)
        lab.acknowledge(username, number)


def _train(lab: Lab) -> None:
    """Train everybody on the laboratory's procedure and on the document that every role will require."""
    lab.n["required"] = lab.new_sop("Working here")
    lab.approve_sop(lab.n["required"])
    assert lab.work().due() == 1
    here = [n for n, *_ in (*FOUNDERS, *STAFF)]
    for username in (*here, *everybody(), *HALF_TRAINED, DELEGATE):
        lab.train(username, f"{lab.n['required']} v1")
    for username in (*here, *everybody(), DELEGATE):
        if username not in ("alan", "olga", "rex"):  # they are since the laboratory works
            lab.train(username, f"{lab.n['sop']} v1")
    for username in LAPSING:
        _train_until_tomorrow(lab, username)
    for role in ROLES:
        why = "Everybody here reads it first."
        lab.aurel.do(f"ROLE-{role}", "propose_documents", why=why, proposed_documents=[lab.n["required"]])
        lab.quinn.do(f"ROLE-{role}", "approve_documents", sign=True)


def _train_until_tomorrow(lab: Lab, username: str) -> None:
    number = lab.aurel.create(
        "training_record",
        person=lab.number_of(username),
        document=f"{lab.n['required']} v1",
        depth="assessed",
        due=LATER,
    )
    lab.person(username).do(number, "acknowledge", sign=True)
    ends = (TODAY + dt.timedelta(days=1)).isoformat()
    lab.aurel.do(number, "assess", sign=True, score=100, assessment="Asked in person.", expires=ends)


def people(lab: Lab) -> None:
    """Take on the people of this module and let every role require training."""
    _take_on(lab)
    _train(lab)


@pytest.fixture(scope="module")
def peopled(grounds: Grounds) -> Iterator[Lab]:
    """A laboratory with four people for every role; its database is made once and then copied."""
    with grounds.admin() as admin:
        known = admin.execute("select 1 from pg_database where datname = %s", [TEMPLATE]).fetchone()
    if known is None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "_COST", CHEAP)
            with grounds.open("world") as lab:
                people(lab)
            with psycopg.connect(**grounds.cluster.dsn("cs_superuser"), autocommit=True) as conn:
                make_movable(conn)
            grounds.keep(TEMPLATE)
    with grounds.open(TEMPLATE) as found:
        yield found


__all__ = [
    "ALL_ROUND",
    "DELEGATE",
    "HALF_TRAINED",
    "LAPSING",
    "ROLES",
    "TEAM",
    "UNTRAINED",
    "everybody",
    "holders",
    "peopled",
]
