"""The home of the first release: unpacked and read into a database once per process; tests work on copies."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.bootstrap import migrating, wiring
from coverslip.settings import Home
from coverslip.store import copying
from coverslip.store.migrate import migrate
from coverslip.store.server import Cluster

ARCHIVE = Path(__file__).parent / "migration" / "data" / "home-3eb57c2.tar.xz"
PUBLISHED = 10
"""The last migration of that release."""


@dataclass(frozen=True)
class OldHome:
    """A stopped copy of the home, to do anything to, and how the records of its story are called."""

    root: Path
    n: dict[str, str]

    @property
    def home(self) -> Home:
        return Home(self.root)

    def size(self) -> int:
        """Return the size of the last signed tree."""
        journal = (self.root / "signer" / "journal").read_text("utf-8").splitlines()
        return int(json.loads(journal[-1])["size"])


def unpack(target: Path) -> None:
    """Make the home as the release left it, with its database stopped."""
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(target.parent, filter="data")
    (target.parent / "home").rename(target)
    for folder in ("run", "logs"):
        (target / folder).mkdir(mode=0o700)
    for folder in (target, target / "secrets"):
        folder.chmod(0o700)
    cluster = Cluster(target, "evaluation")
    cluster.create()
    with cluster.running():
        cluster.create_roles()
        migrate(wiring.conninfo(Home(target), "cs_superuser"), level=PUBLISHED)
        with psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True) as conn:
            load(conn, target / "database")


def load(conn: psycopg.Connection[Any], folder: Path) -> None:
    """Put the rows that ``scripts/make_old_home.py`` saved into a database of the same migrations."""
    said = json.loads((folder / "contents.json").read_text("utf-8"))
    assert copying.applied_through(conn) == PUBLISHED
    copying.settle(conn)
    with conn.transaction():
        for one in said["tables"]:
            data = (folder / one["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == one["sha256"]
            copying.write(conn, f"{one['schema']}.{one['name']}", one["columns"], [data])
        copying.told_first(conn, said["migrations"])
        copying.count_on(conn, [(f"{s}.{n}", last) for s, n, last in said["sequences"] if last is not None])


def copied(source: Path) -> Path:
    """Copy a stopped home into a folder of its own."""
    parent = Path(tempfile.mkdtemp(prefix="u-", dir=source.parent))
    parent.chmod(0o711)
    subprocess.run(["cp", "-a", str(source), str(parent / "home")], check=True)
    return parent / "home"


@pytest.fixture(scope="session")
def old_root() -> Iterator[Path]:
    """A short folder that other accounts may pass through."""
    root = Path(tempfile.mkdtemp(prefix="csu-"))
    root.chmod(0o711)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def first_release(old_root: Path) -> Path:
    """The home as it was; only ever copied."""
    unpack(old_root / "old")
    return old_root / "old"


@pytest.fixture(scope="session")
def after_upgrade(first_release: Path) -> Path:
    """The same home brought to this release; only ever copied."""
    home = copied(first_release)
    migrating.migrate(home)
    return home


def _lent(source: Path) -> Iterator[OldHome]:
    home = copied(source)
    yield OldHome(home, json.loads((home / "numbers.json").read_text("utf-8")))
    wiring.cluster_of(Home(home)).stop("immediate")
    shutil.rmtree(home.parent)


@pytest.fixture
def old_home(first_release: Path) -> Iterator[OldHome]:
    """A copy of the home of the first release."""
    yield from _lent(first_release)


@pytest.fixture
def upgraded(after_upgrade: Path) -> Iterator[OldHome]:
    """A copy of the home that was brought to this release."""
    yield from _lent(after_upgrade)


@pytest.fixture
def make_old(first_release: Path) -> Iterator[Callable[[], Path]]:
    """Give further copies of the home of the first release."""
    made: list[Path] = []

    def give() -> Path:
        made.append(copied(first_release))
        return made[-1]

    yield give
    for home in made:
        wiring.cluster_of(Home(home)).stop("immediate")
        shutil.rmtree(home.parent)
