"""Inspections: audits by an authority or a customer, what inspectors ask, what is answered, what they opened.

Rules kept here: an inspector writes nothing; what is asked aloud is written down by who accompanies them, as
a comment on the audit, and answered there. What an inspector opens is entered by the pages themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coverslip.application import acting, people
from coverslip.application.acting import Wish
from coverslip.application.services import Services
from coverslip.kernel.change import Context
from coverslip.kernel.queries import TrailAsked, TrailPage
from coverslip.kernel.rows import Row

AUDIT, REQUEST = "audit", "comment"
FROM_OUTSIDE = ("authority", "customer")


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked in an inspection. ``answer`` is empty while it is waited for."""

    row: Row
    by: str

    @property
    def text(self) -> str:
        """What was asked."""
        return str(self.row.fields.get("text", ""))

    @property
    def answer(self) -> str:
        """What was answered."""
        return str(self.row.fields.get("answer", ""))


def inspections(services: Services) -> list[Row]:
    """Return audits that come from outside, newest change first."""
    return [r for r in people.records(services, AUDIT) if r.fields.get("kind") in FROM_OUTSIDE]


def inspectors(services: Services) -> list[Row]:
    """Return the accounts that only read, ended ones too."""
    return [r for r in people.records(services, people.ACCOUNT) if r.fields.get("kind") == "inspector"]


def requests(services: Services, audit: Row) -> list[Request]:
    """Return what was asked in an inspection, oldest first; what was withdrawn stays in the list."""
    found = services.reading.linked(audit.uid, (REQUEST,))
    return [
        Request(row, _name(services, row.created_by)) for row in sorted(found, key=lambda r: r.created_at)
    ]


def ask(services: Services, context: Context, audit: Row, text: str, key: str) -> None:
    """Write down what an inspector asked. Raises what ``Door.submit`` raises."""
    acting.create(
        services, context, REQUEST, Wish({"subject": audit.label.replace(" ", ""), "text": text}, key=key)
    )


def answer(services: Services, context: Context, request: Row, text: str, version: int) -> None:
    """Write down what was answered. Raises what ``Door.submit`` raises."""
    acting.act(services, context, request, "answer", Wish({"answer": text}, expected_version=version))


def opened(services: Services, inspector: Row, cursor: str, limit: int) -> TrailPage:
    """Return what one inspector opened and was refused, newest first."""
    return services.trails.page(TrailAsked(actor=inspector.uid), cursor, limit)


def _name(services: Services, uid: str) -> str:
    return str((services.accounts.account(uid) or {}).get("name") or uid)


def waiting(found: list[Request]) -> Iterator[Request]:
    """Yield what nobody has answered yet."""
    yield from (one for one in found if one.row.state == "open")
