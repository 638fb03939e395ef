"""Setting up as founders do: answers, a browser at the pages, a machine that says what it is told to."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coverslip.application.setting_up.answers import Errors, Person
from coverslip.application.setting_up.gate import Gate
from coverslip.application.setting_up.state import Answers, Founded, SetUp
from coverslip.errors import CoverslipError

SITE = {
    "use": "evaluation",
    "name": "Test site",
    "code": "TS",
    "address": "1 Slide Street",
    "tz": "America/New_York",
    "origin": "lab.example/site1",
    "authority": "eu",
    "predicate": "drug",
}
KEEPING = {
    "time_sources": "",
    "backup_to": "",
    "keys_to": "",
    "anchor": "none",
    "anchor_to": "",
    "anchor_proof": "",
}
PEOPLE = (
    Person("ada", "Ada Admin", "ada@lab.example", ("ADM",)),
    Person("quinn", "Quinn Quality", "quinn@lab.example", ("QA",)),
    Person("aurel", "Aurel Author", "aurel@lab.example", ("AUT", "SEC", "TRN", "ANL", "OPR", "SDR")),
)
LETTER = {
    "when": "sent",
    "signed_by": "Q. Quality",
    "addressee": "As named on the page of FDA",
    "channel": "paper",
    "sent_on": "2026-01-15",
}


def password_of(username: str) -> str:
    """Return the password a founder chooses."""
    return f"walnut harbour {len(username)} lantern"


@contextmanager
def elsewhere() -> Iterator[dict[str, str]]:
    """Lend an anchor that is not on the disk of homes: a file in memory stands for another machine's."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield {"name": "first", "type": "file", "target": f"{folder}/checkpoints"}


@dataclass
class Told:
    """A machine that answers what a test wants; keeps what it was asked to found with."""

    lacks: Errors = field(default_factory=dict)
    fails: CoverslipError | None = None
    asked: list[tuple[Answers, dict[str, str]]] = field(default_factory=list)

    def clock(self, named: Mapping[str, str]) -> dict[str, Any]:
        return {"ok": True, "offset_us": 1234, "source": "sntp time.example", "why": ""}

    def problems(self, use: str, keeping: Mapping[str, str]) -> Errors:
        return dict(self.lacks) if use == "regulated" else {}

    def today(self) -> str:
        return "2026-02-01"

    def found(self, answers: Answers, passwords: Mapping[str, str]) -> Founded:
        if self.fails is not None:
            raise self.fails
        self.asked.append((answers, dict(passwords)))
        return Founded(answers.site["origin"], answers.site["use"], 99)


@dataclass
class Clock:
    """A clock a test sets."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Bench:
    """A set-up with its machine, its clock and what was said on the console."""

    machine: Told = field(default_factory=Told)
    clock: Clock = field(default_factory=Clock)
    console: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = SetUp(self.machine, self.clock)
        self.gate = Gate(self.console.append, self.clock, self.warnings.append)

    def to(self, step: str, **site: str) -> SetUp:
        """Answer every step before ``step`` well."""
        state = self.state
        if step != "site":
            assert state.answer_site(SITE | site) == {}
        if step not in ("site", "keeping"):
            assert state.answer_keeping(KEEPING) == {}
        if step not in ("site", "keeping", "people"):
            assert state.answer_people(PEOPLE) == {}
        if step in ("policy", "letter", "review"):
            for one in PEOPLE:
                assert state.enrol(one.username, password_of(one.username), password_of(one.username)) == {}
        if step in ("letter", "review"):
            for one in PEOPLE:
                assert state.sign(one.username, password_of(one.username), "passport") == {}
        return state


class Browser:
    """Somebody at the pages, over any client of httpx: sends forms with the token of the page before."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, path: str) -> Any:
        """Return a page, following to the step that is open."""
        return self.client.get(path, follow_redirects=True)

    def enter(self, code: str) -> Any:
        """Give the code."""
        return self.client.post("/setup/code", data={"code": code}, follow_redirects=True)

    def send(self, step: str, files: Any = None, **values: Any) -> Any:
        """Send a step's form; return the page it leads to."""
        shown = self.get(f"/setup/{step}").text
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', shown)
        data = values | {"csrf": found[1] if found else ""}
        return self.client.post(f"/setup/{step}", data=data, files=files, follow_redirects=True)

    def people(self, people: tuple[Person, ...] = PEOPLE) -> Any:
        """Send the founders."""
        values: dict[str, Any] = {}
        for n, one in enumerate(people):
            values |= {f"username.{n}": one.username, f"name.{n}": one.name, f"email.{n}": one.email}
            values[f"roles.{n}"] = list(one.roles)
        return self.send("people", **values)

    def whole(self, site: Mapping[str, str] = SITE, keeping: Mapping[str, str] = KEEPING) -> Any:
        """Answer everything up to the review; return the last page."""
        self.send("site", **site)
        self.send("keeping", **keeping)
        self.people()
        for one in PEOPLE:
            secret = password_of(one.username)
            self.send("keys", username=one.username, password=secret, again=secret)
        for one in PEOPLE:
            self.send(
                "policy",
                person=one.username,
                username=one.username,
                password=password_of(one.username),
                document="passport",
            )
        if site["authority"] == "fda":
            scan = {"scan": ("letter.txt", b"Signed by hand: Q. Quality", "text/plain")}
            self.send("letter", files=scan, **LETTER)
        return self.get("/setup/review")
