"""The lists of work in one hand, as the interface asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row
from coverslip.work.around import Around
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

    def around(self, row: Row) -> dict[str, Any]:
        """Return what stands beside a record."""
        return self.beside.of(row)
