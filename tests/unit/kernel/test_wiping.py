"""Secrets in buffers: the same keys as ever, and nothing left in them after the ceremony."""

from __future__ import annotations

from typing import Any

import pytest
from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from coverslip.errors import Refused
from coverslip.kernel import keys

WORDS = "walnut harbour lantern"
COST = {"memory_kib": 64, "time_cost": 1, "parallelism": 1}


@pytest.fixture
def buffers(monkeypatch: pytest.MonkeyPatch) -> list[bytearray]:
    """Every buffer that held a secret, and what was in it is remembered beside it."""
    seen: list[bytearray] = []
    wiped = keys._wiped

    def remembered(buffer: bytearray) -> Any:
        seen.append(buffer)
        return wiped(buffer)

    monkeypatch.setattr(keys, "_wiped", remembered)
    monkeypatch.setattr(keys, "_COST", COST)
    return seen


@pytest.mark.parametrize("cost", [COST, {"memory_kib": 256, "time_cost": 3, "parallelism": 2}])
def test_the_derived_key_is_that_of_the_librarys_own_function(cost: dict[str, int]) -> None:
    """Else keys wrapped by an earlier release would not open."""
    expected = hash_secret_raw(
        WORDS.encode(), b"s" * 16, cost["time_cost"], cost["memory_kib"], cost["parallelism"], 32, Type.ID
    )
    assert bytes(keys._derive(WORDS, b"s" * 16, cost)) == expected


def test_a_cost_the_library_refuses_is_no_key() -> None:
    with pytest.raises(HashingError):
        keys._derive(WORDS, b"s" * 16, COST | {"time_cost": 0})


def test_every_buffer_is_overwritten_after_enrolling_signing_and_proving(buffers: list[bytearray]) -> None:
    made = keys.enrol(WORDS, "p")
    keys.sign(made.wrapped, WORDS, "p", b"m")
    keys.prove(made.wrapped, WORDS, "p")
    keys.burn_time(WORDS)
    assert len(buffers) >= 10
    assert all(not any(buffer) for buffer in buffers)


def test_every_buffer_is_overwritten_when_the_secret_is_wrong(buffers: list[bytearray]) -> None:
    made = keys.enrol(WORDS, "p")
    with pytest.raises(Refused):
        keys.sign(made.wrapped, "another harbour lantern", "p", b"m")
    with pytest.raises(Refused):
        keys.sign(made.wrapped, WORDS, "somebody else", b"m")
    assert all(not any(buffer) for buffer in buffers)


def test_a_refusal_holds_no_secret_in_its_trace(buffers: list[bytearray]) -> None:
    """A reporter that prints local variables must find none: the frames of the ceremony keep no key."""
    made = keys.enrol(WORDS, "p")
    try:
        keys.sign(made.wrapped, "another harbour lantern", "p", b"m")
    except Refused as error:
        trace = error.__traceback__
    found = []
    while trace is not None:
        found += [v for v in trace.tb_frame.f_locals.values() if isinstance(v, (bytes, bytearray)) and any(v)]
        trace = trace.tb_next
    hexed = {made.wrapped["sealed"], made.wrapped["nonce"], b"m".hex(), made.wrapped["salt"]}
    bound = keys._bound("p", made.kid).hex()
    assert {bytes(v).hex() for v in found} <= hexed | {bound}
