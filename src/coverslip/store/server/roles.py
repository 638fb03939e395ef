"""The database ``coverslip`` and its roles (LEDGER 2).

Rules kept here:

* Each login role has its own random secret; the server is sent the SCRAM verifier made here, so
  that no password can reach a log.
* ``cs_owner`` owns everything and cannot log in. ``cs_migrator`` can only while migrating, and
  then works as ``cs_owner``.
* PUBLIC has no right to the database, to its schema ``public``, or to the other databases.
* Everything may be repeated: after an interruption, and to renew secrets that were replaced.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from coverslip.store.server import config

OWNER = "cs_owner"
MIGRATOR = "cs_migrator"

CONNECTION_LIMITS = {
    MIGRATOR: 2,
    "cs_writer": 60,
    "cs_sequencer": 4,
    "cs_reader": 15,
    "cs_verifier": 4,
    "cs_eraser": 2,
}
"""Login roles and how many connections each may hold; the sum stays below ``max_connections``."""

LOGIN_ROLES = tuple(CONNECTION_LIMITS)

_PLAIN = sql.SQL("nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit")
_Connection = psycopg.Connection[tuple[object, ...]]


def create_roles(admin: _Connection, secrets: dict[str, str]) -> None:
    """Make or correct every role. ``admin``: superuser, autocommit. ``secrets``: one per login role."""
    with admin.transaction():
        _role(admin, OWNER, sql.SQL("nologin connection limit 0"))
        for role, limit in CONNECTION_LIMITS.items():
            login = sql.SQL("nologin" if role == MIGRATOR else "login")
            verifier = admin.pgconn.encrypt_password(
                secrets[role].encode("ascii"), role.encode("ascii"), b"scram-sha-256"
            ).decode("ascii")
            options = sql.SQL("{} connection limit {} password {}")
            _role(admin, role, options.format(login, sql.Literal(limit), sql.Literal(verifier)))
        admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(OWNER), sql.Identifier(MIGRATOR)))
        admin.execute(
            sql.SQL("alter role {} set role to {}").format(sql.Identifier(MIGRATOR), sql.Identifier(OWNER))
        )


def create_database(admin: _Connection) -> None:
    """Make the database if absent and close everything to PUBLIC. ``admin``: superuser, autocommit."""
    name = sql.Identifier(config.DATABASE)
    present = admin.execute("select 1 from pg_database where datname = %s", [config.DATABASE]).fetchone()
    if present is None:
        admin.execute(
            sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                name, sql.Identifier(OWNER)
            )
        )
    with admin.transaction():
        for database in (config.DATABASE, "postgres", "template1"):
            admin.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        logins = sql.SQL(", ").join(map(sql.Identifier, LOGIN_ROLES))
        admin.execute(sql.SQL("grant connect on database {} to {}").format(name, logins))


def close_public_schema(admin: _Connection) -> None:
    """Take from PUBLIC what it has inside the database ``admin`` is connected to."""
    with admin.transaction():
        admin.execute("revoke all on schema public from public")
        admin.execute(
            sql.SQL("alter default privileges for role {} revoke execute on functions from public").format(
                sql.Identifier(OWNER)
            )
        )


def allow_migrator(admin: _Connection, allowed: bool) -> None:
    """Let ``cs_migrator`` log in, or forbid it and end the connections it still has."""
    exists = admin.execute("select 1 from pg_roles where rolname = %s", [MIGRATOR]).fetchone()
    if exists is None:
        return
    word = sql.SQL("login" if allowed else "nologin")
    admin.execute(sql.SQL("alter role {} {}").format(sql.Identifier(MIGRATOR), word))
    if not allowed:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [MIGRATOR])


def _role(admin: _Connection, role: str, options: sql.Composable) -> None:
    present = admin.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    verb = sql.SQL("create" if present is None else "alter")
    name = sql.Identifier(role)
    admin.execute(sql.SQL("{} role {} with {} {}").format(verb, name, _PLAIN, options))
    admin.execute(sql.SQL("alter role {} set jit to off").format(name))
