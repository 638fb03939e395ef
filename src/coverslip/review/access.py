"""Access review: what is gathered about every account, and the duty that opens one each quarter.

Rules kept here:

* Every account that is not ended is listed, and every one that ended since it last could act is not:
  an ended account has no access to decide on.
* What cannot be known now is said as it is: a password is screened when it is set, so the review says
  when that was, and never screens it again (nobody but its owner has it).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.keys import PASSKEY
from coverslip.kernel.passkeys import TEST_DAYS
from coverslip.kernel.rows import Row
from coverslip.records.organisation.access_review import TYPE as REVIEW
from coverslip.records.organisation.role_grant import TYPE as GRANT
from coverslip.records.organisation.user import TYPE as USER

DORMANT_DAYS = 90
DAYS_TO_CLOSE = 30
_PAGE = 200


class Reading(Protocol):
    """Reading what a review looks at."""

    def page(self, kind: str, state: str, text: str, cursor: str, limit: int) -> tuple[list[Row], str]:
        """Return records of a type and the cursor of the next page (empty: none)."""
        ...

    def access_facts(self) -> dict[str, dict[str, Any]]:
        """Return by person: ``last_use``, ``credential`` (key id), ``since``, ``screened``, ``untrained``,
        ``passkey_used``, ``passkey_tested``.

        Under "" the database time ``now``.
        """
        ...


def access_gatherer(reading: Reading) -> Callable[[Row], list[dict[str, Any]]]:
    """Return the gatherer ``access_snapshot`` version 1."""

    def gather(review: Row) -> list[dict[str, Any]]:
        facts = reading.access_facts()
        users = {row.uid: row for row in _all(reading, USER.name)}
        roles = _roles(reading)
        now = dt.datetime.fromisoformat(facts[""]["now"])
        ended = {s.name for s in USER.states if s.terminal}
        return [
            _account(row, facts.get(row.uid, {}), roles.get(row.uid, []), users, now)
            for row in sorted(users.values(), key=lambda r: r.number)
            if row.state not in ended
        ]

    return gather


def _all(reading: Reading, kind: str, state: str = "") -> Iterator[Row]:
    cursor = ""
    while True:
        rows, cursor = reading.page(kind, state, "", cursor, _PAGE)
        yield from rows
        if not cursor:
            return


def _roles(reading: Reading) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for grant in _all(reading, GRANT.name, "active"):
        role = str(grant.fields["role"]["number"]).split("-", 1)[-1]
        found.setdefault(grant.fields["person"]["uid"], []).append(f"{role} ({grant.number})")
    return found


def _account(
    row: Row, facts: Mapping[str, Any], roles: Sequence[str], users: Mapping[str, Row], now: dt.datetime
) -> dict[str, Any]:
    fields = row.fields
    untrained = facts.get("untrained", [])
    value: dict[str, Any] = {
        "user": {"type": row.type, "uid": row.uid, "number": row.number},
        "username": fields["username"],
        "name": fields["printed_name"],
        "kind": fields["kind"],
        "state": row.state,
        "training": f"missing: {', '.join(untrained)}"[:500] if untrained else "complete",
        "credential": _credential(row, facts),
    }
    flags = ", ".join(_flags(row, facts, roles, users, now))
    for name, text in (
        ("roles", ", ".join(sorted(roles))[:500]),
        ("last_use", facts.get("last_use", "")),
        ("credential_since", facts.get("since", "")),
        ("screened", facts.get("screened", "")),
        ("flags", flags),
    ):
        if text:
            value[name] = text
    return value


def _credential(row: Row, facts: Mapping[str, Any]) -> str:
    if row.fields["kind"] == "service":
        return "none: a service has no password"
    told = [_password(row, facts)]
    count = len(_passkeys(row))
    if count:
        used = str(facts.get("passkey_used", ""))[:10] or "never"
        told.append(f"{count} {'passkey' if count == 1 else 'passkeys'}, last used {used}")
    return "; ".join(told)


def _password(row: Row, facts: Mapping[str, Any]) -> str:
    listed = [key["kid"] for key in row.fields.get("signing_keys", ()) if key["scheme"] != PASSKEY]
    if not facts.get("credential"):
        return "none in force" if not _passkeys(row) else "no password"
    if facts["credential"] != (listed or [""])[-1]:
        return "a key that the record does not list last"
    return "in force" if row.state == "active" else f"kept, not usable while {row.state}"


def _passkeys(row: Row) -> list[str]:
    """Return the passkeys a record lists that somebody verified."""
    waiting = row.fields.get("passkeys_waiting", ())
    keys = row.fields.get("signing_keys", ())
    return [key["kid"] for key in keys if key["scheme"] == PASSKEY and key["kid"] not in waiting]


def _flags(
    row: Row, facts: Mapping[str, Any], roles: Sequence[str], users: Mapping[str, Row], now: dt.datetime
) -> list[str]:
    found = []
    used = str(facts.get("last_use") or row.created_at)
    if (now - dt.datetime.fromisoformat(used)).days > DORMANT_DAYS:
        found.append(f"dormant for more than {DORMANT_DAYS} days")
    for name in ("manager", "responsible"):
        link = row.fields.get(name)
        holder = users.get(link["uid"]) if isinstance(link, dict) else None
        if holder is not None and holder.state == "disabled":
            found.append(f"{name} has left")
    if row.fields["kind"] == "service" and not row.fields.get("responsible"):
        found.append("nobody answers for it")
    if row.fields["kind"] != "service" and row.state == "active" and not row.fields.get("identity_check"):
        found.append("no identity check on record")
    if row.state == "active" and not roles:
        found.append("no role")
    tested = facts.get("passkey_tested")
    if tested and _passkeys(row) and (now - dt.datetime.fromisoformat(tested)).days > TEST_DAYS:
        found.append(f"a passkey untested for more than {TEST_DAYS} days")
    if any(role.startswith(("ADM ", "SEC ")) for role in roles):
        found.append("privileged")
    return found


@dataclass
class AccessReviews:
    """The duty that opens the review of a quarter on its first day, and says when one is overdue."""

    door: Door
    reading: Reading
    service: Callable[[], Context]
    now: Callable[[], str]
    founded: str
    """When the installation was founded; quarters before it are not reviewed."""
    holder: Callable[[str, str], str]
    """(scope, value) -> number of the record that holds a unique value, empty when none does."""
    overdue: Callable[[Row], None]
    """Tells people that a review is not closed in time."""

    name: ClassVar[str] = "access reviews"
    every_s: ClassVar[float] = 3600.0

    def do(self) -> None:
        """Open what is due, collect what is open, tell what is overdue."""
        today = dt.date.fromisoformat(self.now()[:10])
        first = dt.date(today.year, today.month - (today.month - 1) % 3, 1)
        if self.founded[:10] < first.isoformat():
            self._open(first)
        for row in _all(self.reading, REVIEW.name, "due"):
            self.door.submit(
                Change("collect", number=row.number, expected_version=row.version), self.service()
            )
        for state in ("due", "collecting", "reviewed", "executed"):
            for row in _all(self.reading, REVIEW.name, state):
                if str(row.fields["due_on"]) < today.isoformat():
                    self.overdue(row)

    def _open(self, first: dt.date) -> None:
        """Open the review of the quarter that ended the day before ``first``, once."""
        past = first - dt.timedelta(days=1)
        period = f"{past.year}-Q{(past.month + 2) // 3}"
        if self.holder(f"{REVIEW.name}.period", period):
            return
        fields = {
            "title": f"Access review and credential check {period}",
            "period": period,
            "due_on": (first + dt.timedelta(days=DAYS_TO_CLOSE)).isoformat(),
        }
        self.door.submit(Change("create", REVIEW.name, fields=fields), self.service())
