"""What may be concluded from several sources: the middle one, if most agree; else nothing."""

from __future__ import annotations

import pytest

from coverslip.timekeeping.reading import Reading, Unknown, conclude


def of(offset_s: float, error_s: float = 0.01, name: str = "x") -> Reading:
    return Reading("sntp", name, round(offset_s * 1e6), round(error_s * 1e6))


def test_one_source_is_believed_when_it_is_the_only_one_asked() -> None:
    assert conclude([of(0.2)], 1) == of(0.2)


def test_without_a_source_nothing_is_known() -> None:
    assert isinstance(conclude([], 0), Unknown)


def test_silent_sources_are_not_fine() -> None:
    found = conclude([], 3)
    assert isinstance(found, Unknown)
    assert "3" in found.why


def test_one_false_source_of_three_is_outvoted() -> None:
    found = conclude([of(0.01), of(0.012), of(3600)], 3)
    assert isinstance(found, Reading)
    assert abs(found.offset_us) < 20_000


@pytest.mark.parametrize(
    "readings, asked",
    [([of(0), of(5)], 2), ([of(0)], 2), ([of(0), of(5), of(9)], 3), ([of(0), of(0)], 4)],
    ids=["two disagree", "one of two is silent", "three disagree", "half is no majority"],
)
def test_no_side_is_chosen_without_a_majority_of_those_asked(readings: list[Reading], asked: int) -> None:
    assert isinstance(conclude(readings, asked), Unknown)


def test_sources_agree_within_their_own_error() -> None:
    assert isinstance(conclude([of(0, 0.3), of(0.5, 0.3)], 2), Reading)
