"""Founders sign by a clock that is right, or, on a regulated installation, not at all (P11-10-e.9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coverslip.bootstrap import founding, wiring
from coverslip.errors import EnvironmentFault
from coverslip.kernel import keys
from coverslip.settings import Home
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE, refused, secret_of
from fix_setup import elsewhere
from fix_time import answer, time_server

PEOPLE = tuple(
    {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
)
SECRETS = {u: secret_of(u) for u, *_ in FOUNDERS}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_COST", CHEAP)


def found(root: Path, use: str, *sources: str) -> None:
    with elsewhere() as anchor:
        asked = founding.Founding(
            ORIGIN,
            use,
            SITE,
            PEOPLE,
            time_sources=sources,
            backup_to=str(root.parent / "backups"),
            anchors=(anchor,),
        )
        founding.init(root, asked, SECRETS)


def clocks(root: Path) -> set[str]:
    """Return what the leaves of genesis say of the clock, each once."""
    home = Home(root)
    with wiring.database(home), wiring.connection(home, "cs_verifier") as conn:
        rows = conn.execute("select distinct convert_from(leaf, 'UTF8')::jsonb -> 'clock' from ledger.entry")
        return {f"{row[0]['src']} {row[0]['ok']}" for row in rows}


def test_a_regulated_installation_is_founded_by_a_clock_that_is_right(new_home: Callable[[], Path]) -> None:
    root = new_home()
    with time_server(lambda q: [answer(q)]) as port:
        found(root, "regulated", f"sntp:127.0.0.1:{port}")
    assert clocks(root) == {"sntp True"}


@pytest.mark.parametrize("ahead", [5.0, -3600.0])
def test_and_not_by_one_that_is_off(new_home: Callable[[], Path], ahead: float) -> None:
    root = new_home()
    with time_server(lambda q: [answer(q, ahead_s=ahead)]) as port, refused("CLOCK"):
        found(root, "regulated", f"sntp:127.0.0.1:{port}")
    assert list(root.iterdir()) == []


def test_nor_without_a_source(new_home: Callable[[], Path]) -> None:
    root = new_home()
    with refused("CLOCK") as caught:
        found(root, "regulated")
    assert "no time source" in caught[0].message
    assert list(root.iterdir()) == []


def test_a_source_that_is_none_is_refused_before_anything_is_made(new_home: Callable[[], Path]) -> None:
    root = new_home()
    with pytest.raises(EnvironmentFault, match="time source"):
        found(root, "evaluation", "sundial")
    assert not root.exists()


def test_an_evaluation_is_founded_without_and_says_so_in_every_entry(new_home: Callable[[], Path]) -> None:
    root = new_home()
    found(root, "evaluation")
    assert clocks(root) == {"none False"}
