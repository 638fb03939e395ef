"""The cast: people with sessions of their own, and the microscope's computer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.cli.demo.stage import new_password
from coverslip.client import ApiError, Coverslip
from coverslip.client.device import DeviceKey
from coverslip.client.errors import fault
from coverslip.client.values import Receipt, Signature

ZONE = "America/New_York"


@dataclass
class Person:
    """One person: what they are called, the password only they know, and their own session."""

    username: str
    name: str
    roles: tuple[str, ...]
    number: str = ""
    password: str = field(default_factory=new_password, repr=False)
    client: Coverslip | None = field(default=None, repr=False)

    def sign_in(self, home: Path) -> None:
        """Open a session at this person's own workstation."""
        self.client = Coverslip(home=home)
        self.client.sign_in(self.username, self.password, place=f"desk of {self.name}", zone=ZONE)

    def sign_out(self) -> None:
        """End this person's session, if there is one: an account in use elsewhere cannot sign in."""
        if self.client is not None:
            self.client.sign_out()

    @property
    def lab(self) -> Coverslip:
        """The signed-in client."""
        if self.client is None:
            raise fault(self.name, "signed in", "not signed in")
        return self.client

    def create(self, type: str, **fields: Any) -> str:
        """Make a record and return its number."""
        return self.lab.records.create(type, fields).number

    def create_signed(self, type: str, **fields: Any) -> str:
        """Read what a new record will be, sign it, and return its number."""
        view = self.lab.records.preview(type, fields)
        return self.lab.records.create(type, fields, signature=self._signature(view.shown)).number

    def act(self, number: str, act: str, reason: str = "", **fields: Any) -> Receipt:
        """Do an act on the version just read."""
        version = int(self.lab.records.show(number)["version"])
        return self.lab.records.act(number, act, fields=fields, reason=reason, expected_version=version)

    def sign(self, number: str, act: str, reason: str = "", **fields: Any) -> Receipt:
        """Read the record as it will be printed, then sign the act with both components."""
        view = self.lab.records.view(number)
        return self.lab.records.sign(
            view, act, username=self.username, password=self.password, fields=fields, reason=reason
        )

    def edit(self, number: str, reason: str, **fields: Any) -> Receipt:
        """Change fields, with a reason."""
        version = int(self.lab.records.show(number)["version"])
        return self.lab.records.edit(number, fields, reason=reason, expected_version=version)

    def state(self, number: str) -> str:
        """Return the state of a record."""
        return str(self.lab.records.show(number)["state"])

    def wait(self, number: str, states: tuple[str, ...], seconds: float = 60.0) -> str:
        """Wait until a record has left ``states``; return its state."""
        end = time.monotonic() + seconds
        while (state := self.state(number)) in states:
            if time.monotonic() > end:
                raise fault(number, f"to leave {' or '.join(states)} within {seconds:g} s", state)
            time.sleep(0.2)
        return state

    def refused(self, number: str, act: str) -> ApiError:
        """Try an act that must be refused, and return the refusal."""
        try:
            self.act(number, act)
        except ApiError as error:
            return error
        raise fault(f"{act} {number} by {self.name}", "a refusal", "it was done")

    def _signature(self, shown: str) -> Signature:
        return Signature(self.username, self.password, shown)


@dataclass
class Microscope:
    """The instrument's computer with its device key; delivers files, never signs."""

    number: str
    key: DeviceKey
    client: Coverslip
    sequence: int = 0

    def deliver(self, session: str, file: Path) -> dict[str, Any]:
        """Deliver one file and return what became of it."""
        self.sequence += 1
        return self.client.ingest(session, file, sequence=self.sequence, device=self.number, key=self.key)
