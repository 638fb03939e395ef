"""Every object is read again in turn, newest first; a restart goes on; damage is treated and told."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from coverslip.vault import LocalVault
from coverslip.vault.tending import FixityDuty, Progress, due, treat

DAY = "2026-11-21T02:00:00.000000Z"
NEXT = "2026-11-22T02:00:00.000000Z"


def content(seed: int, size: int = 1000) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


class World:
    """A vault of ``count`` objects, oldest first in ``roots``, and everything a duty talks to."""

    def __init__(self, folder: Path, count: int) -> None:
        self.vault = LocalVault(folder / "vault")
        self.replica = LocalVault(folder / "replica")
        self.roots = [self.add(seed) for seed in range(count)]
        self.reports: list[dict[str, Any]] = []
        self.told: dict[str, tuple[str, Sequence[str]]] = {}
        self.now = DAY
        self.named: dict[str, list[str]] = {root: [f"IMG-{n}"] for n, root in enumerate(self.roots)}
        self.replicas: Mapping[str, LocalVault] = {}

    def add(self, seed: int) -> str:
        root = self.vault.store(io.BytesIO(content(seed)), 1 << 20).root
        os.utime(self.vault.path(root), ns=(10**9 * (seed + 1),) * 2)
        return root

    def damage(self, root: str) -> None:
        path = self.vault.path(root)
        path.chmod(0o644)
        path.write_bytes(b"!" + path.read_bytes()[1:])

    def duty(self, daily: int = 1 << 30, turn_s: float = 60.0) -> FixityDuty:
        return FixityDuty(
            self.vault, lambda: self.named, lambda: self.replicas,
            lambda: self.reports[-1] if self.reports else None, self.reports.append, self.tell,
            lambda: self.now, least_daily_bytes=daily, turn_s=turn_s,
        )  # fmt: skip

    def tell(self, sentence: str, numbers: Sequence[str], bucket: str) -> None:
        self.told.setdefault(bucket, (sentence, numbers))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, 5)


def test_a_small_vault_is_read_whole_each_day_and_reported_though_nothing_was_found(world: World) -> None:
    world.duty().do()
    (report,) = world.reports
    assert (report["objects"], report["bytes"], report["found"]) == (5, 5000, 0)
    assert report["pass_complete"] and report["day_done"]
    world.duty().do()
    assert len(world.reports) == 1, "once a day"
    world.now = NEXT
    world.duty().do()
    assert world.reports[1]["objects"] == 5


def test_a_large_vault_is_read_in_shares_newest_first_and_a_restart_goes_on(world: World) -> None:
    read = []
    for day in range(1, 4):
        world.now = f"2026-11-0{day}T02:00:00.000000Z"
        world.duty(daily=2000).do()
        last = world.reports[-1].get("last")
        read.append((world.reports[-1]["objects"], last["root"] if last else ""))
    assert read == [(2, world.roots[3]), (2, world.roots[1]), (1, "")]
    assert [one["pass_complete"] for one in world.reports] == [False, False, True]


def test_what_arrived_since_is_read_before_the_pass_goes_on(world: World) -> None:
    world.duty(daily=2000).do()
    newest = world.add(9)
    wanted = due(world.vault.objects(), Progress.of(world.reports[-1]))
    assert [root for _, root, _ in wanted] == [newest, *world.roots[2::-1]]


def test_a_turn_ends_after_its_time_and_the_next_goes_on_the_same_day(world: World) -> None:
    duty = world.duty(turn_s=-1.0)
    duty.do()
    assert (world.reports[0]["objects"], world.reports[0]["day_done"]) == (0, False)
    world.duty().do()
    assert (world.reports[1]["objects"], world.reports[1]["day_done"]) == (5, True)


def test_a_report_that_cannot_be_read_begins_anew() -> None:
    assert Progress.of({"newest": "nonsense"}) == Progress()
    assert Progress.of(None) == Progress()


def test_a_damaged_object_without_a_replica_is_set_aside_reported_and_told_once(world: World) -> None:
    world.damage(world.roots[2])
    world.duty().do()
    (finding,) = world.reports[0]["findings"]
    assert (finding["kind"], finding["object"], finding["records"]) == ("damaged", world.roots[2], ["IMG-2"])
    assert finding["put_back_from"] == ""
    assert not world.vault.has(world.roots[2])
    (kept,) = world.vault.quarantined()
    assert world.told[f"object/{kept.id}"][1] == ["IMG-2"]
    world.now = NEXT
    world.duty().do()
    assert world.reports[1]["findings"][0]["kind"] == "missing", "it stays a finding until it is put back"


def test_a_damaged_object_is_put_back_from_a_replica(world: World) -> None:
    world.replica.store(io.BytesIO(content(2)), 1 << 20)
    world.replicas = {"the backup": world.replica}
    world.damage(world.roots[2])
    world.duty().do()
    (finding,) = world.reports[0]["findings"]
    assert finding["put_back_from"] == "the backup"
    assert world.vault.verify(world.roots[2]).size == 1000
    (kept,) = world.vault.quarantined()
    assert "is whole again" in world.told[f"object/{kept.id}"][0]
    world.now = NEXT
    world.duty().do()
    assert world.reports[1]["found"] == 0


def test_a_lost_object_is_put_back_from_a_replica(world: World) -> None:
    world.replica.store(io.BytesIO(content(0)), 1 << 20)
    world.replicas = {"the backup": world.replica}
    world.vault.path(world.roots[0]).unlink()
    world.duty().do()
    assert world.reports[0]["findings"][0]["kind"] == "missing"
    assert world.vault.verify(world.roots[0]).root == world.roots[0]
    assert any("put back from the backup" in said for said, _ in world.told.values())


def test_a_wrong_replica_is_named_and_the_right_one_behind_it_used(world: World, tmp_path: Path) -> None:
    root = world.roots[1]
    wrong, right = LocalVault(tmp_path / "wrong"), world.replica
    for one in (wrong, right):
        one.store(io.BytesIO(content(1)), 1 << 20)
    path = wrong.path(root)
    path.chmod(0o644)
    path.write_bytes(b"another file of the same name")
    world.damage(root)
    done = treat(world.vault, root, {"wrong": wrong, "right": right}, ["IMG-1"])
    assert done is not None and done.whole and done.source == "right"
    assert "wrong" in done.tried[0] and "the replica's bytes have root" in done.tried[0]
    assert world.vault.verify(root).root == root


def test_a_sound_object_is_not_treated(world: World) -> None:
    assert treat(world.vault, world.roots[0], {}) is None
    assert world.vault.quarantined() == []


def test_a_broken_sidecar_is_written_anew_without_a_replica(world: World) -> None:
    sidecar = world.vault.path(world.roots[0]).with_name(f"{world.roots[0]}.json")
    sidecar.chmod(0o644)
    sidecar.write_text("{}")
    world.duty().do()
    assert world.reports[0]["findings"][0]["kind"] == "sidecar_damaged"
    assert world.vault.check().ok


def test_people_are_told_again_of_what_could_not_be_told(world: World) -> None:
    world.damage(world.roots[2])
    told, world.tell = world.tell, lambda *_: (_ for _ in ()).throw(OSError("no ledger"))  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(OSError, match="no ledger"):
        world.duty().do()
    world.tell = told  # type: ignore[method-assign]
    world.duty().do()
    (kept,) = world.vault.quarantined()
    assert f"object/{kept.id}" in world.told
