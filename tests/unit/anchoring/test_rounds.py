"""Every place has its turn when it is due, and nobody waits for one that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coverslip.anchoring.rounds import Rounds
from coverslip.anchoring.standing import ago, read_errors, standing, tell_error
from coverslip.anchoring.targets import Target, Targets, independence, load, save
from coverslip.errors import EnvironmentFault


class Log:
    """A log that a test lets grow."""

    def __init__(self) -> None:
        self.size, self.kept, self.releases = 0, [], set()  # type: ignore[var-annotated]
        self.known: dict[tuple[str, str], int] = {}
        self.gone = False

    def newest(self) -> tuple[int, bytes] | None:
        if self.gone:
            raise EnvironmentFault("UNAVAILABLE", what="The database")
        return (self.size, f"note {self.size}".encode()) if self.size else None

    def keep(self, size: int, kind: str, target: str, evidence: bytes) -> None:
        self.kept.append((kind, size, evidence))

    def last_size(self, kind: str, target: str) -> int:
        return self.known.get((kind, target), 0)

    def released(self, first: int, last: int) -> bool:
        return any(first <= one < last for one in self.releases)

    def close(self) -> None:
        """Nothing is held."""


class Place:
    """A place that answers, fails or hangs as a test says."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.hangs: threading.Event | None = None

    def put(self, note: bytes) -> bytes:
        if self.hangs is not None:
            assert self.hangs.wait(20)
        if self.fails is not None:
            raise self.fails
        return b"kept " + note


class Turning:
    """Rounds over fakes, with a clock that the test moves."""

    def __init__(self, *kinds: str) -> None:
        self.log, self.now, self.told = Log(), 1000.0, {}  # type: ignore[var-annotated]
        self.targets = [Target(f"t{n}", kind, f"/{n}", vkey="x", roots="x") for n, kind in enumerate(kinds)]
        self.places = {one.name: Place() for one in self.targets}
        self.rounds = Rounds(
            lambda: self.targets, lambda one: self.places[one.name], self.log, lambda: self.now,
            lambda name, error: self.told.__setitem__(name, error),
        )  # fmt: skip

    def turn(self, size: int = 0, seconds: float = 0.0) -> list[tuple[str, int]]:
        """Let time pass and the log grow, do what is due, and return what was kept in this turn."""
        self.now, self.log.size = self.now + seconds, size or self.log.size
        before = len(self.log.kept)
        self.rounds.do()
        for turn in self.rounds._turns.values():
            if turn.thread is not None and self.places["t0"].hangs is None:
                turn.thread.join(5)
        return [(kind, kept) for kind, kept, _ in self.log.kept[before:]]


def test_the_newest_checkpoint_goes_and_the_same_one_not_again() -> None:
    made = Turning("file")
    assert made.turn() == []
    assert made.turn(5) == [("file", 5)]
    assert made.turn(5, 100) == []
    assert made.turn(9, 1) == [("file", 9)]


@pytest.mark.parametrize(("kind", "cadence"), [("file", 1), ("witness", 10), ("rfc3161", 3600)])
def test_each_kind_has_its_own_cadence(kind: str, cadence: int) -> None:
    made = Turning(kind)
    made.turn(5)
    assert made.turn(6, cadence - 0.5) == []
    assert made.turn(6, 1) == [(kind, 6)]


def test_a_release_is_stamped_at_once() -> None:
    made = Turning("rfc3161", "witness")
    made.turn(5)
    assert made.turn(8, 1) == []
    made.log.releases.add(8)
    assert made.turn(9, 1) == [("rfc3161", 9)]
    assert made.turn(12, 1) == []


def test_a_failure_is_told_and_tried_again_soon() -> None:
    made = Turning("rfc3161")
    made.places["t0"].fails = OSError("no route")
    assert made.turn(5) == []
    assert made.told == {"t0": "no route"}
    made.places["t0"].fails = None
    assert made.turn(5, 30) == []
    assert made.turn(5, 31) == [("rfc3161", 5)]
    assert made.told == {"t0": ""}


def test_what_a_library_raises_is_told_as_well() -> None:
    made = Turning("file")
    made.places["t0"].fails = ZeroDivisionError("odd")
    made.turn(5)
    assert made.told == {"t0": "ZeroDivisionError: odd"}


def test_a_place_that_hangs_keeps_one_thread_and_nobody_else() -> None:
    made = Turning("witness", "file")
    made.places["t0"].hangs = threading.Event()
    for size in (5, 6, 7):
        made.turn(size, 20)
        made.rounds._turns[made.targets[1]].thread.join(5)  # type: ignore[union-attr]
    assert [kept for kind, kept, _ in made.log.kept if kind == "file"] == [5, 6, 7]
    assert sum(one.name == "anchor-t0" for one in threading.enumerate()) == 1
    made.places["t0"].hangs.set()
    made.rounds.wait(5)
    assert [kept for kind, kept, _ in made.log.kept if kind == "witness"] == [5]


def test_what_was_kept_before_a_restart_is_not_sent_again() -> None:
    made = Turning("witness")
    made.log.known["witness", "/0"] = 5
    assert made.turn(5) == []
    assert made.turn(6) == [("witness", 6)]


def test_a_place_taken_off_the_list_has_no_more_turns() -> None:
    made = Turning("file")
    made.turn(5)
    made.targets.clear()
    assert made.turn(6, 10) == []


def test_without_a_database_it_waits() -> None:
    made = Turning("file")
    made.log.gone = True
    assert made.turn(5) == []
    made.log.gone = False
    assert made.turn(5) == [("file", 5)]


def test_a_list_that_cannot_be_read_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    made = Turning("file")

    def broken() -> list[Target]:
        raise EnvironmentFault("ENVIRONMENT", what="anchors.json", expected="a list", found="noise")

    made.rounds.targets = broken
    for _ in range(3):
        assert made.turn(5) == []
    assert caplog.text.count("anchors.json") == 1


def test_a_place_that_cannot_be_made_is_told() -> None:
    made = Turning("file")

    def unusable(one: Target) -> Place:
        raise EnvironmentFault("ENVIRONMENT", what=one.name, expected="a key", found="none")

    made.rounds.make = unusable
    assert made.turn(5) == []
    assert "expected a key" in made.told["t0"]


# --- how it stands ---------------------------------------------------------------------------------


class Last:
    def __init__(self, size: int, age_s: float) -> None:
        self.size, self.age_s, self.at = size, age_s, "2026-11-21T07:00:00Z"


@pytest.mark.parametrize(
    ("last", "size", "overdue"),
    [(None, 5, True), (Last(5, 9e6), 5, False), (Last(4, 599), 5, False), (Last(4, 601), 5, True)],
)
def test_old_is_what_is_behind_and_past_its_limit(
    last: Last | None, size: int, overdue: bool, tmp_path: Path
) -> None:
    one = Target("w", "witness", "https://w.example/")
    known: dict[tuple[str, str], Any] = {("witness", one.target): last} if last else {}
    (line,) = standing([one], tmp_path, known, size, {"w": "no route"})
    assert line["overdue"] is overdue
    assert ("TOO OLD" in line["sentence"]) is overdue
    assert line["sentence"].endswith("last attempt failed: no route")


@pytest.mark.parametrize(("seconds", "said"), [(5, "5 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")])
def test_an_age_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    assert ago(seconds) == said


@pytest.mark.parametrize(
    ("make", "independent", "note"),
    [
        (lambda home: Target("f", "file", str(home / "x")), False, "in this home: not independent"),
        (lambda home: Target("f", "file", str(home.parent / "x")), False, "on the disk of this home"),
        (lambda home: Target("w", "witness", "http://127.0.0.1:1/", "mine"), False, "on this machine"),
        (lambda home: Target("w", "witness", "https://w.example/", "IT of the site"), True, "IT of the site"),
        (lambda home: Target("w", "witness", "https://w.example/"), True, "no note on who controls it"),
    ],
)
def test_what_cannot_be_independent_says_so(
    tmp_path: Path, make: Callable[[Path], Target], independent: bool, note: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    found = independence(make(home), home)
    assert found[0] is independent
    assert found[1].startswith(note)


def test_targets_are_read_as_they_were_written_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "anchors.json"
    made = Targets().plus(Target("w", "witness", "https://w.example/", vkey="k", mirror=True, every_s=5.0))
    save(path, made)
    assert load(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    for spoiled in ("", "[]", '{"format": 2, "targets": []}', '{"format": 1, "targets": [{"x": 1}]}'):
        path.write_text(spoiled)
        with pytest.raises(EnvironmentFault, match="a list of anchor targets"):
            load(path)


def test_errors_are_remembered_until_they_are_over(tmp_path: Path) -> None:
    path = tmp_path / "errors"
    assert read_errors(path) == {}
    tell_error(path, "a", "no route")
    tell_error(path, "b", "no name")
    tell_error(path, "a", "")
    assert read_errors(path) == {"b": "no name"}
    path.write_text("not json")
    assert read_errors(path) == {}
