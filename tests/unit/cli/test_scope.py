"""The scope inventory on the command line: for people, for machines and for a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from coverslip.records import all_types


def test_every_type_is_shown_with_what_applies(ada: Any) -> None:
    ran = ada("scope")
    assert ran.code == 0, ran.err
    lines = {line.split("\t")[0]: line.split("\t")[1:] for line in ran.out.splitlines()}
    assert {t.name for t in all_types()} <= set(lines)
    assert lines["calibration"][:2] == ["required by rule", "applies"]


def test_machines_get_the_whole_rows(ada: Any) -> None:
    found = json.loads(ada("scope", "--json").out)
    row = next(r for r in found["items"] if r["name"] == "calibration")
    assert row["rules"][0] == "21 CFR 211.68"
    assert "csv" not in found


def test_the_inventory_is_written_to_a_new_file_only(ada: Any, tmp_path: Path) -> None:
    file = tmp_path / "scope.csv"
    ran = ada("scope", "--csv", file)
    assert ran.code == 0, ran.err
    assert str(file) in ran.out
    with file.open(encoding="utf-8", newline="") as lines:
        names = [line["name"] for line in csv.DictReader(lines)]
    assert names == [t.name for t in sorted(all_types(), key=lambda t: t.name)]
    before = file.read_bytes()
    again = ada("scope", "--csv", file)
    assert again.code == 2
    assert "which exists" in again.err
    assert file.read_bytes() == before


def test_a_day_that_is_none_is_wrong_usage(ada: Any) -> None:
    ran = ada("scope", "--as-of", "soon")
    assert ran.code in (1, 2)
    assert ran.err
