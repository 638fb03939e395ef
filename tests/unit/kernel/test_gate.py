"""The gate lets few in, serves addresses in turn, and never holds more than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from coverslip.api import app
from coverslip.errors import Refused
from coverslip.kernel import gate
from coverslip.kernel.gate import Gate


@contextmanager
def crowd(found: Gate, *addresses: str) -> Iterator[list[str]]:
    """Let threads of these addresses wait behind one that is inside; what is lent lists who came in."""
    entered, release, inside = list[str](), threading.Event(), threading.Event()

    def first() -> None:
        with found.enter("first"):
            inside.set()
            release.wait(10)

    def wait(address: str) -> None:
        with found.enter(address):
            entered.append(address)

    threads = [threading.Thread(target=first, daemon=True)]
    threads[0].start()
    assert inside.wait(10)
    for n, address in enumerate(addresses, 1):
        threads.append(threading.Thread(target=wait, args=(address,), daemon=True))
        threads[-1].start()
        while sum(map(len, found._lines.values())) < n:
            threading.Event().wait(0.001)
    yield entered
    release.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_addresses_are_served_in_turn_however_long_a_line_is() -> None:
    with crowd(Gate(slots=1), "flood", "flood", "flood", "honest") as entered:
        pass
    assert entered == ["flood", "honest", "flood", "flood"]


def test_a_line_that_is_full_refuses_its_own_address_only() -> None:
    found = Gate(slots=1, line=2)
    with crowd(found, "flood", "flood"), pytest.raises(Refused) as refused, found.enter("flood"):
        pass
    assert refused.value.code == "THROTTLED"


def test_all_lines_together_hold_no_more_than_the_server_can_spare() -> None:
    found = Gate(slots=1, line=8, most=3)
    with crowd(found, "a", "b", "c"):
        with pytest.raises(Refused), found.enter("d"):
            pass
        assert list(found._lines) == ["a", "b", "c"]


def test_the_server_has_threads_left_when_every_line_is_full() -> None:
    assert app.THREADS >= 2 * gate.MOST
