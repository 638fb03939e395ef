"""The table of figures: what is held, what is missed, and that it tells nobody's machine."""

from __future__ import annotations

import json
import math
import socket

import pytest
from bench import __main__ as bench, report
from bench.rows import NotMeasured, Row, Size, at_least, at_most, plain, ratio


def test_a_ratio_is_held_at_its_limit_and_missed_beyond_it() -> None:
    assert ratio("a", 125, "/s", "peer", 100, least=1.25).held == "held"
    assert ratio("a", 124, "/s", "peer", 100, least=1.25).held == "missed"
    assert ratio("a", 1.3, "s", "peer", 1.0, most=1.3).held == "held"
    assert ratio("a", 1.4, "s", "peer", 1.0, most=1.3).held == "missed"
    assert ratio("a", 1.4, "s", "peer", 1.0).held == "shown"


def test_a_figure_is_held_against_its_own_limit() -> None:
    assert [at_most("a", v, "s", 2).held for v in (2, 2.1)] == ["held", "missed"]
    assert [at_least("a", v, "/s", 2).held for v in (2, 1.9)] == ["held", "missed"]
    assert plain("a", 1, "s").held == "shown"


def test_rows_survive_the_way_between_processes() -> None:
    rows = [ratio("a", 3, "/s", "peer", 2, least=1), plain("b", 5, "us")]
    back = report.rows_of(report.as_json({}, rows))
    assert back[0] == rows[0]
    assert (back[1].name, back[1].value) == ("b", 5)
    assert math.isnan(back[1].ratio)


def test_the_page_has_every_row_and_says_what_was_missed() -> None:
    rows = [at_most("slow thing", 3, "s", 2), Row("absent", wanted="a compiler", held="not measured")]
    page = report.page({"date": "2026-11-21"}, rows, large=False)
    assert "| slow thing | 3 s |" in page
    assert "MISSED" in page
    assert "NOT MEASURED" in page
    assert "make bench`" in page


def test_the_machine_is_told_in_general_words_only() -> None:
    told = json.dumps(report.machine())
    assert "cores" in told
    assert socket.gethostname() not in told
    assert "/" + "tmp" not in told


def _with(monkeypatch: pytest.MonkeyPatch, row: Row) -> None:
    monkeypatch.setattr(bench, "_measured", lambda name, chosen: [row])


def test_a_missed_figure_ends_with_1_and_a_held_one_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with(monkeypatch, at_most("a", 3, "s", 2))
    assert bench.main(["--only", "vault"]) == 1
    _with(monkeypatch, at_most("a", 1, "s", 2))
    assert bench.main(["--only", "vault"]) == 0
    assert "held" in capsys.readouterr().out


def test_what_was_not_measured_is_named_and_neither_pass_nor_miss(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with(monkeypatch, Row("flush", wanted="needs a compiler", held="not measured"))
    assert bench.main(["--only", "vault"]) == 0
    assert "NOT MEASURED" in capsys.readouterr().err


def test_a_measurement_that_breaks_is_a_miss_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = bench.argparse.Namespace(large=False, quick=True)
    monkeypatch.setattr(bench.sys, "executable", "/bin/false")
    (row,) = bench._measured("vault", chosen)
    assert row.held == "missed"


def test_every_measurement_named_is_there() -> None:
    for name in bench.MEASUREMENTS:
        module = bench.importlib.import_module(f"bench.{name}")
        assert callable(module.measure)


def test_the_slow_disk_cannot_be_had_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import flush

    monkeypatch.setattr(flush.shutil, "which", lambda name: None)
    with pytest.raises(NotMeasured, match="compiler"):
        flush.shim(flush.Path("."))


def test_the_sizes_told_in_the_documents_are_those_measured() -> None:
    usual, large = bench.SIZES["usual"], bench.SIZES["large"]
    assert (usual.entries, usual.image) == (1_000_000, 1 << 30)
    assert (large.entries, large.image) == (10_000_000, 10 << 30)
    assert usual == Size()
