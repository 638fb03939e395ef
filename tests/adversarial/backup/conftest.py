"""Copies of the finished story with one backup of it: every test may do anything to its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import backing, wiring
from coverslip.settings import Home
from fix_story import copy_home

GUARDS = ("coverslip_ddl_guard", "coverslip_drop_guard")
TABLES = ("entry", "leaf", "tile", "checkpoint", "anchor", "body")


@dataclass
class Ground:
    """A home (stopped unless a test starts it), where its backups and keys lie, and a place for another."""

    folder: Path
    n: dict[str, str]

    @property
    def root(self) -> Path:
        return self.folder / "home"

    @property
    def home(self) -> Home:
        return Home(self.root)

    @property
    def target(self) -> Path:
        return self.folder / "target"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def new(self) -> Path:
        return self.folder / "new"

    @property
    def newest(self) -> Path:
        """The folder of the newest backup."""
        return max(one for one in self.target.iterdir() if (one / "manifest.json").exists())

    def backup(self) -> backing.Made:
        return backing.backup(self.root, self.target, self.keys)

    def attack(self, *statements: str) -> None:
        """Do what a superuser of the live database can, with guards and triggers off, and on again after."""
        with (
            wiring.database(self.home),
            psycopg.connect(wiring.conninfo(self.home, "cs_superuser"), autocommit=True) as conn,
        ):
            for guard in GUARDS:
                conn.execute(f"alter event trigger {guard} disable")
            for table in TABLES:
                conn.execute(f"alter table ledger.{table} disable trigger all")
            for statement in statements:
                conn.execute(statement)
            for table in TABLES:
                names = ("no_delete", "erase_only") if table == "body" else ("append_only",)
                for name in (*names, "no_truncate"):
                    conn.execute(f"alter table ledger.{table} enable always trigger {name}")
            for guard in GUARDS:
                conn.execute(f"alter event trigger {guard} enable always")

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return rows of the live database as its superuser sees them."""
        with (
            wiring.database(self.home),
            psycopg.connect(wiring.conninfo(self.home, "cs_superuser"), autocommit=True) as conn,
        ):
            return conn.execute(query, values).fetchall()

    def index(self, number: str) -> int:
        """Return the tree index of the newest version of a record."""
        query = (
            "select l.idx from ledger.entry e join ledger.leaf l on l.entry_id = e.id"
            " join projection.number n on n.uid = e.record_id where n.number = %s order by e.version desc"
        )
        return int(self.ask(query, number)[0][0])


@pytest.fixture(scope="session")
def _ground(story: Any) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="b-", dir=story.home.parent))
    folder.chmod(0o711)
    made = Ground(folder, story.numbers)
    copy_home(story.home, made.root)
    made.backup()
    yield made
    shutil.rmtree(folder)


@pytest.fixture
def ground(_ground: Ground) -> Iterator[Ground]:
    """A home with one backup of it, to do anything to."""
    folder = Path(tempfile.mkdtemp(prefix="b-", dir=_ground.folder.parent))
    folder.chmod(0o711)
    for name in ("home", "target", "keys"):
        copy_home(_ground.folder / name, folder / name)
    yield Ground(folder, _ground.n)
    for name in ("home", "new"):
        if (folder / name / "coverslip.json").exists():
            wiring.cluster_of(Home(folder / name)).stop("immediate")
    shutil.rmtree(folder)
