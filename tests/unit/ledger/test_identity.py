"""Version 7 UUIDs: layout, order, and no repetition."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import RFC_4122

import pytest

from coverslip.ledger import identity
from coverslip.ledger.files import uuid7


def test_the_layout_is_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    one = uuid7()
    after = time.time_ns() // 1_000_000
    assert (one.version, one.variant) == (7, RFC_4122)
    assert before <= one.int >> 80 <= after + 1


def test_they_rise_and_never_repeat() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert all(one < other for one, other in pairwise(made))


def test_threads_cannot_get_the_same_one() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: uuid7(), range(4_000)))
    assert len(set(made)) == len(made)


def test_a_clock_set_back_cannot_make_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = uuid7()
    monkeypatch.setattr(identity.time, "time_ns", lambda: 0)
    assert uuid7() > newest
