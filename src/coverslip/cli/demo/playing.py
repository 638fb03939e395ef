"""Playing: the laboratory being founded, its processes, and its people, who live by the laboratory's clock.

Rules kept here: everybody acts in a session of their own through the public interface, signs with their own
password what they were shown, and the clock goes on between any two acts. What the installation does by
itself is done by the very parts that do it in ``serve``; the keeper is left out, whose heartbeats would tell
of a clock that jumps.
"""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coverslip.bootstrap import wiring
from coverslip.bootstrap.duties import assignments
from coverslip.bootstrap.labs import Lab, lab
from coverslip.bootstrap.watching import watching
from coverslip.cli.demo.cast import Microscope, Person
from coverslip.cli.demo.clock import ORIGIN, Clock
from coverslip.cli.demo.common import shipped
from coverslip.client import ApiError, Coverslip
from coverslip.client.device import DeviceKey
from coverslip.client.errors import fault
from coverslip.client.values import Receipt
from coverslip.settings import Home

CHILDREN = ("signer", "sequencer", "web")
BETWEEN_S = 17.0
"""Between reading and acting, and between two acts: what people take who know what they do."""
IDLE_S = 13 * 60.0
"""After so long without an act a session is opened anew: it would have locked itself at fifteen minutes."""
READY_S = 60.0


@dataclass
class Player(Person):
    """One person of the laboratory, at their own desk."""

    clock: Clock | None = field(default=None, repr=False)
    home: Path = Path()
    last: dt.datetime | None = field(default=None, repr=False)

    @property
    def lab(self) -> Coverslip:
        """The client, signed in anew where the session would have locked itself; the clock goes on."""
        if self.clock is None:
            raise fault(self.name, "a clock", "none")
        self.clock.pass_s(BETWEEN_S)
        now = self.clock.now()
        if self.client is None or self.last is None or (now - self.last).total_seconds() > IDLE_S:
            if self.client is not None:
                self.client.close()
            self.sign_in(self.home)
        self.last = now
        return super().lab

    def tried(self, number: str, act: str, code: str, reason: str = "", **fields: Any) -> ApiError:
        """Try in good faith what is refused; return the refusal, which is on the record."""
        try:
            self.act(number, act, reason, **fields)
        except ApiError as error:
            if error.code != code:
                raise
            return error
        raise fault(f"{act} {number} by {self.name}", f"refused ({code})", "it was done")

    def tried_to_sign(self, number: str, act: str, code: str, reason: str = "", **fields: Any) -> ApiError:
        """Try in good faith to sign what is refused; return the refusal, which is on the record."""
        try:
            self.sign(number, act, reason, **fields)
        except ApiError as error:
            if error.code != code:
                raise
            return error
        raise fault(f"{act} {number} by {self.name}", f"refused ({code})", "it was signed")

    def tried_to_create(self, type: str, code: str, **fields: Any) -> ApiError:
        """Ask in good faith for a record that is refused; return the refusal, which is on the record."""
        try:
            self.create(type, **fields)
        except ApiError as error:
            if error.code != code:
                raise
            return error
        raise fault(f"a {type} of {self.name}", f"refused ({code})", "it was made")

    def sign(self, number: str, act: str, reason: str = "", **fields: Any) -> Receipt:
        """Read a record, or the version of a document that ``number`` names, then sign the act."""
        view = replace(self.lab.records.view(number), number=number)
        return self.lab.records.sign(
            view, act, username=self.username, password=self.password, fields=fields, reason=reason
        )

    def revise(self, number: str, type: str, **fields: Any) -> str:
        """Make the next version of a document; return its label, such as ``SOP-0002 v2``."""
        return self.lab.records.create(type, fields, number=number).first.label

    def late(self, type: str, occurred_at: str, reason: str, **fields: Any) -> str:
        """Enter what happened before, as a late entry with its reason; return its number."""
        return self.lab.records.create(type, fields, reason=reason, occurred_at=occurred_at).number

    def show(self, number: str) -> dict[str, Any]:
        """Return a record."""
        return self.lab.records.show(number)


@dataclass
class Scope(Microscope):
    """An instrument's computer, whose clock is the laboratory's."""

    clock: Clock | None = None
    home: Path = Path()

    def switch_on(self) -> None:
        """Open a session of its own."""
        if self.clock is None:
            raise fault(self.number, "a clock", "none")
        self.client.close()
        self.client = Coverslip(home=self.home)
        self.client.device_sign_in(self.number, self.key, ORIGIN, self.clock.now())

    def deliver_all(self, session: str, names: tuple[str, ...]) -> list[str]:
        """Deliver shipped images; return the numbers of their records."""
        return [str(self.deliver(session, shipped(name))["number"]) for name in names]


@dataclass
class Play:
    """The laboratory while it is played: its clock, its people by user name, numbers by name."""

    home: Path
    clock: Clock
    people: dict[str, Player]
    inside: Lab
    work: Path
    tell: Any
    n: dict[str, Any] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)

    def __getattr__(self, username: str) -> Player:
        """Return a person by user name."""
        people = self.__dict__.get("people", {})
        if username in people:
            return people[username]  # type: ignore[no-any-return]
        raise AttributeError(username)

    def close(self) -> None:
        """Close every connection; sessions that are open stay so until they end by themselves."""
        clients = [p.client for p in self.people.values()] + [s.client for s in self.scopes.values()]
        for client in clients:
            if client is not None:
                client.close()

    def by_itself(self) -> None:
        """Let happen what happens by itself: timers that are due, imports, runs."""
        worker = self.inside.worker()
        for _ in range(200):
            busy = bool(worker.due())
            for job in worker.jobs:
                busy = job.step() or busy
            if not busy:
                return
        raise fault("what happens by itself", "to come to rest", "still busy after 200 turns")

    def night(self, day: int) -> None:
        """Go to the morning of a day; what the night brings is opened: training, reviews, timers."""
        self.clock.to(day, "08:40")
        for duty in (assignments(self.inside), *watching(self.inside)):
            duty.do()
        self.by_itself()

    def read(self, *usernames: str) -> None:
        """Let people read and sign what they were asked to read, as it opens overnight."""
        assignments(self.inside).do()
        for username in usernames:
            person = self.people[username]
            for waiting in list(person.lab.work()):
                if waiting["type"] == "training_record" and waiting["state"] == "assigned":
                    person.sign(str(waiting["number"]), "complete")

    def on(self, days: int = 0) -> str:
        """Return the laboratory's date, ``days`` later."""
        return self.clock.today(days)

    def paper(self, by: Player, name: str, text: str) -> dict[str, Any]:
        """Keep a document written for the demonstration, and say in it that it was; return the file value."""
        path = self.work / name
        path.write_text(f"{text}\n\nWritten for the demonstration.\n", "utf-8")
        return by.lab.attach(path, media_type="text/plain")

    def scope(self, name: str, number: str, key: DeviceKey) -> Scope:
        """Return an instrument's computer, not yet switched on."""
        made = Scope(number, key, Coverslip(home=self.home), 0, self.clock, self.home)
        self.scopes[name] = made
        return made


@contextmanager
def processes(home: Path, log: Path) -> Iterator[Lab]:
    """Have database, signer, sequencer and interface of a home running; lend its parts opened in process."""
    with ExitStack() as stack:
        stack.enter_context(wiring.cluster_of(Home(home)).running())
        for name in CHILDREN:
            stack.enter_context(_child(home, name, log))
        _wait(home, log)
        yield stack.enter_context(lab(Home(home)))


@contextmanager
def _child(home: Path, name: str, log: Path) -> Iterator[None]:
    with open(log / f"{name}.log", "ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "coverslip.bootstrap.child", name, str(home)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(home: Path, log: Path) -> None:
    path = str(wiring.api_socket(Home(home)))
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as one:
            if one.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise fault("The laboratory being played", "to answer", f"nothing in {READY_S:g} s", f"Read {log}.")


def done(receipt: Receipt, type: str) -> list[str]:
    """Return the numbers of the records of a type that an act made."""
    return [entry.number for entry in receipt.entries if entry.type == type]
