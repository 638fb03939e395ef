"""Assigning: the duty that opens what is asked of people and that no approval could open.

Rules kept here:

* A new person, a new grant, a new curriculum and training about to end lead to an assignment by themselves;
  what the approval of a document opened already is left alone.
* Every active person is told of each version of the signature policy that they have not acknowledged.
* A document in force without a periodic review to come gets one, such as the founding policy.
* Doing it again changes nothing: what is open is not opened twice, not even by two keepers at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from coverslip.errors import Conflict, Invalid, Refused
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.dates import later_by
from coverslip.kernel.rows import Row
from coverslip.records.documents._document import DOCUMENT_TYPES
from coverslip.records.documents._governing import uid_at
from coverslip.records.documents.periodic_review import OPEN as REVIEW_OPEN
from coverslip.records.documents.policy_notice import DAYS
from coverslip.training.matrix import Reading, every, picture

MOST = 500
"""How much is opened in one round; the rest follows in the next."""
_OPENS_BEFORE = 60
_log = logging.getLogger("coverslip.training")


@dataclass
class Assignments:
    """The duty that opens training, notices of the policy and reviews that are missing."""

    door: Door
    reading: Reading
    service: Callable[[], Context]
    now: Callable[[], str]

    name: ClassVar[str] = "training assignments"
    every_s: ClassVar[float] = 60.0

    def do(self) -> None:
        """Open everything that is missing; what somebody else just opened or changed is left."""
        today = self.now()[:10]
        opened = 0
        for change in self._changes(today):
            if opened >= MOST:
                return
            try:
                self.door.submit(change, self.service())
                opened += 1
            except (Conflict, Invalid, Refused) as error:
                _log.info("%s for %s: %s", change.type, change.fields.get("person", ""), error)

    def _changes(self, today: str) -> Iterator[Change]:
        yield from self._training(today)
        yield from self._notices(today)
        yield from self._reviews(today)

    def _training(self, today: str) -> Iterator[Change]:
        for missing in picture(self.reading, today).missing():
            fields: dict[str, Any] = {
                "person": missing.person.number,
                "document": missing.document.label,
                "depth": missing.need.depth,
                "due": missing.due,
            }
            if missing.need.refresh_months is not None:
                fields["refresh_months"] = missing.need.refresh_months
            key = f"training/{missing.document.uid}/{missing.person.uid}/{today}"
            yield Change("create", "training_record", fields=fields, idempotency_key=key)

    def _notices(self, today: str) -> Iterator[Change]:
        policies = [
            row
            for row in every(self.reading, "document_policy", "approved", "effective")
            if row.fields.get("governs_signatures") is True
        ]
        if not policies:
            return
        known = {_pair(row) for row in every(self.reading, "esign_acknowledgement", "signed")}
        known |= {_pair(row) for row in every(self.reading, "policy_notice", "open")}
        for person in every(self.reading, "user", "active"):
            for policy in policies if person.fields.get("kind") == "person" else ():
                if (person.uid, policy.uid) not in known:
                    day = str(policy.fields.get("effective_date", ""))
                    fields = {
                        "person": person.number,
                        "policy": policy.label,
                        "due": day if day > today else later_by(today, days=DAYS),
                    }
                    key = f"notice/{policy.uid}/{person.uid}/{today}"
                    yield Change("create", "policy_notice", fields=fields, idempotency_key=key)

    def _reviews(self, today: str) -> Iterator[Change]:
        known = {
            uid_at(row.fields, "document") for row in every(self.reading, "periodic_review", *REVIEW_OPEN)
        }
        for kind in DOCUMENT_TYPES:
            for row in every(self.reading, kind, "effective"):
                if row.uid in known:
                    continue
                day = max(later_by(_since(row), months=int(row.fields.get("review_months", 24))), today)
                fields = {
                    "document": row.label,
                    "opens_on": later_by(day, days=-_OPENS_BEFORE),
                    "due": day,
                }
                owner = row.fields.get("owner")
                if isinstance(owner, dict):
                    fields["owner"] = str(owner["number"])
                key = f"review/{row.uid}/{today}"
                yield Change("create", "periodic_review", fields=fields, idempotency_key=key)


def _pair(row: Row) -> tuple[str, str]:
    return uid_at(row.fields, "person"), uid_at(row.fields, "policy")


def _since(row: Row) -> str:
    return str(row.fields.get("effective_date") or row.created_at)[:10]
