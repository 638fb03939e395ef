"""Canonical JSON: what it writes, and everything it refuses to read or write."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from coverslip.ledger import canonical
from coverslip.ledger.canonical import CanonicalError


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, False, "x"]}, b'{"a":[true,false,"x"],"b":1}'),
        ({"a_b": 1, "a1": 2, "a": 3}, b'{"a":3,"a1":2,"a_b":1}'),
        ('\x00\x08\t\n\x0c\r\x1f"\\/\x7f', b'"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f"'),
        ("é€😀", '"é€😀"'.encode()),
        (2**53 - 1, b"9007199254740991"),
        (-(2**53) + 1, b"-9007199254740991"),
        (("a", ()), b'["a",[]]'),
        ({"c": Colour.RED}, b'{"c":"red"}'),
        ({}, b"{}"),
    ],
)
def test_a_value_of_the_profile_has_one_spelling(value: Any, expected: bytes) -> None:
    assert canonical.encode(value) == expected


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (None, "$"),
        ({"a": {"b": [1, None]}}, "$.a.b[1]"),
        ({"a": 1.0}, "$.a"),
        ([float("nan")], "$[0]"),
        (2**53, "$"),
        ([-(2**53)], "$[0]"),
        ({"A": 1}, "$"),
        ({"x": {"": 1}}, "$.x"),
        ({"é": 1}, "$"),
        ({"a\n": 1}, "$"),
        ({1: 1}, "$"),
        (["e\u0301"], "$[0]"),
        ("\ud800", "$"),
        (b"bytes", "$"),
        ({"s": {1, 2}}, "$.s"),
    ],
)
def test_a_value_outside_the_profile_cannot_be_written(value: Any, path: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical.encode(value)
    assert caught.value.path == path
    assert str(caught.value).startswith(path + ": ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1 ",
        b"1\n",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b"-0",
        b"1.0",
        b"1e2",
        b"01",
        b"null",
        b"NaN",
        b"Infinity",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u001F"',
        b'"\\n\\u000a"',
        b'"\t"',
        b'"\\ud83d\\ude00"',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        '"e\u0301"'.encode(),
        b'{"A":1}',
        b"9007199254740992",
        b"9" * 5000,
        b"[1,]",
        b"{} {}",
    ],
)
def test_another_spelling_cannot_be_read(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        canonical.decode(data)


@pytest.mark.parametrize("data", [b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"b":[{"k":1,"k":1}]}'])
def test_a_repeated_key_cannot_be_read_and_is_named_as_such(data: bytes) -> None:
    with pytest.raises(CanonicalError, match="is repeated"):
        canonical.decode(data)


def test_nesting_can_reach_the_limit_and_not_go_beyond() -> None:
    deep = b"[" * canonical.MAX_DEPTH + b"]" * canonical.MAX_DEPTH
    assert canonical.encode(canonical.decode(deep)) == deep
    with pytest.raises(CanonicalError, match="deeper"):
        canonical.decode(b"[" + deep + b"]")


def test_hostile_nesting_cannot_exhaust_the_stack() -> None:
    with pytest.raises(CanonicalError, match="deeper"):
        canonical.decode(b"[" * 200_000 + b"]" * 200_000)
    with pytest.raises(CanonicalError):
        canonical.decode(b'{"a":' * 200_000)
