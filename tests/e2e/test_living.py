"""The living laboratory: six weeks are played, said to be simulated, and leave everything as shipped.

It is founded once for this module; only the cost of deriving keys is lowered, in every process of it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import guarding, ledger_replay, ledger_verify, wiring
from coverslip.bootstrap.checking import doctor
from coverslip.cli.demo import clock, living
from coverslip.cli.demo.clock import BEING_PLAYED, Clock, insist_unborn, working_days
from coverslip.cli.demo.stage import remove, serving
from coverslip.cli.demo.weeks.people import FOUNDERS, STAFF
from coverslip.client import ApiError, Coverslip
from coverslip.kernel import keys
from coverslip.settings import Home

pytestmark = pytest.mark.slow
CHEAPER = """
from coverslip.settings import PasswordCost
PasswordCost.__init__.__defaults__ = (64, 1, 1)
"""

WHEN = "select (convert_from(leaf, 'UTF8')::jsonb ->> 'at')::timestamptz from ledger.entry order by id"


@pytest.fixture(scope="module")
def cheaper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let this process and those it starts derive keys at a low cost."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(CHEAPER, "utf-8")
    source = str(Path(living.__file__).parents[3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(folder), source)))
        patch.setattr(keys, "_COST", {"memory_kib": 64, "time_cost": 1, "parallelism": 1})
        yield


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What was said while it was played."""
    return []


@pytest.fixture(scope="module")
def home(cheaper: None, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Play the weeks; lend the laboratory, stopped."""
    folder = tmp_path_factory.mktemp("living")
    living.make(folder / "lab", told.append)
    yield folder / "lab"
    remove(folder)


@pytest.fixture
def ask(home: Path) -> Iterator[Any]:
    """Ask the database of the laboratory, which runs meanwhile."""
    with wiring.database(Home(home)), wiring.connection(Home(home), "cs_superuser") as conn:
        yield lambda query: conn.execute(query).fetchall()


def accounts(home: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(living.accounts_file(home).read_text("utf-8"))
    return found


def test_the_weeks_are_told_as_they_are_played(home: Path, told: list[str]) -> None:
    assert len([line for line in told if line.startswith("[")]) == len(living.WEEKS)
    assert told[-1].startswith("Ready after")


def test_its_ledger_verifies_and_replays(home: Path) -> None:
    assert ledger_verify(home)[0] == []
    assert ledger_replay(home)[0] == []


def test_its_guards_and_catalogue_are_as_shipped(home: Path, ask: Any) -> None:
    guarding.check_guards(Home(home))
    assert ask("select proname from pg_proc where proname like '%clock_timestamp' order by 1") == [
        ("clock_timestamp",)
    ]
    assert ask("select nspname from pg_namespace where nspname like 'demonstration%'") == []
    assert ask("select 'pg_catalog.clock_timestamp'::regproc::oid::bigint < 16384") == [(True,)]
    defaults = "select distinct pg_get_expr(adbin, adrelid) from pg_attrdef"
    assert ask(f"{defaults} where pg_get_expr(adbin, adrelid) like '%clock%'") == [("clock_timestamp()",)]
    assert ask("select evtenabled::text from pg_event_trigger") == [("A",), ("A",)]


def test_doctor_finds_the_schema_as_published_and_no_alarm(home: Path) -> None:
    found = {check["check"]: check["state"] for check in doctor(home)}
    assert found["schema is as published"] != "finding"
    assert found["no alarm of the ledger"] == "ok"


def test_its_times_are_weeks_apart_and_rise_and_none_lies_ahead(home: Path, ask: Any) -> None:
    times = [row[0] for row in ask(WHEN)]
    # Two that are entered at the same moment may take their places either way round.
    latest = list(itertools.accumulate(times, max))
    assert all(so_far - at < dt.timedelta(seconds=5) for so_far, at in zip(latest, times, strict=True))
    assert times[-1] - times[0] > dt.timedelta(days=35)
    assert times[-1] < dt.datetime.now(dt.UTC)


def test_it_says_which_times_are_simulated(home: Path, ask: Any) -> None:
    title, source = ask(
        "select title, content -> 'fields' ->> 'time_source' from projection.record where type = 'site'"
    )[0]
    assert "simulated" in title
    assert "the clock was set back" in source
    assert json.loads((home / "coverslip.json").read_text("utf-8"))["use"] == "evaluation"


def test_something_waits_for_everybody_but_the_inspector(home: Path) -> None:
    waiting = {row["username"]: row["waiting"] for row in accounts(home)}
    assert {name for name, what in waiting.items() if not what} == {"ines"}
    assert {username for username, *_ in (*FOUNDERS, *STAFF)} <= set(waiting)


def test_every_role_is_held(home: Path, ask: Any) -> None:
    held = {row[0] for row in ask("select distinct code from projection.authority where kind = 'role'")}
    assert {"ADM", "QA", "QAL", "AUT", "REV", "ANL", "OPR", "SDR", "ENG", "WHS", "PUR", "MET", "TRN"} <= held
    assert {"SEC", "INS"} <= held


def test_there_is_work_of_every_kind(home: Path, ask: Any) -> None:
    states = {(t, s) for t, s in ask("select distinct type, state from projection.record")}
    assert {
        ("image", "available"), ("image", "quarantined"), ("image", "registering"),
        ("analysis_run", "accepted"), ("analysis_run", "in_review"), ("release_decision", "released"),
        ("review_case", "in_review"), ("reprocessing_request", "executed"), ("oos", "open"),
        ("microscope_qc", "failed"), ("hold", "active"), ("legal_hold", "active"),
        ("deviation", "open"), ("deviation", "in_review"), ("deviation", "closed"),
        ("ncr", "disposition_proposed"), ("disposition", "voting"), ("capa", "d4_root_cause"),
        ("change", "implementing"), ("complaint", "investigating"), ("audit", "reported"),
        ("access_review", "collecting"), ("audit_trail_review", "in_review"),
        ("document_sop", "effective"), ("document_sop", "approved"), ("document_sop", "in_review"),
        ("document_sop", "draft"), ("training_record", "assigned"), ("training_record", "completed"),
        ("delegation", "requested"), ("alert", "open"), ("annotation", "final"), ("report", "reviewed"),
    } <= states  # fmt: skip


def test_honest_attempts_were_refused_and_are_on_the_record(home: Path, ask: Any) -> None:
    refused = 'select count(*) from ledger.entry where position(\'"type":"refusal"\'::bytea in leaf) > 0'
    assert ask(refused)[0][0] >= 6


def test_the_accounts_are_for_their_user_only(home: Path) -> None:
    assert stat.S_IMODE(living.accounts_file(home).stat().st_mode) == 0o600


def test_nothing_is_left_beside_it(home: Path) -> None:
    assert sorted(p.name for p in home.parent.iterdir()) == ["lab", "lab-accounts.json"]


def test_it_is_served_and_people_sign_in(home: Path) -> None:
    who = next(row for row in accounts(home) if row["username"] == "quinn")
    with serving(home), Coverslip(home=home) as quinn:
        quinn.sign_in("quinn", who["password"])
        assert list(quinn.work(limit=1))
        quinn.sign_out()


# --- the clock, and whom it refuses ------------------------------------------------------------


def test_the_clock_of_a_laboratory_at_work_cannot_be_set_back(home: Path, tmp_path: Path) -> None:
    disguised = tmp_path / f"lab{BEING_PLAYED}"
    disguised.symlink_to(home)
    with wiring.database(Home(home)), pytest.raises(ApiError, match="a laboratory at work"):
        insist_unborn(disguised)


def test_a_served_laboratory_cannot_be_set_back_by_its_name(home: Path) -> None:
    with pytest.raises(ApiError, match="being-played"):
        Clock(home, working_days(30, dt.datetime.now(dt.UTC))).set_back()


@pytest.mark.parametrize(
    "facts",
    [
        {"use": "regulated"},
        {"origin": "lab.example/site1"},
        {"database": {"host": "db.example", "port": "5432", "dbname": "coverslip"}},
    ],
)
def test_no_other_home_can_be_set_back(facts: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / f"lab{BEING_PLAYED}"
    other.mkdir()
    value = {
        "format": 1,
        "origin": clock.ORIGIN,
        "use": "evaluation",
        "installation": "00000000-0000-4000-8000-000000000000",
        "created_at": "2026-01-01T00:00:00Z",
    }
    (other / "coverslip.json").write_text(json.dumps(value | facts), "utf-8")
    with pytest.raises(ApiError, match="being founded"):
        insist_unborn(other)


def test_what_was_begun_and_not_finished_is_removed(
    cheaper: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_: Any) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(living, "WEEKS", ((0, "The first day", (stumble,)),))
    with pytest.raises(RuntimeError, match="the power went"):
        living.make(tmp_path / "lab", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_working_days_are_weekdays_that_are_over() -> None:
    sunday = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    days = working_days(30, sunday)
    assert days[-1] == dt.date(2026, 11, 20)
    assert all(day.weekday() < 5 for day in days)
    assert len(set(days)) == 30
    assert list(days) == sorted(days)


def test_a_day_that_is_not_over_is_not_played() -> None:
    friday_noon = dt.datetime(2026, 11, 20, 17, tzinfo=dt.UTC)
    assert working_days(1, friday_noon) == (dt.date(2026, 11, 19),)
