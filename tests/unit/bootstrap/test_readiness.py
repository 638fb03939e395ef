"""A regulated installation is founded with everything DESIGN 8 asks for, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coverslip.anchoring.targets import load
from coverslip.bootstrap import founding, readiness
from coverslip.bootstrap.anchors import targets_file
from coverslip.bootstrap.places import read_places
from coverslip.errors import EnvironmentFault, Invalid
from coverslip.kernel import keys
from coverslip.settings import Home
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE, secret_of
from fix_setup import elsewhere

PEOPLE = tuple(
    {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
)
SECRETS = {u: secret_of(u) for u, *_ in FOUNDERS}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_COST", CHEAP)


def asked(use: str, **more: Any) -> founding.Founding:
    return founding.Founding(ORIGIN, use, SITE, PEOPLE, **more)


def test_without_backup_and_anchor_nothing_regulated_is_founded(new_home: Callable[[], Path]) -> None:
    root = new_home()
    with pytest.raises(Invalid) as caught:
        founding.init(root, asked("regulated"), SECRETS)
    assert caught.value.code == "NOT_READY"
    assert "a folder for backups" in caught.value.message
    assert "where this machine cannot change them" in caught.value.message
    assert not root.exists()


def test_an_anchor_on_this_machine_does_not_count(new_home: Callable[[], Path]) -> None:
    root = new_home()
    near = {"name": "near", "type": "file", "target": str(root.parent / "checkpoints")}
    lacks = readiness.lacking(Home(root), "regulated", "", str(root.parent / "b"), "", [near])
    assert set(lacks) == {"anchor"}
    with elsewhere() as far:
        assert readiness.lacking(Home(root), "regulated", "", str(root.parent / "b"), "", [far]) == {}


def test_a_backup_in_the_home_does_not_count(new_home: Callable[[], Path]) -> None:
    root = new_home()
    assert "backup" in readiness.lacking(Home(root), "evaluation", "", str(root / "backups"), "", [])


def test_without_postgresql_of_the_system_a_regulated_one_is_refused(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_the_wheel(**given: Any) -> None:
        raise EnvironmentFault(
            "ENVIRONMENT", what="PostgreSQL programs", expected="the system's", found="none"
        )

    monkeypatch.setattr(readiness, "find_binaries", only_the_wheel)
    root = new_home()
    with elsewhere() as far, pytest.raises(Invalid, match="PostgreSQL programs"):
        founding.init(root, asked("regulated", backup_to=str(root.parent / "b"), anchors=(far,)), SECRETS)
    named = readiness.lacking(Home(root), "regulated", "postgresql://db.example/x", "/b", "", [])
    assert "database" not in named


def test_an_evaluation_needs_none_of_it_and_keeps_what_is_named(new_home: Callable[[], Path]) -> None:
    root = new_home()
    with elsewhere() as far:
        given = {"backup_to": str(root.parent / "b"), "keys_to": str(root.parent / "k"), "anchors": (far,)}
        founding.init(root, asked("evaluation", documents={"ada": "passport"}, **given), SECRETS)
        home = Home(root)
        assert (read_places(home).target, read_places(home).keys) == (given["backup_to"], given["keys_to"])
        assert [one.target for one in load(targets_file(home)).targets] == [far["target"]]
        kept = json.loads((Path(given["backup_to"]) / "backup-set.json").read_text("utf-8"))
        facts = json.loads((root / "coverslip.json").read_text("utf-8"))
        assert kept["installation"] == facts["installation"]


def test_backups_of_another_installation_are_not_mixed_with(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    (tmp_path / "backup-set.json").write_text("{}", "utf-8")
    lacks = readiness.lacking(Home(new_home()), "evaluation", "", str(tmp_path), "", [])
    assert "those of another" in lacks["backup"]


@pytest.mark.parametrize("place", ["file/backups", "file"])
def test_a_place_that_cannot_be_written_to_is_told_before(
    new_home: Callable[[], Path], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    lacks = readiness.lacking(Home(new_home()), "evaluation", "", str(tmp_path / place), "", [])
    assert "a folder this server can write to" in lacks["backup"]


def test_one_person_does_not_write_and_approve_the_policy(new_home: Callable[[], Path]) -> None:
    root = new_home()
    people = (PEOPLE[0], PEOPLE[1] | {"roles": ["QA", "AUT"]}, PEOPLE[2] | {"roles": ["REV"]})
    with pytest.raises(Invalid, match="another who approves it"):
        founding.init(root, founding.Founding(ORIGIN, "evaluation", SITE, people), SECRETS)
    assert list(root.iterdir()) == []
