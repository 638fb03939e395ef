"""The site's own PostgreSQL: what it must be, and how an installation connects to it.

Rules kept here:

* It is never started, stopped or configured by us. What is not as it must be is refused, all of it at once.
* The superuser's address is used once, to make roles and schema, and is kept nowhere; no password is taken
  from an address. What the home keeps is host, port, database and how TLS is checked.
* Where it is, the address alone says: variables of libpq that lead elsewhere are refused.
* Off this host, TLS with the server's certificate verified, or nothing.
* The server must ask for our passwords: one that trusts a login would let anybody be the writer.
* One installation a server: its roles are the server's, so two would share them.
"""

from __future__ import annotations

import os
import secrets as _random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from coverslip.errors import EnvironmentFault
from coverslip.store.server import files, roles
from coverslip.store.server.binaries import NEWEST_MAJOR, OLDEST_MAJOR
from coverslip.store.server.cluster import Mode, Status

Connection = psycopg.Connection[tuple[Any, ...]]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_KEPT: Final = ("host", "port", "dbname", "sslmode", "sslrootcert")
_TAKEN: Final = (*_KEPT, "user", "passfile")
_COLLATIONS: Final = ("C", "POSIX", "C.UTF-8", "C.utf8")
_ON: Final = ("fsync", "full_page_writes")
_SCHEMAS: Final = ("ledger", "projection", "ops")
_FORM: Final = "postgresql://USER@HOST:PORT/DATABASE"
_LEADS_ASTRAY: Final = ("PGHOSTADDR", "PGHOST", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS")
"""What libpq takes from the environment beside the address: another server, or other settings."""
_ASK_EVERY: Final = 20  # the supervisor calls twice a second
CREATE_DATABASE: Final = "createdb --template template0 --encoding UTF8 --locale C coverslip"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is, without any login: what the home keeps."""

    host: str
    port: str
    dbname: str
    sslmode: str = ""
    sslrootcert: str = ""

    @property
    def local(self) -> bool:
        """Whether no network lies between: a socket of this host, or its loopback."""
        return self.host.startswith("/") or self.host in _LOOPBACK

    def value(self) -> dict[str, str]:
        """Return what is kept; empty settings are left out."""
        found = {name: str(getattr(self, name)) for name in _KEPT}
        return {name: value for name, value in found.items() if value}

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.dbname}"


def require_plain_environment() -> None:
    """Refuse variables that would have libpq connect elsewhere than the address says. Raises ENVIRONMENT."""
    if found := [name for name in _LEADS_ASTRAY if os.environ.get(name)]:
        raise _fault(
            "the environment", "the server's address alone to say where to connect",
            f"{', '.join(found)} set", f"Run 'unset {' '.join(found)}' and try again.",
        )  # fmt: skip


def parse_address(url: str) -> Address:
    """Return the address in a superuser's URL or connection string.

    Raises ENVIRONMENT for a password in it, for a host off this one without verified TLS, and for
    anything that would not be kept.
    """
    try:
        given = {k: str(v) for k, v in conninfo_to_dict(url).items() if v is not None}
    except psycopg.ProgrammingError:
        # libpq's own words repeat what was given, and that may hold a password: neither is passed on.
        raise _fault("--database-url", _FORM, "something else, which is not repeated here") from None
    if "password" in given:
        raise _fault(
            "--database-url", "no password in it: addresses are seen by every account of this host",
            "a password", "Put the password into a file named by PGPASSFILE (or ~/.pgpass), mode 0600.",
        )  # fmt: skip
    other = sorted(given.keys() - set(_TAKEN))
    if other:
        raise _fault("--database-url", f"only {', '.join(_TAKEN)}", ", ".join(other))
    missing = [name for name in ("host", "dbname", "user") if not given.get(name)]
    if missing or "," in given["host"]:
        raise _fault(
            "--database-url", "one host, a database and a user", f"no {', '.join(missing) or 'one host'}"
        )
    port = given.get("port", "5432")
    if not (port.isascii() and port.isdigit()):
        raise _fault("--database-url", _FORM, "a port that is no number, which is not repeated here")
    found = Address(
        given["host"], port, given["dbname"], given.get("sslmode", ""),
        given.get("sslrootcert", ""),
    )  # fmt: skip
    if not found.local and found.sslmode != "verify-full":
        raise _fault(
            f"the connection to {found.host}", "sslmode=verify-full: the ledger's roles cross a network",
            f"sslmode={found.sslmode or 'unset'}",
            "Add ?sslmode=verify-full&sslrootcert=FILE to the address.",
        )  # fmt: skip
    return found


class SiteServer:
    """The database of one home on the site's own server; takes the place of ``Cluster``.

    ``major`` is the version the home is pinned to, None where it is not to be compared.
    """

    supervised = False

    def __init__(self, home: Path, address: Address, major: int | None) -> None:
        self.home, self.address, self._major = home.resolve(), address, major
        self.secrets = self.home / "secrets"
        self._asked = 0

    @property
    def socket_folder(self) -> Path:
        """There is none of ours: refused, so that nobody starts what is not ours to start."""
        raise _fault(
            "'serve --only database'", "a database of our own", "the site's server, which runs by itself"
        )

    def dsn(self, role: str) -> dict[str, Any]:
        """Return psycopg's connection arguments for a login role, its secret among them.

        Raises ENVIRONMENT for the superuser, who is the site's, and where the environment leads elsewhere.
        """
        if role not in roles.LOGIN_ROLES:
            raise _fault(
                f"a connection as {role}", "a role of this installation", "the site's own superuser",
                "Name the superuser's address with --database-url.",
            )  # fmt: skip
        require_plain_environment()
        return {**self.address.value(), "user": role, "password": files.read_secret(self.secrets / role)}

    def major(self) -> int | None:
        """Return the major version of the server that runs. Raises UNAVAILABLE when none answers."""
        with self._connect() as conn:
            return _major(conn)

    def status(self) -> Status:
        """Return whether the server answers."""
        try:
            found = self.major()
        except EnvironmentFault:
            return Status("stopped", None, self._major, Path(self.address.host), "", False)
        return Status("running", None, found, Path(self.address.host), "", False)

    def require(self) -> None:
        """Refuse a server that is not the one, or no longer what it must be. Raises ENVIRONMENT."""
        with self._connect() as conn:
            found = _major(conn)
            if self._major is not None and found != self._major:
                raise _fault(
                    f"the server {self.address}", f"PostgreSQL {self._major}, which this home is pinned to",
                    f"PostgreSQL {found}", f"If it was upgraded, run 'coverslip migrate --postgres {found}'.",
                )  # fmt: skip
            problems = _settings(conn)
        if problems:
            raise _fault(f"the server {self.address}", *_told(problems))

    @contextmanager
    def running(self) -> Iterator[SiteServer]:
        """See that the server is as it must be; it is neither started before nor stopped after."""
        self.require()
        yield self

    def keep(self, timeout: float = 60.0) -> bool:
        """Return False while the server answers, asked now and then. Raises UNAVAILABLE when it does not."""
        self._asked += 1
        if self._asked % _ASK_EVERY == 1:
            self.major()
        return False

    def stop(self, mode: Mode = "fast", timeout: float = 60.0) -> None:
        """Do nothing: the server is the site's."""

    @contextmanager
    def migrating(self, url: str = "") -> Iterator[dict[str, Any]]:
        """Let ``cs_migrator`` log in inside the block; ``url`` names a superuser of this very server."""
        with superuser(url, self.address) as admin:
            roles.allow_migrator(admin, True)
            try:
                yield self.dsn(roles.MIGRATOR)
            finally:
                roles.allow_migrator(admin, False)

    def _connect(self) -> Connection:
        try:
            return psycopg.connect(**self.dsn("cs_verifier"), autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise EnvironmentFault(
                "UNAVAILABLE", what=f"The database {self.address}", remedy="Ask who runs the site's server."
            ) from error


# --- the superuser, once -------------------------------------------------------------------------------


@contextmanager
def superuser(url: str, address: Address | None = None) -> Iterator[Connection]:
    """Lend an autocommit connection of the site's superuser. Raises ENVIRONMENT when it is none.

    ``address``: the database it must be of.
    """
    if not url:
        raise _fault(
            "the superuser of the site's server", "its address in --database-url", "none",
            "Roles and event triggers can be made by a superuser only; the address is not kept.",
        )  # fmt: skip
    found = parse_address(url)
    if address is not None and found != address:
        raise _fault("--database-url", f"the database of this home, {address}", str(found))
    require_plain_environment()
    try:
        admin = psycopg.connect(make_conninfo(url, connect_timeout=10), autocommit=True)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise _fault(
            f"the server {found}", "a login", said, f"Is there a database? '{CREATE_DATABASE}'"
        ) from error
    with admin:
        row = admin.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
        if row is None or not row[0]:
            raise _fault(
                f"the login in --database-url to {found}",
                "a superuser: PostgreSQL lets nobody else make the event triggers that guard the schema",
                "an ordinary role",
            )  # fmt: skip
        yield admin


def require_fit(admin: Connection, address: Address) -> list[str]:
    """Return warnings about a server that may be used. Raises ENVIRONMENT naming everything amiss."""
    problems = [*_version(admin), *_settings(admin), *_database(admin), *_empty(admin)]
    if not address.local and not admin.pgconn.ssl_in_use:
        problems.append(("TLS", "no TLS on this connection"))
    if problems:
        raise _fault(f"the server {address}", *_told(problems))
    row = admin.execute("show data_checksums").fetchone()
    return (
        []
        if row and row[0] == "on"
        else ["data_checksums is off: a torn page is found later, by its content"]
    )


def prepare(admin: Connection, home: Path, address: Address) -> SiteServer:
    """Make roles and open the database to them alone; may be repeated after ``clear``.

    Raises ENVIRONMENT when the server lets a role in without its password. Whatever it raises, ``clear``.
    """
    found = home.stat()
    made = {
        role: files.ensure_secret(home / "secrets" / role, found.st_uid, found.st_gid)
        for role in roles.LOGIN_ROLES
    }
    row = admin.execute("select current_database()").fetchone()
    name = sql.Identifier(str(row[0]) if row else address.dbname)
    roles.create_roles(admin, made)
    with admin.transaction():
        admin.execute(sql.SQL("revoke all on database {} from public").format(name))
        logins = sql.SQL(", ").join(map(sql.Identifier, roles.LOGIN_ROLES))
        admin.execute(sql.SQL("grant connect on database {} to {}").format(name, logins))
    roles.close_public_schema(admin)
    server = SiteServer(home, address, None)
    _require_passwords(server)
    return server


def clear(admin: Connection) -> None:
    """Take away what ``prepare`` and the migrations made in an attempt that failed."""
    for trigger in ("coverslip_drop_guard", "coverslip_ddl_guard"):
        admin.execute(sql.SQL("drop event trigger if exists {}").format(sql.Identifier(trigger)))
    with admin.transaction():
        for schema in _SCHEMAS:
            admin.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
        for function in ("ddl_guard", "drop_guard", "migrating"):
            name = sql.Identifier("public", f"coverslip_{function}")
            admin.execute(sql.SQL("drop function if exists {}()").format(name))
        for role in (*roles.LOGIN_ROLES, roles.OWNER):
            if admin.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
                admin.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(role)))
                admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def _require_passwords(server: SiteServer) -> None:
    """Refuse a server that lets the reader in with a wrong password, or not at all with the right one."""
    right = {**server.dsn("cs_reader"), "connect_timeout": 10}
    try:
        psycopg.connect(**right).close()
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise _fault(
            f"the server {server.address}", "a login of cs_reader with its password", said,
            "Allow the roles cs_* in pg_hba.conf with scram-sha-256.",
        ) from error  # fmt: skip
    try:
        psycopg.connect(**{**right, "password": _random.token_hex(16)}).close()
    except psycopg.OperationalError:
        return
    raise _fault(
        f"the server {server.address}", "that it asks for passwords", "cs_reader was let in with a wrong one",
        "Use scram-sha-256 for the roles cs_* in pg_hba.conf, before any line that says trust, peer or cert.",
    )  # fmt: skip


# --- what it must be -----------------------------------------------------------------------------------

Problem = tuple[str, str]
"""What is expected, and what was found."""


def _major(conn: Connection) -> int:
    return conn.info.server_version // 10_000


def _version(admin: Connection) -> Iterator[Problem]:
    if not OLDEST_MAJOR <= _major(admin) <= NEWEST_MAJOR:
        yield f"PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR}", f"PostgreSQL {_major(admin)}"


def _settings(conn: Connection) -> list[Problem]:
    found = [(f"{name} = on", f"{name} = {value}") for name in _ON if (value := _show(conn, name)) != "on"]
    if (value := _show(conn, "synchronous_commit")) == "off":
        found.append(("synchronous_commit not off", f"synchronous_commit = {value}"))
    row = conn.execute("select pg_is_in_recovery()").fetchone()
    if row is None or row[0]:
        found.append(("a primary server", "a standby, which cannot be written to"))
    return found


def _database(admin: Connection) -> Iterator[Problem]:
    row = admin.execute(
        "select pg_encoding_to_char(encoding), datcollate, datlocprovider::text from pg_database"
        " where datname = current_database()"
    ).fetchone()
    encoding, collation, provider = row if row else ("", "", "")
    if encoding != "UTF8":
        yield "encoding UTF8", f"encoding {encoding}"
    if provider != "b" and (provider != "c" or collation not in _COLLATIONS):
        # An index over text must not depend on locale tables that an update of the host replaces.
        yield f"collation C (made by '{CREATE_DATABASE}')", f"collation {collation}"


def _empty(admin: Connection) -> Iterator[Problem]:
    row = admin.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' limit 1"
    ).fetchone()
    if row is not None:
        yield "an empty database", f"{row[0]}"
    held = admin.execute(
        "select rolname from pg_roles where rolname = any(%s) order by 1", [[*roles.LOGIN_ROLES, roles.OWNER]]
    ).fetchall()
    if held:
        names = ", ".join(str(r[0]) for r in held)
        yield "no other installation on this server", f"its roles {names}"


def _show(conn: Connection, name: str) -> str:
    row = conn.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchone()
    return str(row[0]) if row else ""


def _told(problems: list[Problem]) -> tuple[str, str]:
    return "; ".join(expected for expected, _ in problems), "; ".join(found for _, found in problems)


def _fault(what: str, expected: str, found: str, remedy: str = "") -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
