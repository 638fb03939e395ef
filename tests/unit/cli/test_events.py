"""The event feed on the command line: in order, by type, behind a cursor, as it happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coverslip.cli import events


@pytest.fixture
def three(ada: Any) -> None:
    for name in ("cem", "dana", "emil"):
        assert ada("user", "new", name, "--name", name.capitalize()).code == 0


def test_events_are_a_line_each_oldest_first(ada: Any, three: None) -> None:
    lines = ada("events").out.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert "create -> invited  Ada Adler" in lines[0]


def test_for_machines_every_line_is_one_event(ada: Any, three: None) -> None:
    found = [json.loads(line) for line in ada("events", "--json").out.splitlines()]
    assert [(e["cursor"], e["act"], e["type"]) for e in found] == [
        (str(i), "create", "user") for i in range(3)
    ]


def test_one_goes_on_behind_a_cursor_and_by_type(ada: Any, three: None) -> None:
    assert [line.split()[0] for line in ada("events", "--after", "0").out.splitlines()] == ["1", "2"]
    assert ada("events", "--type", "study").out == ""


def test_following_shows_what_comes_until_interrupted(
    ada: Any, three: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter([None])

    def wait(_: float) -> None:
        if next(waits, "end") == "end":
            raise KeyboardInterrupt

    monkeypatch.setattr(events.time, "sleep", wait)
    ran = ada("events", "--follow")
    assert (ran.code, len(ran.out.splitlines())) == (130, 3)


def test_an_event_that_cannot_be_read_is_shown_as_such() -> None:
    event = {"cursor": "7", "type": "run", "number": "RUN-1", "version": 2, "actor": {"uid": "u", "name": ""}}
    assert "unreadable" in events.line(event | {"unreadable": True})


def test_who_may_not_read_them_is_told(ada: Any, three: None, lab: Any) -> None:
    lab.readers.add("ada")
    ran = ada("events")
    assert (ran.code, ran.out) == (1, "")
    assert "AUTH_ROLE" in ran.err
