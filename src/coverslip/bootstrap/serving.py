"""Serving: one supervisor, and database, signer, sequencer, worker, keeper and web as its children.

Rules kept here:

* A child that dies is started again; one that keeps dying stops everything, because half a system
  of record is none. Children and database end with their supervisor, however it ends.
* A database that dies is started again for as long as it takes: without it everything is refused, so
  nothing half-done can be served. Children are not held against it meanwhile.
* Before anything is written the database is compared with what the signer remembers. Where they contradict
  each other, then or later, everything that writes is stopped and the home is served in quarantine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from coverslip.bootstrap import anchors, guarding, quarantine, recovering, signing, wiring, wizard
from coverslip.bootstrap.forgetful import forgetful
from coverslip.bootstrap.listening import Listening
from coverslip.bootstrap.migrating import alone, require_current
from coverslip.errors import EnvironmentFault, EvidenceBroken
from coverslip.settings import Home
from coverslip.store.server import Cluster, SiteServer
from coverslip.store.server.parent import die_with_parent

CHILDREN = ("signer", "sequencer", "worker", "keeper", "web")
READY_S = 60.0
PRIVATE = Listening()
RESTARTS = 5
_log = logging.getLogger("coverslip")


def serve(
    root: Path,
    only: str | None = None,
    place: Listening = PRIVATE,
    say: Callable[[str], None] = lambda text: print(text, flush=True),
    stop: threading.Event | None = None,
    database_url: str = "",
) -> None:
    """Run an installation until told to stop (SIGINT, SIGTERM or ``stop``).

    Where there is none yet and ``place`` listens, the set-up is served first, then what it founded;
    ``database_url`` is then where that is made, as for ``init``.

    ``only="database"`` runs the database alone, for operators. ``place`` is a listener beside the private
    socket. Prints ``ready: unix:PATH`` when requests are answered, and where browsers find the pages.
    """
    home = Home(root.resolve())
    done = stop or threading.Event()
    listener = None
    if only is None and place.port is not None and wizard.wanted(home.root):
        _on_signal(done)
        listener = wiring.bind(place.host, place.port)
        if not wizard.set_up(home, place, listener, say, done, database_url):
            return
    wiring.installation(home)
    _on_signal(done)
    cluster = wiring.cluster_of(home)
    if only == "database":
        with cluster.running():
            say(f"ready: database {cluster.socket_folder}")
            done.wait()
        return
    with alone(home), cluster.running():
        reason = quarantine.contradiction(home) or anchors.contradicted(home)
        if reason is None:
            signing.insist_own_key(home)
            recovering.finish(home)
            require_current(home)
            guarding.check_guards(home)
            children = [
                _Child(home, name, place.arguments(), listener) if name == "web" else _Child(home, name)
                for name in CHILDREN
            ]
            try:
                _supervise(home, cluster, children, say, done, place)
                return
            except _Contradicted:
                reason = quarantine.contradiction(home) or EvidenceBroken("RECOVERY_REQUIRED")
        _log.error("quarantine: %s", reason)
        say(f"quarantine: {reason.message} {reason.remedy}")
        given = [*place.arguments(), "--quarantine", quarantine.to_argument(reason)]
        _supervise(home, cluster, [_Child(home, "web", given, listener)], say, done, place)


def _supervise(
    home: Home,
    cluster: Cluster | SiteServer,
    children: list[_Child],
    say: Callable[[str], None],
    done: threading.Event,
    place: Listening,
) -> None:
    """Keep the children until told to stop; they have ended when this returns or raises."""
    try:
        for child in children:
            child.start()
        _wait_ready(home, cluster, children, done)
        say(f"ready: unix:{wiring.api_socket(home)}")
        if place.origins:
            say(f"pages: {place.origins[0]}/")
        while not done.wait(0.5):
            _keep(cluster, children)
    finally:
        for child in reversed(children):
            child.stop()


def _keep(cluster: Cluster | SiteServer, children: list[_Child]) -> None:
    """Start what has died again: the database first, and the children only while it lives."""
    try:
        if cluster.keep():
            _log.warning("the database had died and was started again")
    except (EnvironmentFault, OSError) as error:  # a full disk takes not even the server's settings
        _log.error("the database does not start, trying again: %s %s", error, getattr(error, "remedy", ""))
        return
    for child in children:
        child.keep()


def _on_signal(done: threading.Event) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: done.set())


class _Contradicted(Exception):
    """A child found that the database contradicts what was signed."""


class _Child:
    """One child process with its log; restarted a few times, then given up."""

    def __init__(
        self, home: Home, name: str, arguments: Sequence[str] = (), listener: socket.socket | None = None
    ) -> None:
        self._home, self.name = home, name
        self._inherited = () if listener is None else (listener.fileno(),)
        self._arguments = [*arguments, *(part for fd in self._inherited for part in ("--fd", str(fd)))]
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: list[float] = []

    def start(self) -> None:
        self._starts = [t for t in self._starts if t > time.monotonic() - 60] + [time.monotonic()]
        if len(self._starts) > RESTARTS:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what=f"the {self.name} process",
                expected="to stay up",
                found=f"{RESTARTS} starts in a minute",
                remedy=f"Read {self.log}.",
            )
        interpreter, environment = forgetful(self.name)
        command = [*interpreter, "-m", "coverslip.bootstrap.child", self.name, str(self._home.root)]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_prepare_child(),
                pass_fds=self._inherited,
                cwd="/",
                env=environment,
            )

    @property
    def log(self) -> Path:
        return self._home.logs / f"{self.name}.log"

    def keep(self) -> None:
        if self._process is None or (code := self._process.poll()) is None:
            return
        if code == quarantine.CONTRADICTED:
            raise _Contradicted
        self.start()

    def dead(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _prepare_child() -> Callable[[], None]:
    with_parent = die_with_parent(signal.SIGKILL)  # a killed supervisor asks for no farewell

    def prepare() -> None:
        with_parent()
        os.umask(0o077)

    return prepare


def _wait_ready(
    home: Home, cluster: Cluster | SiteServer, children: list[_Child], done: threading.Event
) -> None:
    deadline = time.monotonic() + READY_S
    path = wiring.api_socket(home)
    while time.monotonic() < deadline and not done.is_set():
        _keep(cluster, children)
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.Client(
                transport=httpx.HTTPTransport(uds=str(path)), base_url="http://coverslip", timeout=5
            ) as client,
        ):
            if client.get("/healthz").status_code == 200:
                return
        done.wait(0.1)
    if not done.is_set():
        raise EnvironmentFault("UNAVAILABLE", what="The server", remedy=f"Read the logs in {home.logs}.")
