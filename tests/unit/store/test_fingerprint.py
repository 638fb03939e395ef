"""The schema's fingerprint: what is shipped, what differs, and how it goes on the record."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from coverslip.ledger import canonical
from coverslip.store import fingerprint
from coverslip.store.findings import Report
from coverslip.store.fingerprint import Difference, Fingerprint
from coverslip.store.fingerprint_duty import FingerprintDuty
from coverslip.store.fingerprint_log import SHOWN, SYSTEM, Recorded, _past, _systems, detail, replaced
from coverslip.store.migrate import migrate, published
from coverslip.store.server import Cluster
from fix_guards import Guarded


def test_the_shipped_list_is_what_a_new_database_of_this_release_has(guarded: Guarded) -> None:
    with guarded.connect("cs_verifier") as conn:
        found = fingerprint.read(conn)
    shipped = json.loads((files("coverslip.store") / "schema.json").read_text("utf-8"))
    assert fingerprint.compare(shipped["objects"], found.objects) == [], "run python scripts/schema.py"
    assert shipped["migrations"] == fingerprint.migrations_hash(published()), "run python scripts/schema.py"
    assert shipped["hash"] == found.hash
    assert fingerprint.deviations(found) == []


def test_another_major_version_of_postgresql_has_the_same_fingerprint(
    new_home: Any, guarded: Guarded
) -> None:
    """The system's programs and the wheel's are of different majors where both are there."""
    other = Cluster(new_home(), "evaluation", prefer="wheel")
    other.create()
    with other.running():
        other.create_roles()
        migrate(make_conninfo(**other.dsn("cs_superuser")))
        with psycopg.connect(**other.dsn("cs_verifier"), autocommit=True) as conn:
            found = fingerprint.read(conn)
    with guarded.connect("cs_verifier") as conn:
        here = fingerprint.read(conn)
    assert fingerprint.compare(here.objects, found.objects) == [] and here.hash == found.hash
    assert (here.system == found.system) == (other.major() == guarded.cluster.major())


def test_a_database_upgraded_in_two_steps_has_the_fingerprint_of_a_new_one(
    own_cluster: Cluster, tmp_path: Path, guarded: Guarded
) -> None:
    source = Path(str(files("coverslip.store") / "migrations"))
    for one in sorted(source.glob("*.sql"))[:10]:
        (tmp_path / one.name).write_bytes(one.read_bytes())
    with own_cluster.running():
        admin = make_conninfo(**own_cluster.dsn("cs_superuser"))
        migrate(admin, tmp_path)
        migrate(admin)
        with psycopg.connect(**own_cluster.dsn("cs_verifier"), autocommit=True) as conn:
            upgraded = fingerprint.read(conn)
    with guarded.connect("cs_verifier") as conn:
        assert fingerprint.compare(fingerprint.read(conn).objects, upgraded.objects) == []


def test_a_database_with_migrations_pending_cannot_be_compared_and_is_not_said_to_deviate() -> None:
    found = Fingerprint({"migration 0001 roles_and_schemas": "x"})
    assert len(fingerprint.pending(found)) == len(published()) - 1
    assert fingerprint.deviations(found) is None


def test_a_difference_says_what_is_gone_what_is_not_published_and_what_differs() -> None:
    found = fingerprint.compare({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    assert [one.sentence() for one in found] == [
        "a is gone; expected: 1",
        "b differs; expected: 2; found: 3",
        "c is not published; found: 4",
    ]
    assert fingerprint.compare({"a": "1"}, {"a": "1"}) == []


def test_the_hash_covers_names_and_descriptions_and_no_order() -> None:
    one = Fingerprint({"a": "1", "b": "2"})
    assert one.hash == Fingerprint({"b": "2", "a": "1"}).hash
    assert len({one.hash, Fingerprint({"a": "2", "b": "1"}).hash, Fingerprint({"a": "1"}).hash}) == 3


def test_the_entry_lists_the_objects_only_when_something_changed() -> None:
    found = Fingerprint({"a": "1"}, "PostgreSQL 15; x")
    act, value = detail(found, None)
    assert act == "first" and len(value["document"]) == 1
    act, again = detail(found, Recorded(0, "t", value))
    assert act == "unchanged" and "document" not in again and again["hash"] == value["hash"]
    act, other = detail(Fingerprint({"a": "2"}), Recorded(0, "t", value))
    assert act == "changed" and other["document"] != value["document"]
    canonical.encode(other)


def test_many_deviations_are_listed_up_to_a_limit_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Difference(f"role r{n}", "absent", "logs in") for n in range(SHOWN + 7)]
    monkeypatch.setattr(fingerprint, "deviations", lambda _: many)
    _, value = detail(Fingerprint({}), None)
    assert (len(value["deviations"]), value["more"]) == (SHOWN, 7)


def recorded(*deviating: tuple[str, ...]) -> list[Recorded]:
    return [
        Recorded(n, f"t{n}", {"deviations": [{"object": o, "expected": "x", "found": "y"} for o in names]})
        for n, names in enumerate(deviating)
    ]


def test_a_guard_that_was_missing_for_a_while_is_named_with_both_ends() -> None:
    report = Report()
    _past(recorded((), ("trigger t",), ("trigger t",), ()), set(), report)
    assert len(report.findings) == 1
    sentence = report.findings[0].sentence()
    assert "from index 1, t1, put back before index 3, t3" in sentence and "trigger t" in sentence


def test_a_guard_that_was_never_missing_is_not_named_and_one_that_still_is_is_not_named_twice() -> None:
    report = Report()
    _past(recorded((), ()), set(), report)
    _past(recorded((), ("trigger t",)), {"trigger t"}, report)
    assert report.holds
    _past(recorded((), ("trigger t",)), set(), report)
    assert "put back before now" in report.findings[0].sentence()


def test_each_turn_writes_one_entry_and_tells_people_only_of_deviations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[tuple[str, str]] = []
    told: list[Any] = []
    duty = FingerprintDuty(
        lambda: (Fingerprint({"a": "1"}), []), lambda kind, act, _: written.append((kind, act)), told.append
    )
    monkeypatch.setattr(fingerprint, "deviations", lambda _: [])
    duty.do()
    assert written == [("fingerprint", "first")] and not told and duty.every_s == 3600
    monkeypatch.setattr(fingerprint, "deviations", lambda _: [Difference("a", "1", "2")])
    duty.do()
    assert len(written) == 2 and len(told) == 1


def systems(*values: str) -> list[Recorded]:
    return [Recorded(n, f"t{n}", {"system": value, "hash": "h"}) for n, value in enumerate(values)]


def test_each_change_of_postgresql_itself_is_named_with_its_index_however_many_entries_follow() -> None:
    report = Report()
    _systems(systems("P 15.1; a", "P 15.1; b", "P 15.1; b", "P 15.1; a", "P 15.1; a"), "P 15.1; c", report)
    assert [one.index for one in report.findings] == [1, 3, None]
    sentences = [one.sentence() for one in report.findings]
    assert "were changed between index 0, t0, and index 1, t1" in sentences[0]
    assert "became again what they were at first between index 2, t2, and index 3, t3" in sentences[1]
    assert "were changed after index 4, t4" in sentences[2]


def test_another_version_of_postgresql_is_no_change_and_hides_none() -> None:
    report = Report()
    _systems(systems("P 15; x", "P 15.1; a", "P 18.0; b", "P 15.1; a"), "P 18.0; b", report)
    assert report.holds
    _systems(systems("P 15.1; a", "P 18.0; b"), "P 15.1; c", report)
    assert "after index 0" in report.findings[0].sentence()
    assert replaced(systems("P 15.1; a"), Fingerprint({}, "P 15.2; b")) is None
    assert replaced([], Fingerprint({}, "P 15.2; b")) is None


def test_replaced_functions_count_against_the_first_record_not_the_last() -> None:
    known = systems("P 15.1; a", "P 15.1; b", "P 15.1; b")
    assert replaced(known, Fingerprint({}, "P 15.1; b")) == Difference(SYSTEM, "P 15.1; a", "P 15.1; b")
    assert replaced(known, Fingerprint({}, "P 15.1; a")) is None


def test_replaced_functions_are_an_entry_changed_and_told_at_every_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    told: list[Any] = []
    monkeypatch.setattr(fingerprint, "deviations", lambda _: [])
    known = systems("P 15.1; a")
    found = Fingerprint({"a": "1"}, "P 15.1; b")
    duty = FingerprintDuty(lambda: (found, known), lambda kind, act, _: written.append(act), told.append)
    duty.do()
    known += [Recorded(1, "t1", {"system": found.system, "hash": found.hash})]
    duty.do()
    assert written == ["changed", "unchanged"]
    assert [[one.object for one in turn] for turn in told] == [[SYSTEM], [SYSTEM]]
