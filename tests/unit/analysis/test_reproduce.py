"""Two tables are the same exactly, the same within tolerance, or not the same; both numbers are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coverslip.analysis.reproduce import Comparison, compare

Ask = Callable[..., Comparison]
HEAD = "image,label,area_px,centroid_y_px,mean_intensity\n"
TABLE = HEAD + "IMG-1,1,300,10.500000,812.250000\nIMG-1,2,280,99.250000,700.000000\n"


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Comparison]:
    def ask(other: str, first: str = TABLE) -> Comparison:
        (tmp_path / "a.csv").write_text(first, "utf-8")
        (tmp_path / "b.csv").write_text(other, "utf-8")
        return compare(tmp_path / "a.csv", tmp_path / "b.csv")

    return ask


def test_the_same_table_is_reproduced_exactly(compared: Ask) -> None:
    assert compared(TABLE) == Comparison("reproduced exactly", 2, ())


def test_last_digits_of_decimals_are_within_tolerance_and_kept(compared: Ask) -> None:
    found = compared(TABLE.replace("812.250000", "812.250300"))
    assert found.verdict == "reproduced within tolerance"
    (one,) = found.differences
    assert (one.row, one.column, one.first, one.second) == (1, "mean_intensity", "812.250000", "812.250300")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("812.250000", "812.260000"), ("280", "281"), (",300,", ",300.0,"), ("IMG-1,2", "IMG-2,2"),
        ("99.250000", "nan"), ("99.250000", ""), ("99.250000", "inf"), ("area_px", "area"),
    ],
)  # fmt: skip
def test_anything_else_is_not_reproduced(compared: Ask, old: str, new: str) -> None:
    found = compared(TABLE.replace(old, new))
    assert found.verdict == "not reproduced"
    assert found.differences


def test_one_value_beyond_its_tolerance_outweighs_all_within(compared: Ask) -> None:
    found = compared(TABLE.replace("812.250000", "812.250300").replace("280", "279"))
    assert found.verdict == "not reproduced"
    assert len(found.differences) == 2


@pytest.mark.parametrize("rows", [HEAD, TABLE + "IMG-1,3,5,1.000000,1.000000\n"], ids=["none", "one more"])
def test_another_number_of_rows_is_not_reproduced(compared: Ask, rows: str) -> None:
    found = compared(rows)
    assert found.verdict == "not reproduced"
    assert found.differences[0].column == "rows"


def test_two_empty_tables_are_the_same(compared: Ask) -> None:
    assert compared(HEAD, HEAD).verdict == "reproduced exactly"
