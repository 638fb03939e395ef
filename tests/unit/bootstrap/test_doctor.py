"""The doctor: every deviation is named with what is expected, found and to do; unknown is never fine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import doctor_database, doctor_files, wiring
from coverslip.bootstrap.certifying import certify
from coverslip.bootstrap.checking import ledger_status
from coverslip.bootstrap.doctor import doctor
from coverslip.bootstrap.doctor_database import _closed, forecast
from coverslip.bootstrap.doctor_line import looked
from coverslip.cli import main as coverslip
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.settings import Home
from coverslip.store import inspection


def asked(home: Home) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in doctor(home.root)}


def admin(home: Home) -> psycopg.Connection[Any]:
    return psycopg.connect(wiring.conninfo(home, "cs_superuser"), autocommit=True)


def one_more(home: Home) -> None:
    """Have one entry more written and signed."""
    assert certify(home, "restored", {"name": "x", "manifest": "0" * 64, "size": 1, "root": "0" * 64}) == ""


def test_a_new_evaluation_installation_has_no_finding_but_the_missing_anchor(founded: Home) -> None:
    found = asked(founded)
    assert [n for n, one in found.items() if one["state"] == "finding"] == [
        "checkpoints are anchored elsewhere"
    ]
    warned = {n for n, one in found.items() if one["state"] == "warning"}
    assert {"roles run as separate OS users", "a backup target is named"} <= warned
    assert found["clock is compared with a source"]["state"] in ("warning", "unknown")
    assert found["room for the coming weeks"]["state"] == "unknown"
    for one in found.values():
        assert one["found"] and {"expected", "remedy", "ok", "state"} <= one.keys()
        assert one["state"] == "ok" or one["remedy"], one
        assert one["ok"] is {"ok": True, "warning": True, "finding": False, "unknown": None}[one["state"]]


def test_what_an_evaluation_may_lack_is_a_finding_where_it_is_regulated(founded: Home) -> None:
    value = json.loads(founded.manifest.read_text("utf-8"))
    founded.manifest.write_text(json.dumps(value | {"use": "regulated"}))
    assert doctor_files.accounts(founded).state == "finding"
    assert doctor_files.backup(founded).state == "finding"


def test_a_secret_others_may_read_is_named_with_its_mode_and_only_that_one(founded: Home) -> None:
    founded.secret("cs_writer").chmod(0o640)
    (founded.signer / "signing.key").chmod(0o604)
    check = doctor_files.secrets(founded)
    assert check.state == "finding"
    assert (
        "secrets/cs_writer has mode 0640" in check.found and "signer/signing.key has mode 0604" in check.found
    )
    assert check.found.count("has mode") == 2 and "chmod 0600" in check.remedy


def test_a_secret_that_is_a_link_or_in_an_open_folder_is_named(founded: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    (founded.secrets / "cs_extra").symlink_to(tmp_path / "elsewhere")
    founded.secrets.chmod(0o755)
    found = doctor_files.secrets(founded).found
    assert "cs_extra is no plain file" in found and "secrets has mode 0755" in found


def test_a_home_or_a_vault_open_to_others_is_named(founded: Home) -> None:
    assert doctor_files.private(founded).state == "ok"
    founded.vault.chmod(0o755)
    founded.root.parent.chmod(0o777)
    check = doctor_files.private(founded)
    founded.root.parent.chmod(0o711)
    assert check.state == "finding" and "vault has mode 0755" in check.found
    assert f"anybody may rename in {founded.root.parent}" in check.found


def test_too_little_room_is_a_finding_and_enough_is_not(
    founded: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1024**3})
    monkeypatch.setattr(doctor_files.shutil, "disk_usage", lambda _: usage)
    assert doctor_files.room("vault", founded.vault).state == "finding"
    usage.free = 50 * 1024**3  # type: ignore[attr-defined]
    assert doctor_files.room("vault", founded.vault).state == "ok"


@pytest.mark.parametrize(("free_gib", "state"), [(10, "finding"), (40, "warning"), (100, "ok")])
def test_the_forecast_counts_days_by_what_the_last_entries_took(
    founded: Home, monkeypatch: pytest.MonkeyPatch, free_gib: int, state: str
) -> None:
    """One GiB a day: ten days are a finding, forty a warning, a hundred are fine."""
    monkeypatch.setattr(inspection, "database_per_day", lambda _: 1024.0**3)
    usage = type("Usage", (), {"free": free_gib * 1024**3})
    monkeypatch.setattr(doctor_database.shutil, "disk_usage", lambda _: usage)
    with wiring.connection(founded, "cs_verifier") as conn:
        check = forecast(founded, conn)
    assert check.state == state and f"{free_gib} days" in check.found


def test_what_people_did_to_the_database_is_named_each_by_its_check(founded: Home) -> None:
    with admin(founded) as conn:
        conn.execute("create role dba login superuser")
        conn.execute("create role helper")
        conn.execute("grant cs_owner to cs_reader")
        conn.execute("alter event trigger coverslip_ddl_guard disable")
        conn.execute("alter system set zero_damaged_pages = on")
        conn.execute("alter role cs_verifier set synchronous_commit = off")
        conn.execute("select pg_reload_conf()")
        conn.execute(
            "insert into ops.alarm(kind, entry_id, detail)"
            " values ('admission', 7, 'the admission tag is wrong')"
        )
    found = asked(founded)
    assert found["no other database roles"]["found"] == "dba, helper"
    assert found["one superuser"]["found"] == "cs_superuser, dba"
    assert "event trigger coverslip_ddl_guard differs" in found["schema is as published"]["found"]
    assert "member cs_reader of cs_owner" in found["schema is as published"]["found"]
    assert "synchronous_commit is off" in found["settings keep what is written"]["found"]
    assert "zero_damaged_pages = on" in found["no setting waits in a file"]["found"]
    assert "entry 7: admission, the admission tag is wrong" in found["no alarm of the ledger"]["found"]
    for name in (
        "no other database roles",
        "one superuser",
        "schema is as published",
        "no alarm of the ledger",
    ):
        assert found[name]["state"] == "finding"


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (("local", "all", "all", "reject", None), True),
        (("local", "coverslip", "cs_writer", "scram-sha-256", None), True),
        (("local", "all", "cs_superuser", "scram-sha-256", None), True),
        (("local", "all", "cs_writer", "scram-sha-256", None), False),
        (("local", "coverslip", "postgres", "scram-sha-256", None), False),
        (("local", "coverslip", "cs_writer", "trust", None), False),
        (("host", "coverslip", "cs_writer", "scram-sha-256", None), False),
        (("local", "coverslip", "cs_writer", "scram-sha-256", "bad line"), False),
        (("local", "all", "all", "peer", None), False),
    ],
)
def test_only_coverslips_own_logins_are_let_in(rule: tuple[Any, ...], good: bool) -> None:
    assert _closed(rule, own=True) is good


def test_an_open_door_in_the_servers_file_is_named(founded: Home) -> None:
    path = founded.database / "pg_hba.conf"
    path.write_text(path.read_text("utf-8") + "local all all trust\n", "utf-8")
    check = asked(founded)["nobody is let in without a password"]
    assert check["state"] == "finding" and "local all all trust" in check["found"]


def test_a_clock_measured_and_right_is_fine_and_one_that_is_off_is_not(founded: Home) -> None:
    def measured(offset_us: int, source: str, ok: bool) -> dict[str, Any]:
        with psycopg.connect(wiring.conninfo(founded, "cs_writer"), autocommit=True) as conn:
            conn.execute(
                "select ops.keep_clock(%s, 1000, %s, 'ntp.example', 'no source', %s)", (offset_us, source, ok)
            )
        return asked(founded)["clock is compared with a source"]

    assert measured(2_000, "sntp", True)["state"] == "ok"
    off = measured(3_000_000, "sntp", False)
    assert off["state"] == "finding" and "+3.000000 s from sntp ntp.example" in off["found"]
    assert measured(0, "none", False)["state"] == "warning"


def test_a_backup_place_that_is_gone_is_a_finding(founded: Home, tmp_path: Path) -> None:
    value = {
        "target": str(tmp_path / "gone"), "keys": "", "replica": "", "every_hours": 24, "drill_days": 90,
    }  # fmt: skip
    (founded.root / "backup.json").write_text(json.dumps(value))
    assert doctor_files.backup(founded).state == "finding"
    (tmp_path / "gone").mkdir()
    assert "gone" in doctor_files.backup(founded).found


def test_what_cannot_be_looked_at_is_unknown_and_broken_evidence_a_finding() -> None:
    def raising(error: Exception) -> Any:
        raise error

    assert looked("c", "x", lambda: raising(PermissionError(13, "denied"))).state == "unknown"
    assert looked("c", "x", lambda: raising(psycopg.OperationalError("gone"))).state == "unknown"
    fault = EnvironmentFault("ENVIRONMENT", what="a", expected="b", found="c")
    assert looked("c", "x", lambda: raising(fault)).state == "unknown"
    broken = EvidenceBroken("EVIDENCE", what="a", expected="b", found="c")
    assert looked("c", "x", lambda: raising(broken)).state == "finding"


def test_a_database_that_cannot_be_reached_leaves_the_other_checks_standing(founded: Home) -> None:
    founded.secret("cs_verifier").write_text("0" * 64 + "\n")
    found = asked(founded)
    assert found["ledger and signer agree"]["state"] == "unknown"
    assert found["secrets are private"]["state"] == "ok" and "schema is as published" not in found


def test_growth_needs_a_day_of_history(founded: Home) -> None:
    with wiring.connection(founded, "cs_verifier") as conn:
        assert inspection.database_per_day(conn) is None
    with admin(founded) as conn:
        conn.execute("alter event trigger coverslip_ddl_guard disable")
        conn.execute("alter table ledger.entry disable trigger append_only")
        conn.execute("update ledger.entry set at = at - interval '10 days' where id < 10")
        row = conn.execute(
            "select max(id), pg_database_size(current_database()) from ledger.entry"
        ).fetchone()
    assert row is not None
    with wiring.connection(founded, "cs_verifier") as conn:
        found = inspection.database_per_day(conn)
    assert found == pytest.approx((row[0] - 1) / 10 * row[1] / row[0], rel=0.02)


@pytest.mark.parametrize("left", ["nothing", "the first line", "all"])
def test_a_journal_that_is_gone_or_lost_its_end_is_said_by_doctor_verify_and_status(
    founded: Home, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ``serve`` puts in quarantine, no check calls fine."""
    home = str(founded.root)
    one_more(founded)
    journal = founded.signer / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) > 1
    if left == "nothing":
        journal.unlink()
    elif left == "the first line":
        journal.write_bytes(lines[0])
    whole = left == "all"
    check = asked(founded)["ledger and signer agree"]
    assert check["ok"] is whole and ("lost its end" in check["found"]) is not whole
    assert coverslip(["doctor", "--home", home]) == 1
    capsys.readouterr()
    assert coverslip(["ledger", "verify", "--home", home]) == (0 if whole else 1)
    assert ("FINDING journal" in capsys.readouterr().out) is not whole
    blocked = ledger_status(founded.root)["blocked"]
    assert ("lost its end" in blocked) is not whole and ("recovery" in blocked) is False
