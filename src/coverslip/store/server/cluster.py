"""One PostgreSQL cluster in one home: made, started, watched, stopped.

Rules kept here:

* Nobody is trusted: SCRAM for every login, secrets in files of mode 0600, never on a command line
  or in an environment.
* The data directory's PG_VERSION decides the major version; another is refused.
* A killed postmaster, a killed supervisor, or both leave nothing that stops the next start: what
  is left behind is recognised, ended and cleared. A foreign server is never touched.
* Ready means: a connection was made and the server said it serves this very directory.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from coverslip.errors import EnvironmentFault
from coverslip.store.server import config, files, initialise, launch, osuser, process, roles
from coverslip.store.server.binaries import Binaries, Origin, find_binaries

Mode = Literal["smart", "fast", "immediate"]
State = Literal["absent", "stopped", "starting", "running"]

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a cluster. ``supervised``: by the process that asked."""

    state: State
    postmaster: int | None
    major: int | None
    socket_folder: Path
    run_as: str
    supervised: bool


class Cluster:
    """The cluster of one home. Not for use by several threads at once.

    ``use`` is the installation's (``evaluation`` or other): only evaluation may run the wheel's
    programs. ``pinned`` is the major version the home says it has: data of another is refused, new
    data is made with it. ``prefer`` names an origin of the programs, ``run_as`` a way to give root
    away, ``environment`` adds variables for the server's processes; all three are for tests and
    measurements.
    """

    def __init__(
        self,
        home: Path,
        use: str,
        *,
        pinned: int | None = None,
        prefer: Origin | None = None,
        run_as: osuser.Way | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.use = use
        self.postgres = self.home / "postgres"
        self.data = self.postgres / "data"
        self.secrets = self.home / "secrets"
        self._pinned = pinned
        self._prefer = prefer
        self._only = run_as
        self._environment = dict(environment or {})
        self._lock = process.HomeLock(self.home / "run" / "postgres.lock")
        self._child: subprocess.Popen[bytes] | None = None

    # --- what is there -------------------------------------------------------------------------

    @property
    def socket_folder(self) -> Path:
        """Folder of the server's socket."""
        return config.socket_folder(self.home)

    @property
    def start_log(self) -> Path:
        """What the server printed while starting."""
        return self.home / "run" / "postgres.out"

    def major(self) -> int | None:
        """Return the major version the home is pinned to by its data; None when there is none.

        Raises EnvironmentFault when this account may not look.
        """
        try:
            return int((self.data / "PG_VERSION").read_text("ascii"))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise _fault(
                f"data directory {self.data}",
                "one this account may read",
                "permission denied",
                "Run as the account that owns the home.",
            ) from error

    def binaries(self) -> Binaries:
        """Return the programs this cluster is run with.

        Raises EnvironmentFault, naming ``coverslip migrate``, when those of the home's major are
        missing, and when none are usable at all.
        """
        found = self.major()
        if found is not None and self._pinned is not None and found != self._pinned:
            raise _fault(
                f"data directory {self.data}",
                f"one of PostgreSQL {self._pinned}, which this home is pinned to",
                f"one of PostgreSQL {found}",
                "Put the data directory back that belongs to this home; a move is made with"
                " 'coverslip migrate --postgres'.",
            )
        return find_binaries(self._prefer, use=self.use, major=found or self._pinned)

    def status(self) -> Status:
        """Return what is known, looking at processes and trying a connection."""
        if self._child is not None:
            self._child.poll()
        major = self.major()
        live = process.find_live(self.data)
        state: State = "absent" if major is None else "stopped"
        if live.postmaster is not None:
            state = "running" if launch.answers(self._admin_dsn()) else "starting"
        recorded = osuser.read_record(self._record)
        mine = self._lock.held and self._child is not None and self._child.returncode is None
        return Status(
            state, live.postmaster, major, self.socket_folder, recorded.way if recorded else "", mine
        )

    def dsn(self, role: str) -> dict[str, Any]:
        """Return psycopg's connection arguments for ``role``, its secret among them.

        Raises EnvironmentFault when this account may not read the secret, or the socket's folder
        is not the server's.
        """
        if role not in (config.SUPERUSER, *roles.LOGIN_ROLES):
            raise ValueError(f"{role} is no login role; there are {', '.join(roles.LOGIN_ROLES)}")
        recorded = osuser.read_record(self._record)
        owners = {self.home.stat().st_uid} | ({recorded.file_owner[0]} if recorded else set())
        config.check_socket_folder(self.socket_folder, frozenset(owners))
        return {
            "host": str(self.socket_folder),
            "port": config.PORT,
            "user": role,
            "password": files.read_secret(self.secrets / role),
            "dbname": config.DATABASE,
        }

    # --- life ----------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the data directory and the superuser's secret. The server is not left running.

        Raises EnvironmentFault when there is a cluster already, no usable program or account, or
        initdb fails (with its last lines). An interrupted creation may be repeated.
        """
        if not self.home.exists():
            self.home.mkdir(mode=0o700, parents=True)
        if self.major() is not None:
            raise _fault(
                f"cluster of {self.home}",
                "none yet",
                f"one of PostgreSQL {self.major()}",
                "Start it, or choose another home.",
            )
        with self._in_charge():
            programs = self.binaries()
            way = self._prepare(programs)
            owner = self._home_owner()
            secret = files.ensure_secret(self.secrets / config.SUPERUSER, *owner)
            environment = osuser.child_environment(self._environment)
            initialise.make_data(self.data, programs, way, secret, environment)

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and return when it answers; does nothing when it runs already.

        ``timeout`` seconds of silence are allowed; a server that says it is recovering is waited
        for. A server of ours whose supervisor died is ended first. Raises EnvironmentFault when
        another supervisor has the home, a foreign server runs on it, the major version is not
        installed, no account fits, or the server does not start (with its last lines).
        """
        if self._already_answers(timeout):
            return
        if self.major() is None:
            raise _fault(f"cluster of {self.home}", "a data directory", "none", "Run 'coverslip init' first.")
        fresh = not self._lock.held
        self._take_lock()
        try:
            self._start(timeout)
        except BaseException:  # an interrupt too must not leave a half-started server; raised again
            self._abandon()
            if fresh:
                self._lock.release()
            raise

    def keep(self, timeout: float = 60.0) -> bool:
        """Start the server again if it died under this supervisor; return whether it had to.

        Raises EnvironmentFault as ``start``; asking again later is right.
        """
        if self._child is not None and self._child.poll() is None:
            return False
        self.start(timeout)
        return True

    def stop(self, mode: Mode = "fast", timeout: float = 60.0) -> None:
        """Stop the server and give the lock back; does nothing when none runs.

        ``smart`` waits for connections to end, ``fast`` ends them, ``immediate`` leaves recovery
        to the next start. Raises EnvironmentFault when another process supervises it, a foreign
        server runs on it, or it still runs after ``timeout`` seconds.
        """
        if not (self.home / "run").is_dir():
            return
        with self._in_charge():
            live = self._own_live()
            if live.postmaster is not None:
                process.send(live.postmaster, STOP_SIGNALS[mode])
                if not self._gone(live.postmaster, timeout):
                    raise _fault(
                        f"server {live.postmaster} of {self.home}",
                        f"an end within {timeout:g} s of a {mode} stop",
                        "it still runs",
                        "End its connections, or stop with mode 'fast' or 'immediate'.",
                    )
            if self._child is not None:
                self._child.wait(timeout)  # another process may have been the one that ended it
                self._child = None
        self._lock.release()

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        """Keep the server running inside the block, and stop it after."""
        self.start()
        try:
            yield self
        finally:
            self.stop("fast")

    # --- roles ---------------------------------------------------------------------------------

    def create_roles(self) -> None:
        """Make the database and all roles with their secrets; may be repeated. The server must run."""
        owner = self._home_owner()
        secrets = {role: files.ensure_secret(self.secrets / role, *owner) for role in roles.LOGIN_ROLES}
        with self._admin() as admin:
            roles.create_roles(admin, secrets)
            roles.create_database(admin)
        with psycopg.connect(**self.dsn(config.SUPERUSER), autocommit=True) as admin:
            roles.close_public_schema(admin)

    @contextmanager
    def migrating(self) -> Iterator[dict[str, Any]]:
        """Let ``cs_migrator`` log in inside the block, which gets its connection arguments."""
        with self._admin() as admin:
            roles.allow_migrator(admin, True)
        try:
            yield self.dsn(roles.MIGRATOR)
        finally:
            with self._admin() as admin:
                roles.allow_migrator(admin, False)

    # --- inner ---------------------------------------------------------------------------------

    @property
    def _record(self) -> Path:
        return self.postgres / "run-as.json"

    def _home_owner(self) -> tuple[int, int]:
        found = self.home.stat()
        return found.st_uid, found.st_gid

    def _admin_dsn(self) -> dict[str, Any]:
        # Empty options keep a PGOPTIONS of the operator's shell away from starting and stopping.
        return {**self.dsn(config.SUPERUSER), "dbname": "postgres", "connect_timeout": 10, "options": ""}

    def _admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(**self._admin_dsn(), autocommit=True)

    def _take_lock(self) -> None:
        run = self.home / "run"
        if not run.is_dir():
            files.private_folder(run, *self._home_owner())
        self._lock.acquire()

    @contextmanager
    def _in_charge(self) -> Iterator[None]:
        held = self._lock.held
        self._take_lock()
        try:
            yield
        finally:
            if not held:
                self._lock.release()

    def _prepare(self, programs: Binaries) -> osuser.RunAs:
        """Choose the account, record it, and give it its folders."""
        recorded = osuser.read_record(self._record)
        way = osuser.choose(self.home, programs.program("postgres"), recorded, self._only)
        owner = self._home_owner()
        server = way.file_owner
        files.private_folder(self.secrets, *owner)
        # Owned by the home's owner, so that the server cannot rewrite run-as.json; passable for it.
        shared = server != owner and way.way != "owner"
        files.private_folder(self.postgres, owner[0], server[1], mode=0o710 if shared else 0o700)
        if self.socket_folder.parent != self.postgres:
            known = {owner[0], server[0], *([recorded.file_owner[0]] if recorded else [])}
            config.check_socket_folder(self.socket_folder, frozenset(known))
        files.private_folder(self.socket_folder, *server)
        for folder in (self.postgres / "log", self.data):
            if folder.exists():
                files.own_tree(folder, *server)
        files.private_folder(self.postgres / "log", *server)
        if way != recorded:
            files.write_private(self._record, way.as_json(), owner[0], owner[1], 0o644)
        return way

    def _own_live(self) -> process.Live:
        """Return what runs on the data directory; refuse a server that is not ours."""
        live = process.find_live(self.data)
        if live.postmaster is not None and not live.ours:
            raise _fault(
                f"data directory {self.data}",
                "no server but Coverslip's",
                f"process {live.postmaster}, which Coverslip did not start",
                f"Find out who started process {live.postmaster} and stop it.",
            )
        return live

    def _already_answers(self, timeout: float) -> bool:
        """Whether our own child serves; one that was just killed is waited for until it is gone."""
        if self._child is None or self._child.poll() is not None:
            return False
        if launch.answers(self._admin_dsn()):
            return True
        try:
            self._child.wait(1.0)
        except subprocess.TimeoutExpired:
            launch.wait_ready(self._child, self._admin_dsn(), self.data, timeout, self._logs())
            return True
        return False

    def _start(self, timeout: float) -> None:
        programs = self.binaries()
        live = self._own_live()
        if live.postmaster is not None:
            self._end_abandoned(live.postmaster)
        process.clear_orphans(self.data)
        way = self._prepare(programs)
        self._clear_leftovers()
        self._configure(way)
        argv = [str(programs.program("postgres")), "-D", str(self.data)]
        argv += config.command_line(self.socket_folder)
        environment = osuser.child_environment(self._environment)
        self._child = launch.spawn(way, argv, environment, self.start_log, self._home_owner())
        launch.wait_ready(self._child, self._admin_dsn(), self.data, timeout, self._logs())
        with self._admin() as admin:
            roles.allow_migrator(admin, False)

    def _configure(self, way: osuser.RunAs) -> None:
        server = way.file_owner
        settings = config.postgresql_conf(self.socket_folder)
        files.write_private(self.data / "postgresql.conf", settings, *server)
        files.write_private(self.data / "pg_hba.conf", config.pg_hba_conf(roles.LOGIN_ROLES), *server)

    def _logs(self) -> list[Path]:
        kept = sorted((self.postgres / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        return [self.start_log, *kept[-1:]]

    def _clear_leftovers(self) -> None:
        # Only reached with the lock held and no live process of this directory: what is named here
        # is from a crash or, in a copied home, another server's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for path in self.socket_folder.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _end_abandoned(self, postmaster: int) -> None:
        for mode, seconds in (("fast", 30.0), ("immediate", 15.0)):
            process.send(postmaster, STOP_SIGNALS[mode])
            if self._gone(postmaster, seconds):
                return
        raise _fault(
            f"server {postmaster} of {self.home}",
            "an end after its supervisor died",
            "it still runs",
            f"End process {postmaster}, then start again.",
        )

    def _gone(self, postmaster: int, seconds: float) -> bool:
        if self._child is None or self._child.pid != postmaster:
            return process.wait_gone((postmaster,), seconds)
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _abandon(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._end_abandoned(self._child.pid)
        self._child = None


def _fault(what: str, expected: str, found: str, remedy: str) -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what=what, expected=expected, found=found, remedy=remedy)
