"""Two texts beside each other: nothing invented, nothing left out, and never longer than the texts are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from coverslip.web.comparing import compared

TEXT = st.text(st.sampled_from("ab \n.é"), max_size=200)


@given(TEXT, TEXT)
def test_both_texts_are_given_back_whole_and_what_is_the_same_is(old: str, new: str) -> None:
    found = compared(old, new)
    assert "".join(before for _, before, _ in found) == old
    assert "".join(after for _, _, after in found) == new
    for what, before, after in found:
        assert (what == "same") == (before == after)
        assert (what, bool(before), bool(after)) in {
            ("same", True, True), ("gone", True, False), ("new", False, True), ("changed", True, True)
        }  # fmt: skip


def test_a_changed_word_is_told_by_itself() -> None:
    old = "The lamp warms for 30 minutes.\nThen begin.\n"
    new = "The lamp warms for 20 minutes.\nThen begin.\nWrite it down.\n"
    assert compared(old, new) == [
        ("same", "The lamp warms for ", "The lamp warms for "),
        ("changed", "30", "20"),
        ("same", " minutes.\nThen begin.\n", " minutes.\nThen begin.\n"),
        ("new", "", "Write it down.\n"),
    ]


MOST = 200_000
LONG = {
    "one word over and over": ("a " * (MOST // 2), "a " * (MOST // 2 - 4) + "b a b a "),
    "empty lines": ("\n" * MOST, "x\n" + "\n" * (MOST - 7) + "x\n\nx\n\n"),
    "words in between": (
        " ".join(f"x{n}" for n in range(25_000)),
        " ".join(f"x{n} q{n}" for n in range(14_000)),
    ),
    "turned round": (
        "\n".join(f"x{n}" for n in range(25_000)),
        "\n".join(f"x{n}" for n in reversed(range(25_000))),
    ),
}


@pytest.mark.parametrize("pair", LONG.values(), ids=LONG)
def test_texts_made_to_exhaust_are_compared_soon(pair: tuple[str, str]) -> None:
    began = time.monotonic()
    assert compared(*pair)
    assert time.monotonic() - began < 10
