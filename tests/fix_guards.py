"""Fixtures for guards and privileges: one migrated database, and attacks that are taken back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from coverslip.store.migrate import migrate, open_installation
from coverslip.store.server import Cluster
from fix_store import copy_home


class Guarded:
    """A running database of this release, as ``init`` leaves it; what a test does is rolled back."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def connect(self, role: str, autocommit: bool = True) -> psycopg.Connection[Any]:
        return psycopg.connect(**self.cluster.dsn(role), autocommit=autocommit)

    @contextmanager
    def cluster_connection(self, role: str, database: str) -> Iterator[str]:
        """Lend what another database of the server answers to a role: its refusal, or nothing."""
        try:
            psycopg.connect(**{**self.cluster.dsn(role), "dbname": database}).close()
        except psycopg.OperationalError as error:
            text = str(error)
            yield "permission denied" if "reject" in text or "permission denied" in text else text
        else:
            yield ""

    @contextmanager
    def attacking(self, *statements: str, role: str = "cs_superuser") -> Iterator[psycopg.Connection[Any]]:
        """Run statements and lend the connection inside their transaction, which never commits."""
        with self.connect(role, autocommit=False) as conn:
            for statement in statements:
                conn.execute(statement)
            yield conn
            conn.rollback()

    def refused(self, role: str, *statements: str) -> str:
        """Run statements; return the SQLSTATE that stopped the last one, empty when nothing did."""
        with self.connect(role, autocommit=False) as conn:
            try:
                for statement in statements[:-1]:
                    conn.execute(statement)
                conn.execute(statements[-1])
            except psycopg.Error as error:
                return error.sqlstate or "?"
            finally:
                conn.rollback()
        return ""


@pytest.fixture(scope="session")
def guarded(template_home: Path) -> Iterator[Guarded]:
    """One migrated and opened database per worker."""
    cluster = Cluster(copy_home(template_home, template_home.with_name("guarded")), "evaluation")
    with cluster.running():
        admin = make_conninfo(**cluster.dsn("cs_superuser"))
        migrate(admin)
        open_installation(
            admin,
            origin="lab.example/guards",
            use="evaluation",
            uuid=uuid4(),
            created_at=dt.datetime.now(dt.UTC),
        )
        yield Guarded(cluster)


@pytest.fixture
def as_migrator(guarded: Guarded) -> Iterator[Callable[..., str]]:
    """Let cs_migrator log in for the test; the answer is what refuses its statements."""
    with guarded.cluster.migrating():
        yield lambda *statements: guarded.refused("cs_migrator", *statements)
