"""A commitment changes with any change of section, salt or content."""

from __future__ import annotations

from hypothesis import assume, given, strategies as st

from coverslip.ledger import commitment

OPENINGS = st.tuples(
    st.sampled_from(sorted(commitment.SECTIONS)), st.binary(min_size=32, max_size=32), st.binary(max_size=40)
)


@given(OPENINGS, OPENINGS)
def test_different_openings_have_different_commitments(
    one: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]
) -> None:
    assume(one != other)
    assert commitment.commit(*one) != commitment.commit(*other)
    assert len(commitment.commit(*one)) == 32


@given(OPENINGS, st.data())
def test_one_flipped_bit_changes_the_commitment(
    opening: tuple[str, bytes, bytes], data: st.DataObject
) -> None:
    section, salt, content = opening
    bit = data.draw(st.integers(0, 8 * (len(salt) + len(content)) - 1))
    whole = bytearray(salt + content)
    whole[bit // 8] ^= 1 << bit % 8
    changed = commitment.commit(section, bytes(whole[:32]), bytes(whole[32:]))
    assert changed != commitment.commit(section, salt, content)
