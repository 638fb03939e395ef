"""Acts done at the same moment: from one barrier, or meeting between deciding and committing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from coverslip.errors import CoverslipError
from fix_lab import Lab


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts at once, one thread each, from one barrier; return results or the errors they raised."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = acts[index]()
        except CoverslipError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "an act hangs"
    return results


class Meeting:
    """Lets commands of chosen threads meet between deciding and committing, and go on in a given order."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]) -> None:
        self._order = order
        self._arrived = threading.Barrier(len(order))
        self._turn = {name: threading.Event() for name in order}
        self._turn[order[0]].set()
        self._mine = threading.local()
        self._commit = lab.store.commit
        monkeypatch.setattr(lab.store, "commit", self._wait)

    def _wait(self, batch: Any) -> Any:
        name = getattr(self._mine, "name", None)
        if name is None or {entry.kind for entry in batch.entries} <= {"session", "installation"}:
            return self._commit(batch)
        self._mine.name = None  # only the first commit of an act meets; a second attempt goes on at once
        self._arrived.wait(30)
        assert self._turn[name].wait(30)
        try:
            return self._commit(batch)
        finally:
            following = self._order.index(name) + 1
            if following < len(self._order):
                self._turn[self._order[following]].set()

    def run(self, **acts: Callable[[], Any]) -> dict[str, Any]:
        """Run the acts named in the order; return results or errors by name."""

        def named(name: str) -> Callable[[], Any]:
            def act() -> Any:
                self._mine.name = name
                return acts[name]()

            return act

        return dict(zip(self._order, together(*(named(n) for n in self._order)), strict=True))
