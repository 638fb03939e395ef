"""What guards tell people: sentences whose every value is filled in, and that accuse nobody."""

from __future__ import annotations

from string import Formatter

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types
from fix_tour import own_guards

FILLED: dict[type, set[str]] = {
    w.InState: {"number", "state", "states"},
    w.Current: {"number", "state"},
    w.Compare: {"what", "op", "wanted", "value"},
    w.InDate: {"what", "date"},
    w.Reached: {"what", "date"},
    w.Filled: {"what", "columns", "n", "found"},
    w.Count: {"target", "op", "limit", "type", "n"},
    w.NoOpen: {"number", "state"},
    w.Signed: {"number", "meaning", "n"},
}
"""Which values each word fills into its message; a rule's answer is filled by the rule."""
BLAMING = (
    "you failed",
    "you forgot",
    "your fault",
    "your mistake",
    "illegal",
    "wrong!",
    "error:",
)


@pytest.mark.parametrize("t", all_types(), ids=lambda t: t.name)
def test_no_message_shows_a_raw_placeholder_or_blames(t: w.Type) -> None:
    for (act, *_), guard in own_guards(t).items():
        message = getattr(guard, "message", "")
        named = {name for _, name, _, _ in Formatter().parse(message) if name}
        assert named <= FILLED.get(type(guard), set()), f"{act}: {message}"
        assert not any(word in message.casefold() for word in BLAMING), f"{act}: {message}"
        assert message == message.strip() and "  " not in message, f"{act}: {message!r}"
