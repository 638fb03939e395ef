"""A home of the first release, brought to this one: all its evidence holds, and its records go on living."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

import fix_story
from coverslip.bootstrap import checking, migrating, serving, wiring
from coverslip.errors import EnvironmentFault
from coverslip.ledger import canonical, checkpoint, leaf, note
from coverslip.store.definitions import told
from coverslip.store.migrate import migrate as apply_migrations, published
from coverslip.store.sections import sections_of
from coverslip.store.signer import read_journal
from coverslip.store.tiles import TreeReader
from coverslip.store.verify import verify_ledger
from coverslip.verifier.cli import main as verify
from fix_old_home import OldHome

ROWS = ("entry", "body", "leaf", "checkpoint", "tile", "anchor")
CHECKS = (checking.ledger_verify, checking.ledger_replay, checking.vault_check)


def everything_holds(root: Path) -> None:
    for check in CHECKS:
        findings, counts = check(root)
        assert findings == [] and any(counts.values()), (check.__name__, findings[:3], counts)


def rows(old: OldHome, size: int) -> dict[str, list[Any]]:
    """Return every row of the ledger that belongs to the first ``size`` entries."""
    bound = {"entry": "id", "body": "entry_id", "leaf": "entry_id", "checkpoint": "size", "anchor": "size"}
    with wiring.database(old.home), wiring.connection(old.home, "cs_verifier") as conn:
        last = conn.execute("select entry_id from ledger.leaf where idx = %s", (size - 1,)).fetchone()
        assert last is not None
        most = {"checkpoint": size, "anchor": size}
        return {
            name: conn.execute(
                f"select * from ledger.{name}" + (f" where {bound[name]} <= %s" if name in bound else "")
                + " order by 1, 2", (most.get(name, last[0]),) if name in bound else (),
            ).fetchall()
            for name in ROWS if name != "tile"
        }  # fmt: skip


def entries(old: OldHome, first: int) -> list[tuple[leaf.Leaf, dict[str, Any]]]:
    """Return entries from a tree index on, with the sections that are canonical JSON."""
    names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
    with wiring.database(old.home), wiring.connection(old.home, "cs_verifier") as conn:
        found = conn.execute(
            "select e.leaf, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.leaf l"
            " join ledger.entry e on e.id = l.entry_id join ledger.body b on b.entry_id = e.id"
            " where l.idx >= %s order by l.idx",
            (first,),
        ).fetchall()
    parsed = [(leaf.parse(bytes(row[0])), dict(zip(names, row[1:], strict=True))) for row in found]
    return [
        (one, {k: canonical.decode(v) for k, (_, v) in sections_of(one, body).items() if k != "reason"})
        for one, body in parsed
    ]


# --- the home as it was --------------------------------------------------------------------------------


def test_the_home_of_the_first_release_holds_before_anything_is_done(old_home: OldHome) -> None:
    keys = [k for k in old_home.home.public_keys.read_text("utf-8").splitlines() if k and k[0] != "#"]
    with wiring.database(old_home.home), wiring.connection(old_home.home, "cs_verifier") as conn:
        assert conn.execute("select max(number) from ops.migration").fetchone() == (10,)
        report = verify_ledger(conn, read_journal(old_home.home.signer / "journal"), [], keys)
    assert [f for f in report.findings if f.kind != "guards"] == []
    assert report.counts["entries"] == old_home.size()


def test_checks_of_this_release_ask_for_the_upgrade_first(old_home: OldHome) -> None:
    with pytest.raises(EnvironmentFault, match="migration 11") as caught:
        checking.ledger_verify(old_home.root)
    assert "coverslip migrate" in caught.value.remedy


def test_it_is_not_served_but_told_how_to_be_upgraded(old_home: OldHome) -> None:
    with pytest.raises(EnvironmentFault, match="migration 11") as caught:
        serving.serve(old_home.root, say=lambda _: None, stop=threading.Event())
    assert f"coverslip migrate --home {old_home.root}" in caught.value.remedy


# --- the upgrade ---------------------------------------------------------------------------------------


def test_all_evidence_holds_after_the_upgrade(upgraded: OldHome) -> None:
    everything_holds(upgraded.root)


def test_the_upgraded_home_is_current(upgraded: OldHome) -> None:
    with wiring.database(upgraded.home):
        migrating.require_current(upgraded.home)


def test_no_byte_of_what_was_recorded_before_has_changed(old_home: OldHome) -> None:
    size = old_home.size()
    before, signed = rows(old_home, size), read_journal(old_home.home.signer / "journal")[-1]
    migrating.migrate(old_home.root)
    assert rows(old_home, size) == before
    with wiring.database(old_home.home), wiring.connection(old_home.home, "cs_verifier") as conn:
        assert TreeReader(conn).root(size) == signed.root
    assert old_home.size() > size, "the upgrade itself is on the log and signed"


def test_the_old_signed_checkpoint_is_a_prefix_of_the_new_tree(upgraded: OldHome, old_home: OldHome) -> None:
    kept = upgraded.root.parent / "kept"  # an anchor somebody held before the upgrade
    kept.write_bytes((old_home.root / "anchors" / "checkpoints").read_bytes())
    findings, counts = checking.ledger_verify(upgraded.root, kept)
    assert findings == [] and counts["anchors"] > 0


def test_another_history_is_not_taken_for_a_prefix(upgraded: OldHome) -> None:
    journal = upgraded.home.signer / "journal"
    lines = journal.read_text("utf-8").splitlines()
    said = json.loads(lines[-1])
    said["root"] = "00" * 32
    journal.write_text("\n".join([*lines[:-1], json.dumps(said, separators=(",", ":"))]) + "\n", "utf-8")
    assert checking.ledger_verify(upgraded.root)[0]


def test_the_log_tells_what_was_migrated_and_defined(upgraded: OldHome, old_home: OldHome) -> None:
    found = entries(upgraded, old_home.size())
    (migration,) = [(one, said) for one, said in found if one.type == "migration"]
    detail = migration[1]["detail"]
    assert migration[0].record.kind == "installation" and migration[0].act == "migrate"
    assert detail["migrations"] == [
        {"number": m.number, "name": m.name, "sha256": m.sha256} for m in published() if m.number > 10
    ]
    assert detail["from"] == "coverslip/0.1.0" and detail["to"] == migration[0].sw and detail["os_user"]
    assert migration[0].actor.auth == "service"
    definitions = [(one, said) for one, said in found if one.type == "definition"]
    assert [said["detail"] for _, said in definitions] == detail["definitions"]
    catalogue = wiring.catalogue()
    for _, said in definitions:
        shipped = catalogue[said["detail"]["type"]]
        assert canonical.encode(said["definition"]) == shipped.canonical
        assert said["detail"]["hash"] == shipped.hash


def test_every_definition_shipped_is_in_force_and_every_old_one_is_still_there(
    upgraded: OldHome, old_home: OldHome
) -> None:
    found = []
    for home in (old_home.home, upgraded.home):
        with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
            found.append(told(conn))
    before, after = found
    assert after.in_force == {d.name: d.hash for d in wiring.catalogue()}
    assert after.definitions[: len(before.definitions)] == before.definitions


def test_a_second_run_finds_nothing_to_do(upgraded: OldHome) -> None:
    size = upgraded.size()
    done = migrating.migrate(upgraded.root)
    assert (done.applied, done.defined, done.entries) == ((), (), 0)
    assert upgraded.size() == size


def test_the_major_version_of_postgresql_is_pinned(upgraded: OldHome) -> None:
    value = json.loads(upgraded.home.manifest.read_text("utf-8"))
    assert value["postgres_major"] == wiring.cluster_of(upgraded.home).major()


# --- bundles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["release", "filtered", "single"])
def test_a_bundle_of_the_first_release_still_verifies(upgraded: OldHome, name: str, capsys: Any) -> None:
    bundle, keys = upgraded.root / "bundles" / f"{name}.zip", upgraded.root / "keys.txt"
    assert verify([str(bundle), "--keys", str(keys)]) == 0
    assert "holds" in capsys.readouterr().out


def test_a_damaged_bundle_of_the_first_release_does_not(upgraded: OldHome, capsys: Any) -> None:
    bundle = upgraded.root / "bundles" / "single.zip"
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    assert verify([str(bundle), "--keys", str(upgraded.root / "keys.txt")]) == 1


# --- life goes on --------------------------------------------------------------------------------------


def test_old_records_are_signed_changed_and_released_anew(upgraded: OldHome, capsys: Any) -> None:
    n, home = dict(upgraded.n), upgraded.root
    bundles = home / "bundles-new"
    bundles.mkdir()
    n["bundles"] = str(bundles)
    with fix_story.running(home) as client:
        cast = fix_story.Cast(client)
        quinn, alan, aurel = cast("quinn", "alan", "aurel")
        held = alan.new("image_set", title="Held", study=n["study"], members=[n["image2"]],
                        selection_rule="The other channel.")  # fmt: skip
        quinn.must(n["hold"], "lift", sign=True, why="No bubble was found in the well.")
        assert quinn.show(n["hold"])["state"] == "lifted"
        before = quinn.show("SITE-01")["version"]
        quinn.must("SITE-01", "amend", sign=True, why="The street was renamed.", address="2 Slide Street")
        assert quinn.show("SITE-01")["version"] == before + 1
        made = aurel.ask("POST", "/records", json={
            "type": "document_sop", "number": n["sop"],
            "fields": {"title": "Counting nuclei", "criticality": "gxp_critical"},
            "reason": "The second edition is due."})  # fmt: skip
        assert made.status_code == 201, made.text
        assert made.json()["entries"][0]["number"] == n["sop"]
        alan.must(held, "freeze", sign=True)
        n["set"] = held
        fix_story._method(cast, n)
        fix_story._analysis(cast, n)
        fix_story._release(cast, n)
        assert quinn.show(n["release"])["state"] == "released"
        fix_story._export(cast, n)
        cast.leave()
    everything_holds(home)
    for bundle in sorted(bundles.iterdir()):
        code = verify([str(bundle), "--keys", str(home / "keys.txt")])
        assert code == 0, capsys.readouterr().out


# --- interrupted, ahead, altered -----------------------------------------------------------------------


def test_an_upgrade_interrupted_between_two_migrations_is_carried_on(old_home: OldHome) -> None:
    size = old_home.size()
    with wiring.database(old_home.home), wiring.migrators(old_home.home) as (superuser, migrator):
        apply_migrations(superuser, level=12, migrator=migrator)
    done = migrating.migrate(old_home.root)
    assert [int(name[:4]) for name in done.applied] == [m.number for m in published() if m.number > 12]
    (detail,) = [said["detail"] for one, said in entries(old_home, size) if one.type == "migration"]
    assert [m["number"] for m in detail["migrations"]] == [m.number for m in published() if m.number > 10]
    everything_holds(old_home.root)


def test_an_upgrade_interrupted_before_its_entry_enters_it_at_the_next_run(
    old_home: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrating, "_enter", fails)
        with pytest.raises(KeyboardInterrupt):
            migrating.migrate(old_home.root)
    with pytest.raises(EnvironmentFault, match="not yet there: definition"):
        serving.serve(old_home.root, say=lambda _: None, stop=threading.Event())
    size = old_home.size()
    done = migrating.migrate(old_home.root)
    assert done.applied == () and done.entries > 0
    (detail,) = [said["detail"] for one, said in entries(old_home, size) if one.type == "migration"]
    assert len(detail["migrations"]) == len(published()) - 10
    everything_holds(old_home.root)


def test_an_installation_with_later_migrations_is_refused(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = published()[:-1]
    monkeypatch.setattr("coverslip.store.migrate.published", lambda folder=None: fewer)
    with pytest.raises(EnvironmentFault, match=f"migration {len(fewer) + 1}"):
        migrating.migrate(upgraded.root)
    with pytest.raises(EnvironmentFault, match=f"migration {len(fewer) + 1}"):
        serving.serve(upgraded.root, say=lambda _: None, stop=threading.Event())


def test_a_migration_that_was_tampered_with_is_refused(
    old_home: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = old_home.size()
    changed = [m if m.number != 5 else type(m)(m.number, m.name, m.sql + "\n", "0" * 64) for m in published()]
    monkeypatch.setattr("coverslip.store.migrate.published", lambda folder=None: changed)
    with pytest.raises(Exception, match="migration 5") as caught:
        migrating.migrate(old_home.root)
    assert getattr(caught.value, "code", "") == "EVIDENCE"
    monkeypatch.undo()
    assert old_home.size() == size
    with wiring.database(old_home.home), wiring.connection(old_home.home, "cs_verifier") as conn:
        assert conn.execute("select max(number) from ops.migration").fetchone() == (10,)


def test_an_old_definition_altered_on_the_log_is_found(upgraded: OldHome) -> None:
    with wiring.database(upgraded.home):
        with psycopg.connect(wiring.conninfo(upgraded.home, "cs_superuser"), autocommit=True) as conn:
            conn.execute("alter event trigger coverslip_ddl_guard disable")
            conn.execute("alter table ledger.body disable trigger all")
            done = conn.execute(
                "update ledger.body b set fixed = overlay(b.fixed placing 'X'::bytea from"
                ' position(\'"title":"Study"\'::bytea in b.fixed) + 9 for 1)'
                " from ledger.entry e where e.id = b.entry_id and e.version = (select min(x.version)"
                " from ledger.entry x join ledger.body y on y.entry_id = x.id where x.kind = 'installation'"
                ' and position(\'"title":"Study"\'::bytea in y.fixed) > 0)'
                ' and position(\'"title":"Study"\'::bytea in b.fixed) > 0'
            )
            assert done.rowcount == 1
        found = [f for f in checking.ledger_verify(upgraded.root)[0] if f.get("field") == "definition"]
    assert len(found) == 1 and re.search(r"\d", str(found[0]["entry"]))


def test_nothing_is_migrated_while_the_installation_is_served(old_home: OldHome) -> None:
    with migrating.alone(old_home.home), pytest.raises(EnvironmentFault, match="holds the lock"):
        migrating.migrate(old_home.root)


def test_a_database_that_is_not_what_was_signed_is_not_migrated(old_home: OldHome) -> None:
    journal = old_home.home.signer / "journal"
    lines = journal.read_text("utf-8").splitlines()
    said = json.loads(lines[-1])
    said |= {"size": said["size"] + 1}
    journal.write_text("\n".join([*lines[:-1], json.dumps(said, separators=(",", ":"))]) + "\n", "utf-8")
    with pytest.raises(Exception, match="smaller") as caught:
        migrating.migrate(old_home.root)
    assert getattr(caught.value, "code", "") == "RECOVERY_REQUIRED"


def test_the_checkpoint_after_the_upgrade_is_signed_by_the_keys_of_before(upgraded: OldHome) -> None:
    keys = [
        note.VerifierKey.parse(line)
        for line in upgraded.home.public_keys.read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    with wiring.database(upgraded.home), wiring.connection(upgraded.home, "cs_verifier") as conn:
        row = conn.execute("select note from ledger.checkpoint order by size desc limit 1").fetchone()
    assert row is not None
    parsed = note.parse(bytes(row[0]))
    assert checkpoint.Checkpoint.parse(parsed.text).size == upgraded.size()
    assert {s.key_id for s in parsed.signatures} & {k.key_id for k in keys}
