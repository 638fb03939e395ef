"""Sources are named by an operator, and each that fails is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping.reading import Reading, Unknown
from coverslip.timekeeping.sources import Source, ask, parse, parse_all, read_sources, write_sources
from fix_time import answer, time_server


@pytest.mark.parametrize(
    "text, source",
    [
        ("chrony", Source("chrony")),
        ("sntp:ntp.lab.example", Source("sntp", "ntp.lab.example", 123)),
        ("sntp:10.0.0.1:1123", Source("sntp", "10.0.0.1", 1123)),
        ("sntp:[::1]:1123", Source("sntp", "::1", 1123)),
    ],
)
def test_a_source_is_named_like_this(text: str, source: Source) -> None:
    assert parse(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ntp",
        "chrony:x",
        "sntp:",
        "sntp:-x",
        "sntp:a:0",
        "sntp:a:65536",
        "sntp:a b",
        "sntp:a:1:2",
        "sntp:a/../b",
    ],
)
def test_and_like_nothing_else(text: str) -> None:
    with pytest.raises(EnvironmentFault, match="time source"):
        parse(text)


def test_what_was_named_is_read_back(tmp_path: Path) -> None:
    named = (Source("chrony"), Source("sntp", "ntp.lab.example", 123))
    write_sources(tmp_path / "clock.json", named)
    assert read_sources(tmp_path / "clock.json") == named


@pytest.mark.parametrize("texts", [["chrony", "chrony"], ["sntp:a", "sntp:a:123"], ["chrony"] * 9])
def test_a_source_named_twice_does_not_confirm_itself(texts: list[str]) -> None:
    with pytest.raises(EnvironmentFault, match="confirm itself"):
        parse_all(texts)


def test_no_file_names_no_source(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "clock.json") == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"sources": "chrony"}', '{"sources": [1]}', '{"sources": %s}' % (["chrony"] * 9)],
)
def test_a_damaged_file_is_refused_not_read_as_no_source(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock.json").write_text(text.replace("'", '"'))
    with pytest.raises(EnvironmentFault, match=r"clock\.json"):
        read_sources(tmp_path / "clock.json")


def test_two_of_three_servers_outvote_one_that_lies() -> None:
    with (
        time_server(lambda q: [answer(q)]) as one,
        time_server(lambda q: [answer(q)]) as two,
        time_server(lambda q: [answer(q, ahead_s=-3600)]) as liar,
    ):
        found = ask([Source("sntp", "127.0.0.1", port) for port in (liar, one, two)], time.time)
    assert isinstance(found, Reading)
    assert abs(found.offset_us) < 500_000


def test_a_source_that_does_not_answer_counts_against() -> None:
    with time_server(lambda q: [answer(q)]) as one, time_server(lambda q: [answer(q, leap=3)]) as dead:
        found = ask([Source("sntp", "127.0.0.1", port) for port in (one, dead)], time.time)
    assert isinstance(found, Unknown)
    assert "not synchronised" in found.why
