"""The fingerprint on the ledger of a real installation: entries, alerts, since when a guard was missing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import checking, wiring
from coverslip.bootstrap.doctor_database import schema
from coverslip.bootstrap.duties import write_with
from coverslip.bootstrap.guarding import check_guards, fingerprinting
from coverslip.bootstrap.labs import lab
from coverslip.errors import EvidenceBroken
from coverslip.settings import Home
from coverslip.store.fingerprint_log import SYSTEM, recorded

NO_OP = (
    "create or replace function ledger.refuse_change() returns trigger language plpgsql"
    " set search_path = pg_catalog, pg_temp as 'begin return new; end'"
)
GUARD = "function ledger.refuse_change()"


def entered(home: Home) -> list[tuple[str, set[str], bool]]:
    """Let the duty take a turn and return all entries: hash, deviating objects, whether the list is in it."""
    with lab(home) as opened:
        fingerprinting(opened, write_with(opened)).do()
    checking.checkpoint(home.root)
    with wiring.connection(home, "cs_verifier") as conn:
        return [(r.detail["hash"], set(r.deviations), "document" in r.detail) for r in recorded(conn)]


def attack(home: Home, *statements: str) -> None:
    with psycopg.connect(wiring.conninfo(home, "cs_superuser"), autocommit=True) as conn:
        conn.execute("alter event trigger coverslip_ddl_guard disable")
        for statement in statements:
            conn.execute(statement)
        conn.execute("alter event trigger coverslip_ddl_guard enable always")


def guards(home: Home) -> list[dict[str, Any]]:
    return [one for one in checking.ledger_verify(home.root)[0] if one["kind"] == "guard"]


def test_a_guard_replaced_by_a_no_op_is_on_the_record_told_and_named_with_the_time_it_lasted(
    founded: Home,
) -> None:
    first, second = entered(founded), entered(founded)
    assert len(first) == 1 and first[0][1:] == (set(), True)
    assert len(second) == 2 and second[1] == (first[0][0], set(), False)
    assert guards(founded) == []

    with psycopg.connect(wiring.conninfo(founded, "cs_superuser")) as conn:
        (before,) = conn.execute("select pg_get_functiondef('ledger.refuse_change'::regproc)").fetchone() or (
            "",
        )
    attack(founded, NO_OP)
    (one,) = guards(founded)
    assert one["field"] == GUARD and "differs" in one["message"] and "not yet at index" in one["message"]

    third = entered(founded)
    assert third[2][1] == {GUARD} and third[2][2] and third[2][0] != first[0][0]
    (one,) = guards(founded)
    assert "on the record since index" in one["message"]
    with psycopg.connect(wiring.conninfo(founded, "cs_superuser")) as conn:
        told = conn.execute("select title from projection.record where type = 'alert'").fetchall()
    assert len(told) == 1 and GUARD in told[0][0]

    attack(founded, before)
    assert [found[1] for found in entered(founded)] == [set(), set(), {GUARD}, set()]
    (one,) = guards(founded)
    assert "put back before index" in one["message"] and one["field"] == GUARD


def test_a_replaced_function_of_postgresql_itself_stays_named_after_later_fingerprints(founded: Home) -> None:
    def replace(source: str) -> None:
        with psycopg.connect(wiring.conninfo(founded, "cs_superuser"), autocommit=True) as conn:
            conn.execute("update pg_proc set prosrc = %s where proname = 'pg_jit_available'", (source,))

    def doctor() -> tuple[str, str]:
        with wiring.connection(founded, "cs_verifier") as conn:
            check = schema(conn)
        return check.state, check.found

    entered(founded)
    assert guards(founded) == [] and doctor()[0] == "ok"
    check_guards(founded)

    replace("pg_is_in_recovery")
    entered(founded)
    entered(founded)
    (one,) = guards(founded)
    assert one["field"] == SYSTEM and "were changed between index" in one["message"] and one["index"] > 0
    state, found = doctor()
    assert state == "finding" and SYSTEM in found
    with pytest.raises(EvidenceBroken) as caught:
        check_guards(founded)
    assert SYSTEM in caught.value.message
    with psycopg.connect(wiring.conninfo(founded, "cs_superuser")) as conn:
        told = conn.execute("select title from projection.record where type = 'alert'").fetchall()
    assert len(told) == 1 and SYSTEM in told[0][0]

    replace("pg_jit_available")
    entered(founded)
    check_guards(founded)
    assert doctor()[0] == "ok"
    assert [one["field"] for one in guards(founded)] == [SYSTEM, SYSTEM]
