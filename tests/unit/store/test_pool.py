"""A connection that is lost while it is used is said to be; every other error stays what it is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from coverslip.errors import EnvironmentFault
from coverslip.store.pool import Pool
from coverslip.store.server import Cluster

Superuser = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[Pool]:
    with Pool(make_conninfo(**cluster.dsn("cs_superuser")), name="tried", size=2, wait=5.0) as made:
        yield made


def test_a_connection_the_server_ends_is_said_as_unavailable_and_replaced(
    pool: Pool, superuser: Superuser
) -> None:
    with pytest.raises(EnvironmentFault) as caught, pool.connection() as conn:
        superuser.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
        conn.execute("select 1")
    assert caught.value.code == "UNAVAILABLE" and caught.value.status == 503
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    assert "site's database server" in caught.value.remedy
    with pool.connection() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_the_end_of_a_connection_inside_a_transaction_is_said_as_well(
    pool: Pool, superuser: Superuser
) -> None:
    with pytest.raises(EnvironmentFault, match="does not answer"), pool.connection() as conn:  # noqa: SIM117
        with conn.transaction():
            superuser.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
            conn.execute("select 1")


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("set statement_timeout = 5; select pg_sleep(5)", psycopg.errors.QueryCanceled),
        ("do $$ begin raise lock_not_available; end $$", psycopg.errors.LockNotAvailable),
        ("do $$ begin raise serialization_failure; end $$", psycopg.errors.SerializationFailure),
        ("select 1 / 0", psycopg.errors.DivisionByZero),
    ],
)
def test_an_error_on_a_living_connection_stays_what_it_is(
    pool: Pool, sql: str, kind: type[psycopg.Error]
) -> None:
    with pytest.raises(kind), pool.connection() as conn:
        conn.execute(sql)


def test_an_error_that_is_not_the_database_s_stays_even_when_the_connection_is_lost(pool: Pool) -> None:
    with pytest.raises(KeyError), pool.connection() as conn:
        conn.close()
        raise KeyError("mine")
