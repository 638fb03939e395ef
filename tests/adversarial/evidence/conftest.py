"""Copies of the finished story under attack: one running copy per process, put back after each test.

``copy`` lends it: attack it as a superuser or through its files, then ask what an operator would ask.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import checking, wiring
from coverslip.settings import Home
from fix_store import open_to_roles

GUARDS = ("coverslip_ddl_guard", "coverslip_drop_guard")
TABLES = ("entry", "leaf", "tile", "checkpoint", "anchor", "body")

Finding = dict[str, Any]


class Copy:
    """A running copy of the finished home and the ways to change it and to ask about it."""

    def __init__(self, root: Path, numbers: dict[str, str], kept: Path) -> None:
        self.root, self.home, self.n, self._kept = root, Home(root), numbers, kept

    # --- attacking -----------------------------------------------------------------------------

    def connect(self, role: str = "cs_superuser") -> psycopg.Connection[Any]:
        """Return an autocommit connection of a role."""
        return psycopg.connect(wiring.conninfo(self.home, role), autocommit=True)

    def attack(self, *statements: str, values: tuple[Any, ...] = (), tidy: bool = True) -> None:
        """Do what a superuser can: guards and triggers off, anything, and (``tidy``) on again as before."""
        with self.connect() as conn:
            for guard in GUARDS:
                conn.execute(f"alter event trigger {guard} disable")
            for table in TABLES:
                conn.execute(f"alter table ledger.{table} disable trigger all")
            for statement in statements:
                conn.execute(statement, values or None)
            if not tidy:
                return
            for table in TABLES:
                conn.execute(f"alter table ledger.{table} enable trigger all")
                names = ("no_delete", "erase_only") if table == "body" else ("append_only",)
                for name in (*names, "no_truncate"):
                    conn.execute(f"alter table ledger.{table} enable always trigger {name}")
            for guard in GUARDS:
                conn.execute(f"alter event trigger {guard} enable always")

    # --- looking -------------------------------------------------------------------------------

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return rows as a superuser sees them."""
        with self.connect() as conn:
            return conn.execute(query, values).fetchall()

    def uid(self, number: str) -> str:
        """Return the id of a record."""
        return str(self.ask("select uid from projection.number where number = %s", number)[0][0])

    def entry(self, number: str, version: int = 0) -> tuple[int, int, int]:
        """Return (entry id, tree index, version) of a version of a record, by default the newest."""
        found = self.ask(
            "select e.id, l.idx, e.version from ledger.entry e join ledger.leaf l on l.entry_id = e.id"
            " where e.record_id = %s and (e.version = %s or %s = 0) order by e.version desc limit 1",
            self.uid(number), version, version,
        )  # fmt: skip
        return found[0]  # type: ignore[return-value]

    # --- asking for the evidence ---------------------------------------------------------------

    def verify(self, anchors: Path | None = None) -> list[Finding]:
        return checking.ledger_verify(self.root, anchors)[0]

    def replay(self) -> list[Finding]:
        return checking.ledger_replay(self.root)[0]

    def vault(self) -> list[Finding]:
        return checking.vault_check(self.root)[0]

    def start_up(self) -> str:
        """Return what ``serve`` would refuse with, empty if it would begin."""
        lines = {line["check"]: line for line in checking.doctor(self.root)}
        line = lines["ledger and signer agree"]
        return "" if line["ok"] else str(line["found"])

    def object(self, number: str) -> Path:
        """Return where the one file of a record lies in the vault."""
        (found,) = checking.vault_locate(self.root, number)
        return Path(found["path"])

    # --- putting back --------------------------------------------------------------------------

    def _admin(self) -> psycopg.Connection[Any]:
        dsn = {**wiring.cluster_of(self.home).dsn("cs_superuser"), "dbname": "postgres"}
        return psycopg.connect(**dsn, autocommit=True)

    def keep(self) -> None:
        """Remember the database and the other files as they are now."""
        with self._admin() as admin:
            admin.execute("create database pristine template coverslip owner cs_owner")
        shutil.copytree(
            self.root, self._kept, symlinks=True, ignore=shutil.ignore_patterns("postgres", "run", "logs")
        )

    def put_back(self) -> None:
        """Bring back what was kept."""
        with self._admin() as admin:
            admin.execute("drop database coverslip with (force)")
            admin.execute("create database coverslip template pristine")
            open_to_roles(admin)
        for child in self._kept.iterdir():
            target = self.root / child.name
            if child.is_dir():
                shutil.rmtree(target)
                shutil.copytree(child, target, symlinks=True)
            else:
                shutil.copy2(child, target)


def said(findings: list[Finding], **wanted: Any) -> list[str]:
    """Return the sentences of the findings that have all the values wanted (``field`` may be a beginning)."""
    return [
        str(one["sentence"])
        for one in findings
        if all(
            str(one.get(key, "")).startswith(value) if key == "field" else one.get(key) == value
            for key, value in wanted.items()
        )
    ]


@pytest.fixture(scope="session")
def _ground(story: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    from fix_story import copy_home

    parent = Path(story.home.parent) / tmp_path_factory.mktemp("attacked").parent.name
    parent.mkdir(mode=0o711, exist_ok=True)
    made = Copy(copy_home(story.home, parent / "home"), story.numbers, parent / "kept")
    with wiring.cluster_of(made.home).running():
        made.keep()
        yield made
    shutil.rmtree(parent)


@pytest.fixture
def copy(_ground: Copy) -> Iterator[Copy]:
    """A running copy of the finished installation; put back afterwards."""
    yield _ground
    _ground.put_back()


@pytest.fixture
def named() -> Any:
    """The function that picks findings by what they name."""
    return said
