"""Fixtures that run the real PostgreSQL.

``template_home`` is made once per worker and never started again; ``cluster`` is one running copy
for the whole session, for tests that leave it usable; ``own_cluster`` is a stopped copy of one's own,
for tests that kill, corrupt or copy it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from coverslip.store.server import Cluster
from coverslip.store.server.roles import LOGIN_ROLES

Superuser = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="session")
def cluster_root() -> Iterator[Path]:
    """A short folder that other accounts may pass through, as PostgreSQL's sockets and accounts need."""
    root = Path(tempfile.mkdtemp(prefix="cs-"))
    root.chmod(0o711)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def template_home(cluster_root: Path) -> Path:
    """A stopped evaluation home with its database and roles; only ever copied."""
    home = cluster_root / "template"
    cluster = Cluster(home, "evaluation")
    cluster.create()
    with cluster.running():
        cluster.create_roles()
    return home


def copy_home(template: Path, home: Path) -> Path:
    """Copy a whole home as an operator would."""
    subprocess.run(["cp", "-a", str(template), str(home)], check=True)
    return home


@pytest.fixture(scope="session")
def cluster(template_home: Path) -> Iterator[Cluster]:
    """One running cluster for the whole session."""
    copy = Cluster(copy_home(template_home, template_home.with_name("shared")), "evaluation")
    with copy.running():
        yield copy


@pytest.fixture
def new_home(cluster_root: Path) -> Iterator[Callable[[], Path]]:
    """Give paths of homes that do not exist yet; what was made there is removed after."""
    made: list[Path] = []

    def give() -> Path:
        parent = Path(tempfile.mkdtemp(prefix="h-", dir=cluster_root))
        parent.chmod(0o711)
        made.append(parent)
        return parent / "home"

    yield give
    for parent in made:
        for home in parent.iterdir():
            Cluster(home, "evaluation").stop("immediate")
        shutil.rmtree(parent)


def open_to_roles(admin: Superuser) -> None:
    """Give a database made from a template the privileges that ``init`` gives: templates carry none."""
    admin.execute("revoke all on database coverslip from public")
    admin.execute(f"grant connect on database coverslip to {', '.join(LOGIN_ROLES)}")


@pytest.fixture
def own_cluster(template_home: Path, new_home: Callable[[], Path]) -> Iterator[Cluster]:
    """A stopped copy of the template, with all roles, to do anything to."""
    copy = Cluster(copy_home(template_home, new_home()), "evaluation")
    yield copy
    copy.stop("immediate")


@pytest.fixture
def superuser(cluster: Cluster) -> Iterator[Superuser]:
    """A superuser's connection to the database of ``cluster``, autocommit."""
    with psycopg.connect(**cluster.dsn("cs_superuser"), autocommit=True) as connection:
        yield connection
