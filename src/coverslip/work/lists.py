"""The lists of work in one hand, as the interface asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import Narrowed
from coverslip.records.collaboration.tag import TYPE as TAG, folded
from coverslip.work import waiting
from coverslip.work.around import MOST, Around
from coverslip.work.mine import MyWork
from coverslip.work.notices import Notices


@dataclass(frozen=True)
class Work:
    """What waits, what happened, what stands beside."""

    my_work: MyWork
    notices: Notices
    beside: Around

    def mine(self, context: Context, cursor: str, limit: int) -> dict[str, Any]:
        """Return a page of what waits for whoever asks."""
        return self.my_work.page(context, cursor, limit)

    def events(self, person: str, after: int | None, limit: int) -> dict[str, Any]:
        """Return a page of what others did after a tree index."""
        return self.notices.page(person, after, limit)

    def seen(self, person: str, index: int) -> int:
        """Keep how far a person has looked; return how far they have."""
        return self.notices.seen(person, index)

    def narrowed(self, tag: str, *, overdue: bool, everything: bool) -> Narrowed:
        """Return what a list shows: with a tag, only the overdue, voided ones only with ``everything``."""
        catalogue = self.my_work.catalogue
        return Narrowed(
            scope=f"{TAG.name}.mark" if tag else "",
            word=folded(tag),
            late=tuple(waiting.due(catalogue)) if overdue else None,
            today=self.my_work.today() if overdue else "",
            hidden=() if everything else tuple(waiting.hidden(catalogue)),
        )

    def around(self, row: Row, most: int = MOST) -> dict[str, Any]:
        """Return what stands beside a record, ``most`` of each kind."""
        return self.beside.of(row, most)

    def around_briefly(self, row: Row) -> dict[str, Any]:
        """Return the tags of a record, and how many of each other kind stand beside it."""
        return self.beside.brief(row)
