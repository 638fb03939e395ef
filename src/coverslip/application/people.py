"""People: who has an account, what each holds, and how somebody is let in.

Rules kept here: an enrolment code is shown once, to who made it, and making it is an entry; where people sign
in from, and how often they failed, is for those who look after accounts and for each person about themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from coverslip.application.finding import type_named
from coverslip.application.services import Services
from coverslip.errors import Invalid
from coverslip.kernel.accounts import Session
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event
from coverslip.kernel.identity import ENROLMENT_HOURS, SIGN_IN, name_key
from coverslip.kernel.rows import Row

ACCOUNT, GRANT, ROLE, DEVICE, REVIEW = "user", "role_grant", "role", "instrument", "access_review"
LOOKERS = frozenset({"ADM", "SEC", "QA", "QAL", "INS"})
"""Roles that look after accounts."""
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time enrolment code, for how many hours it opens."""

    number: str
    code: str = field(repr=False)
    hours: int = ENROLMENT_HOURS


@dataclass(frozen=True, slots=True)
class Person:
    """One account. ``grants`` are (role code, grant); ``credential`` says in words what signs."""

    row: Row
    grants: tuple[tuple[str, Row], ...]
    credential: str
    last_use: str = ""
    untrained: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Codes of the roles held."""
        return tuple(sorted({code for code, _ in self.grants}))


@dataclass(frozen=True, slots=True)
class Looked:
    """What those who look after accounts see of one; ``passkeys`` as the ring tells them."""

    sessions: tuple[Session, ...]
    last: dict[str, str]
    failures: int
    passkeys: tuple[dict[str, Any], ...] = ()


def invite(services: Services, row: Row, context: Context) -> Invitation:
    """Make a one-time enrolment code for an invited person; only who may create such accounts.

    Raises ``AUTH_ROLE``; ``VAL_FORM`` where the account waits for no enrolment.
    """
    refusal = services.door.explain_create(services.catalogue[row.type], context)
    if refusal is not None:
        raise refusal
    account = services.accounts.account(row.uid)
    if account is None or account.get("verified"):
        raise Invalid(
            "VAL_FORM", field="the account", expected="invited and not yet verified", found=row.state
        )
    code = services.identity.invite(row.uid, context.person)
    services.events.record(Event("credential", "invited", {"record": row.number}, row), context)
    return Invitation(row.number, code)


def everybody(services: Services) -> list[Person]:
    """Return every account there is, disabled ones too, by printed name."""
    facts = services.reading.access_facts()
    grants: dict[str, list[tuple[str, Row]]] = {}
    for row in records(services, GRANT, "active"):
        grants.setdefault(str(row.fields["person"]["uid"]), []).append((role_code(row), row))
    found = [
        _person(row, grants.get(row.uid, []), facts.get(row.uid, {})) for row in records(services, ACCOUNT)
    ]
    return sorted(found, key=lambda one: str(one.row.title).casefold())


def one(services: Services, row: Row) -> Person:
    """Return one account with every grant it holds."""
    linked = [r for r in services.reading.linked(row.uid, (GRANT,)) if r.state == "active"]
    grants = [(role_code(r), r) for r in linked if r.fields["person"]["uid"] == row.uid]
    return _person(row, grants, services.reading.access_facts(row.uid).get(row.uid, {}))


def looked(services: Services, row: Row) -> Looked:
    """Return where a person is signed in, the last attempts, and how many failed since the last success."""
    name = name_key(str(row.fields.get("username", "")))
    return Looked(
        tuple(services.accounts.sessions_of(row.uid)),
        services.accounts.last_sign_ins(row.uid),
        services.accounts.failures(SIGN_IN, name),
        tuple(services.identity.ring.told(row.uid)),
    )


def may_look(services: Services, context: Context, row: Row | None = None) -> bool:
    """Return whether somebody sees where people sign in: their task, or their own account."""
    own = row is not None and row.uid == context.person
    return own or bool(LOOKERS & set(services.reading.roles(context.person)))


def records(services: Services, kind: str, state: str = "") -> Iterator[Row]:
    """Yield every record of a type, in a state where one is named."""
    type_named(services, kind)
    cursor = ""
    while True:
        rows, cursor = services.reading.page(kind, state, "", cursor, _PAGE)
        yield from rows
        if not cursor:
            return


def role_code(grant: Row) -> str:
    """Return the code of the role a grant is of."""
    return str(grant.fields["role"]["number"]).split("-", 1)[-1]


def _person(row: Row, grants: list[tuple[str, Row]], facts: dict[str, Any]) -> Person:
    return Person(
        row,
        tuple(sorted(grants, key=lambda g: g[0])),
        _credential(row, facts),
        str(facts.get("last_use", "")),
        tuple(facts.get("untrained", ())),
    )


def _credential(row: Row, facts: dict[str, Any]) -> str:
    """Return in words what a person signs with."""
    if row.fields.get("kind") == "service":
        return "none: a service has no password"
    keys = [str(key["scheme"]) for key in row.fields.get("signing_keys", ())]
    waiting = len(row.fields.get("passkeys_waiting", ()))
    passkeys = sum(scheme.startswith("webauthn") for scheme in keys) - waiting
    parts = ["password"] if facts.get("credential") else []
    parts += [f"{passkeys} {'passkey' if passkeys == 1 else 'passkeys'}"] if passkeys > 0 else []
    parts += [f"{waiting} to be verified"] if waiting else []
    return ", ".join(parts) or "none in force"
