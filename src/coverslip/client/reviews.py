"""Review cases through the REST interface: look at a case, open its items, read its trail.

Rules kept here: opening is what the server sends and enters; there is no call that marks things as opened.
"""

from __future__ import annotations

from collections.abc import Iterator

from coverslip.client.records import segment
from coverslip.client.transport import Transport
from coverslip.client.values import Json


class Reviews:
    """Review cases. What a person opens here counts towards what they must have opened before they sign."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self, case: str) -> Json:
        """Return exceptions, items, coverage, conditions, signatures and what arrived; opens nothing."""
        value: Json = self._transport.json("GET", f"/reviews/{segment(case)}")
        return value

    def item(self, case: str, key: str) -> Json:
        """Return one item with its evidence; that it was sent is recorded."""
        value: Json = self._transport.json("GET", f"/reviews/{segment(case)}/items/{segment(key)}")
        return value

    def needed(self, case: str) -> Iterator[Json]:
        """Open, one after the other, every item that must be opened and was not yet."""
        for one in self.show(case)["coverage"]["unopened"]:
            yield self.item(case, str(one["key"]))

    def trail(self, case: str) -> Iterator[Json]:
        """Yield the whole trail of subject and scope, newest first; every page sent is recorded."""
        page = 1
        while page:
            found = self._transport.json("GET", f"/reviews/{segment(case)}/trail", query={"page": str(page)})
            yield from found["entries"]
            page = int(found["next"])
