"""The time duty: heartbeats when they are due, and every jump of the clock on the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping.duty import Timekeeper
from coverslip.timekeeping.measuring import Measured, measure
from coverslip.timekeeping.sources import Source
from fix_time import answer, time_server


@dataclass
class Database:
    """A database clock and a log, as the duty sees them."""

    ahead: float = 0.0
    entries: int = 0
    kept: list[Measured] = field(default_factory=list)
    monotonic: float = 1000.0
    written: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    refuses: bool = False
    told: list[str] = field(default_factory=list)

    def database_s(self) -> float:
        return time.time() + self.ahead

    def keep(self, measured: Measured) -> None:
        self.kept.append(measured)

    def last_entry(self) -> int:
        return self.entries

    def write(self, kind: str, act: str, detail: dict[str, Any]) -> None:
        if self.refuses:
            raise EnvironmentFault("CLOCK_BACK", behind="3600.0 s")
        self.entries += 1
        self.written.append((kind, act, detail))


@pytest.fixture
def port() -> Iterator[int]:
    with time_server(lambda q: [answer(q)]) as found:
        yield found


def keeper(database: Database, *ports: int, token: str = "") -> Timekeeper:
    sources = [Source("sntp", "127.0.0.1", one) for one in ports]
    return Timekeeper(
        database, lambda: sources, time.time, lambda: database.monotonic, database.write, lambda: token,
        lambda what, bucket: database.told.append(what),
    )  # fmt: skip


def acts(database: Database) -> list[str]:
    return [act for _, act, _ in database.written]


def test_a_heartbeat_at_start_says_offset_source_and_boot(port: int) -> None:
    database = Database(ahead=0.4)
    keeper(database, port).do()
    kind, _, detail = database.written[0]
    assert kind == "heartbeat"
    assert abs(detail["off_us"] - 400_000) < 100_000
    assert detail["ok"] and detail["src"] == "sntp" and detail["server"].endswith(str(port))
    assert detail["boot"] and detail["monotonic_us"] == 1_000_000_000


def test_without_a_source_a_heartbeat_says_why_nothing_is_known() -> None:
    database = Database()
    keeper(database).do()
    assert database.written[0][2]["src"] == "none"
    assert "no time source" in database.written[0][2]["why"]
    assert not database.kept[0].ok


def test_a_heartbeat_names_the_newest_token(port: int) -> None:
    database = Database()
    keeper(database, port, token="ab" * 32).do()
    assert database.written[0][2]["token"] == "ab" * 32


def test_an_idle_log_has_one_heartbeat_an_hour_and_an_active_one_each_minute() -> None:
    database = Database()

    def later(seconds: float) -> None:
        database.monotonic += seconds
        database.ahead += seconds
        duty.do()

    with time_server(lambda q: [answer(q, ahead_s=database.ahead)]) as port:
        duty = keeper(database, port)
        duty.do()
        later(120)
        assert acts(database) == ["heartbeat"]
        database.entries += 1
        later(60)
        assert acts(database) == ["heartbeat"] * 2
        later(3600)
        assert acts(database) == ["heartbeat"] * 3


def test_a_heartbeat_follows_at_once_when_the_clock_becomes_wrong(port: int) -> None:
    database = Database()
    duty = keeper(database, port)
    duty.do()
    database.ahead = 1.5
    database.monotonic += 1.5
    duty.do()
    assert [d["ok"] for _, act, d in database.written if act == "heartbeat"] == [True, False]


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 5.0, -5.0])
def test_a_jump_of_the_database_clock_is_an_anomaly_with_its_size(port: int, jump: float) -> None:
    database = Database()
    duty = keeper(database, port)
    duty.do()
    database.ahead += jump
    duty.do()
    found = [d for kind, _, d in database.written if kind == "anomaly"]
    assert len(found) == 1
    assert abs(found[0]["by_us"] - jump * 1e6) < 500_000


def test_a_clock_that_is_slewed_is_no_jump(port: int) -> None:
    database = Database()
    duty = keeper(database, port)
    duty.do()
    database.ahead += 0.2
    duty.do()
    assert "clock_jump" not in acts(database)


def test_while_writing_is_refused_the_anomaly_waits_and_the_clock_is_still_kept(port: int) -> None:
    database = Database()
    duty = keeper(database, port)
    duty.do()
    database.ahead, database.refuses = -3600.0, True
    with pytest.raises(EnvironmentFault):
        duty.do()
    assert len(database.kept) == 2
    database.refuses = False
    duty.do()
    assert acts(database).count("clock_jump") == 1


@pytest.mark.parametrize(
    "ahead, ok", [(0.0, True), (0.9, True), (1.2, False), (-1.2, False), (3600.0, False)]
)
def test_people_may_sign_only_within_a_second(port: int, ahead: float, ok: bool) -> None:
    found = measure([Source("sntp", "127.0.0.1", port)], time.time, lambda: time.time() + ahead)
    assert found.ok is ok


def test_an_offset_with_a_large_error_of_its_own_is_not_good_enough() -> None:
    assert not Measured(0, 1_500_000, "sntp", "x").ok


def test_people_are_told_once_when_the_clock_becomes_wrong_and_of_every_jump(port: int) -> None:
    database = Database()
    duty = keeper(database, port)
    duty.do()
    assert database.told == []
    database.ahead = 1.5
    database.monotonic += 1.5
    duty.do()
    duty.do()
    assert len(database.told) == 1
    assert "cannot sign" in database.told[0]
    database.ahead = 3600.0
    duty.do()
    assert len(database.told) == 2
    assert "jumped by +3598.5 s" in database.told[1] or "jumped by +359" in database.told[1]


def test_an_installation_without_sources_is_not_alarmed_about_them() -> None:
    database = Database()
    keeper(database).do()
    assert database.told == []
