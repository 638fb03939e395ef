"""An installation moves to another major version of PostgreSQL, and its evidence is the same there."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

import fix_story
from coverslip.bootstrap import checking, migrating, moving, serving, wiring
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.store.definitions import told
from coverslip.store.server import Cluster
from fix_majors import installed
from fix_old_home import OldHome

OTHERS = sorted(installed())
CHECKS = (checking.ledger_verify, checking.ledger_replay, checking.vault_check)


def major_of(home: OldHome) -> int:
    found = wiring.cluster_of(home.home).major()
    assert found is not None
    return found


def another(home: OldHome) -> int:
    """Return the newest major here that the home does not have."""
    return max(m for m in OTHERS if m != major_of(home))


def everything_holds(root: Path) -> None:
    for check in CHECKS:
        findings, counts = check(root)
        assert findings == [] and any(counts.values()), (check.__name__, findings[:3])


def rows(home: OldHome) -> list[tuple[object, ...]]:
    with wiring.database(home.home), wiring.connection(home.home, "cs_verifier") as conn:
        return conn.execute(
            "select e.id, e.leaf, e.leaf_hash, e.admit, e.at, b.fixed, b.fixed_salts, b.erasable,"
            " b.erasable_salts, l.idx from ledger.entry e join ledger.body b on b.entry_id = e.id"
            " left join ledger.leaf l on l.entry_id = e.id order by e.id"
        ).fetchall()


@pytest.mark.parametrize("major", OTHERS)
def test_a_home_moves_to_every_major_here_with_its_evidence_unchanged(upgraded: OldHome, major: int) -> None:
    before, entries = major_of(upgraded), rows(upgraded)
    done = moving.move(upgraded.root, major)
    assert major_of(upgraded) == major
    assert rows(upgraded)[: len(entries)] == entries
    everything_holds(upgraded.root)
    if major == before:
        assert done.moved == {} and done.entries == 0
        return
    assert (done.moved["from"], done.moved["to"]) == (str(before), str(major)) and done.entries == 1
    assert json.loads(upgraded.home.manifest.read_text("utf-8"))["postgres_major"] == major
    kept = upgraded.root / f"postgres-{before}" / "data" / "PG_VERSION"
    assert kept.read_text("ascii").strip() == str(before), "the old data is kept"
    assert not (upgraded.root / moving.SCRATCH).exists()


def test_life_goes_on_after_a_move(upgraded: OldHome) -> None:
    moving.move(upgraded.root, another(upgraded))
    with fix_story.running(upgraded.root) as client:
        quinn = fix_story.Person(client, "quinn")
        quinn.must("SITE-01", "amend", sign=True, why="The street was renamed.", address="2 Slide Street")
    everything_holds(upgraded.root)


def test_an_old_home_is_moved_and_upgraded_in_one_step(old_home: OldHome) -> None:
    done = moving.move(old_home.root, another(old_home))
    assert done.applied and done.moved and done.entries > 1
    everything_holds(old_home.root)


def test_moving_there_and_back_keeps_both_old_folders(upgraded: OldHome) -> None:
    first = major_of(upgraded)
    moving.move(upgraded.root, another(upgraded))
    second = major_of(upgraded)
    moving.move(upgraded.root, first)
    moving.move(upgraded.root, second)
    kept = sorted(p.name for p in upgraded.root.glob("postgres-*"))
    assert kept == sorted([f"postgres-{first}", f"postgres-{first}.2", f"postgres-{second}"])
    everything_holds(upgraded.root)


def test_a_copy_that_lost_something_does_not_take_the_place_of_the_old(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, entries, copy = major_of(upgraded), rows(upgraded), moving.copying.transfer

    def losing(source: object, target: object, progress: object) -> int:
        count = copy(source, target, progress)  # type: ignore[arg-type]
        target.execute("delete from projection.link where ctid in (select ctid from projection.link limit 1)")  # type: ignore[attr-defined]
        return count

    monkeypatch.setattr(moving.copying, "transfer", losing)
    with pytest.raises(EvidenceBroken, match="the new database"):
        moving.move(upgraded.root, another(upgraded))
    assert major_of(upgraded) == before and rows(upgraded) == entries
    monkeypatch.undo()
    moving.move(upgraded.root, another(upgraded))
    everything_holds(upgraded.root)


def test_a_database_with_a_finding_is_not_moved(upgraded: OldHome) -> None:
    keys = upgraded.home.public_keys
    keys.write_text(
        "\n".join(line for line in keys.read_text("utf-8").splitlines() if line[:1] == "#") + "\n"
    )
    before = major_of(upgraded)
    with pytest.raises(EvidenceBroken, match="the old database"):
        moving.move(upgraded.root, another(upgraded))
    assert major_of(upgraded) == before


@pytest.mark.parametrize("stage", ["between the renames", "before the entry"])
def test_a_move_that_was_interrupted_is_carried_on(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def stops(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before, target = major_of(upgraded), another(upgraded)
    with monkeypatch.context() as patch:
        if stage == "before the entry":
            patch.setattr(moving, "bring_up", stops)
            with pytest.raises(KeyboardInterrupt):
                moving.move(upgraded.root, target)
        else:
            finish = moving._finish
            calls = []

            def second(*given: object) -> None:
                calls.append(given)
                stops() if len(calls) > 1 else finish(*given)  # type: ignore[arg-type]

            patch.setattr(moving, "_finish", second)
            with pytest.raises(KeyboardInterrupt):
                moving.move(upgraded.root, target)
            assert not (upgraded.root / "postgres").exists()
    done = moving.move(upgraded.root, target)
    assert (done.moved["from"], done.moved["to"]) == (str(before), str(target)) and done.entries == 1
    assert major_of(upgraded) == target
    everything_holds(upgraded.root)
    with wiring.database(upgraded.home), wiring.connection(upgraded.home, "cs_verifier") as conn:
        assert told(conn).server == str(target)
    assert moving.move(upgraded.root, target).entries == 0


def test_a_major_that_is_not_installed_is_refused_before_anything_is_done(upgraded: OldHome) -> None:
    with pytest.raises(EnvironmentFault, match="of major 14"):
        moving.move(upgraded.root, 14)
    assert not (upgraded.root / moving.SCRATCH).exists()


def test_a_served_home_is_not_moved(upgraded: OldHome) -> None:
    with migrating.alone(upgraded.home), pytest.raises(EnvironmentFault, match="holds the lock"):
        moving.move(upgraded.root, another(upgraded))


def test_data_of_another_major_than_the_pinned_one_is_refused_with_the_command(upgraded: OldHome) -> None:
    manifest = json.loads(upgraded.home.manifest.read_text("utf-8"))
    migrating.write_manifest(upgraded.home, manifest | {"postgres_major": another(upgraded)})
    with pytest.raises(EnvironmentFault, match="pinned to") as caught:
        serving.serve(upgraded.root, say=lambda _: None, stop=threading.Event())
    assert "coverslip migrate --postgres" in caught.value.remedy


def test_a_home_whose_programs_are_gone_is_told_the_command(
    upgraded: OldHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.store.server.binaries.system_folders", lambda: iter(()))
    monkeypatch.setattr("coverslip.store.server.binaries.wheel_folders", lambda: iter(()))
    with pytest.raises(EnvironmentFault, match=f"of major {major_of(upgraded)}") as caught:
        serving.serve(upgraded.root, say=lambda _: None, stop=threading.Event())
    assert "coverslip migrate --postgres MAJOR" in caught.value.remedy


def test_a_new_home_pins_the_major_it_was_founded_with(upgraded: OldHome) -> None:
    cluster = wiring.cluster_of(upgraded.home)
    assert isinstance(cluster, Cluster)
    fresh = upgraded.root.parent / "fresh"
    made = Cluster(fresh, "evaluation", pinned=another(upgraded))
    made.create()
    assert made.major() == another(upgraded)
    shutil.rmtree(fresh)
