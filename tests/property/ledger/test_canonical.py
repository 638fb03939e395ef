"""Laws of canonical JSON, and agreement with two other writers on its profile."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import orjson
import pytest
import rfc8785
from hypothesis import given, strategies as st

from coverslip.ledger import canonical
from coverslip.ledger.canonical import CanonicalError

TEXTS = st.text(max_size=20).map(lambda text: normalize("NFC", text))
KEYS = st.text("abcxyz_019", min_size=1, max_size=6)
INTEGERS = st.integers(-canonical.MAX_INT, canonical.MAX_INT)
VALUES = st.recursive(
    TEXTS | INTEGERS | st.booleans(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_survives_writing_and_reading(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data) == value
    assert canonical.encode(canonical.decode(data)) == data


@given(VALUES)
def test_two_other_writers_agree_on_the_profile(value: Any) -> None:
    data = canonical.encode(value)
    assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data
    assert rfc8785.dumps(value) == data


@given(VALUES, VALUES)
def test_bytes_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    assert (canonical.encode(one) == canonical.encode(other)) is same


@given(st.binary(max_size=60) | VALUES.map(orjson.dumps))
def test_what_reads_is_canonical_and_anything_else_is_refused_in_one_way(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except CanonicalError:
        return
    assert canonical.encode(value) == data


@given(VALUES, st.data())
def test_a_space_anywhere_between_tokens_cannot_be_read(value: Any, data: st.DataObject) -> None:
    written = canonical.encode({"a": value})
    place = data.draw(st.sampled_from([0, 1, 4, 5, len(written) - 1, len(written)]))
    with pytest.raises(CanonicalError):
        canonical.decode(written[:place] + b" " + written[place:])
