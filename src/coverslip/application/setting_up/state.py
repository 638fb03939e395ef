"""One set-up under way: which step is open, what was answered, who has enrolled and signed.

Rules kept here:

* Steps are done in order; one may go back, and what stands on a changed answer is asked again.
* There is no default account. Every founder chooses a password at this screen in turn, and nobody goes on
  before all have. Secrets are in memory only and are forgotten ``SECRETS_S`` seconds after the last act.
* Founders verify each other: each signs for somebody else's identity, nobody for their own. The policy is
  signed with both components, never ticked (11.10(j), 11.200(a)(1)).
* It founds once. What was half done is undone by founding itself; afterwards nothing is left here.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coverslip.application.setting_up.answers import (
    KEEPING_FIELDS,
    MOST_PEOPLE,
    SITE_FIELDS,
    Errors,
    Letter,
    Person,
    check_keeping,
    check_letter,
    check_people,
    check_site,
)
from coverslip.errors import CoverslipError, Invalid, Refused
from coverslip.kernel import keys

STEPS = ("site", "keeping", "people", "keys", "policy", "letter", "review")
SECRETS_S = 1800.0
WRONG_PASSWORDS = 5
COMPONENTS = "user name and password"


@dataclass(frozen=True)
class Answers:
    """Everything an installation is founded with but secrets."""

    site: Mapping[str, str]
    keeping: Mapping[str, str]
    people: tuple[Person, ...]
    documents: Mapping[str, str]
    """By user name: the document by which the person's identity was verified."""
    letter: Letter | None


@dataclass(frozen=True)
class Founded:
    """What founding came to; ``left`` says in sentences what is still to be done by hand."""

    origin: str
    use: str
    entries: int
    left: tuple[str, ...] = ()


class Ports(Protocol):
    """What setting up asks of the machine."""

    def clock(self, named: Mapping[str, str]) -> dict[str, Any]:
        """Return ``ok``, ``offset_us``, ``source`` and ``why`` of the sources named, measured now."""
        ...

    def problems(self, use: str, keeping: Mapping[str, str]) -> Errors:
        """Return what is wrong with time, database, backup and anchor for this use, by field."""
        ...

    def found(self, answers: Answers, passwords: Mapping[str, str]) -> Founded:
        """Found the installation, whole or not at all."""
        ...

    def today(self) -> str:
        """Return today's date, UTC."""
        ...


@dataclass
class _Key:
    secret: str = field(repr=False)
    wrong: int = 0


class SetUp:
    """The set-up of one home. Calls may come from several threads and are taken one by one."""

    def __init__(self, ports: Ports, now: Callable[[], float]) -> None:
        self._ports, self._now = ports, now
        self._lock = threading.RLock()
        self._touched = now()
        self._keys: dict[str, _Key] = {}
        self._done: set[str] = set()
        self.site = dict.fromkeys(SITE_FIELDS, "")
        self.keeping = dict.fromkeys(KEEPING_FIELDS, "")
        self.people: tuple[Person, ...] = ()
        self.documents: dict[str, str] = {}
        self.signed: dict[str, float] = {}
        self.letter = Letter()
        self.founded: Founded | None = None

    # --- where it stands ---------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of this set-up: the letter only where FDA regulates the site."""
        return tuple(s for s in STEPS if s != "letter" or self.site.get("authority") == "fda")

    @property
    def open(self) -> str:
        """The first step that is not done."""
        return next(step for step in self.steps if not self.done(step))

    def done(self, step: str) -> bool:
        """Whether a step needs nothing more."""
        if step == "keys":
            return bool(self.people) and all(one.username in self._keys for one in self.people)
        if step == "policy":
            return bool(self.people) and all(one.username in self.signed for one in self.people)
        return step in self._done

    def reachable(self, step: str) -> bool:
        """Whether a step may be looked at and answered now."""
        return step in self.steps and self.steps.index(step) <= self.steps.index(self.open)

    def verifies(self, username: str) -> Person:
        """Return whose identity a founder verifies: in a circle, never their own."""
        names = [one.username for one in self.people]
        return self.people[names.index(username) - 1]

    def holder(self, role: str) -> Person:
        """Return the founder who acts in a role."""
        return next(one for one in self.people if role in one.roles)

    def enrolled(self, username: str) -> bool:
        """Whether a founder has chosen a password."""
        return username in self._keys

    def require(self, step: str) -> None:
        """Refuse what is out of order (``SEQ_STATE``)."""
        if self.founded is not None or not self.reachable(step):
            state = "founded" if self.founded is not None else f"at its step '{self.open}'"
            raise Refused("SEQ_STATE", record="The set-up", state=state, action=step, states=f"step '{step}'")

    def expire(self) -> bool:
        """Forget secrets and signatures nobody came back to; return whether there were any."""
        with self._lock:
            late, self._touched = self._now() - self._touched > SECRETS_S, self._now()
            if late and self._keys:
                self._forget()
                return True
            return False

    # --- answering ---------------------------------------------------------------------------------

    def answer_site(self, given: Mapping[str, str]) -> Errors:
        """Keep use and site; return what is wrong, by field."""
        with self._lock:
            self.require("site")
            if dict(given) != self.site:
                self._unsign()
                self._done.discard("keeping")  # what a regulated use asks of it is asked again
            self.site = dict(given)
            return self._kept("site", check_site(given))

    def answer_keeping(self, given: Mapping[str, str]) -> Errors:
        """Keep time source, backup and anchor; return what is wrong, by field."""
        with self._lock:
            self.require("keeping")
            self.keeping = dict(given)
            return self._kept(
                "keeping", check_keeping(given) or self._ports.problems(self.site["use"], given)
            )

    def answer_people(self, given: tuple[Person, ...]) -> Errors:
        """Keep the founders; whoever changed enrols anew, and everybody signs anew."""
        with self._lock:
            self.require("people")
            people = tuple(one for one in given if not one.empty)[:MOST_PEOPLE]
            if people != self.people:
                self._unsign()
                self._keys = {
                    one.username: self._keys[one.username]
                    for one in people
                    if one in self.people and one.username in self._keys
                }
            self.people = people
            return self._kept("people", check_people(people))

    def enrol(self, username: str, password: str, again: str) -> Errors:
        """Take a founder's password, chosen by that founder; return what is wrong with it."""
        with self._lock:
            self.require("keys")
            if username not in {one.username for one in self.people}:
                raise Refused("SIG_REAUTH", expected=COMPONENTS)
            if password != again:
                return {"again": "The two passwords differ."}
            try:
                keys.check_secret(password, username)
            except Invalid as error:
                return {"password": error.message}
            self._keys[username] = _Key(password)
            self.signed.pop(username, None)
            self._done.discard("review")
            return {}

    def sign(self, username: str, password: str, document: str) -> Errors:
        """Take a founder's signature: the policy acknowledged, and another founder's identity verified.

        Raises ``SIG_REAUTH`` for wrong components, and after ``WRONG_PASSWORDS`` of them the founder chooses
        a password anew.
        """
        with self._lock:
            self.require("policy")
            self._prove(username.strip(), password)
            if not 2 <= len(document) <= 60:
                return {"document": "Such as passport, ID card, or known in person."}
            self.documents[self.verifies(username.strip()).username] = document
            self.signed[username.strip()] = self._now()
            return {}

    def answer_letter(self, given: Letter) -> Errors:
        """Keep the letter; return what is wrong, by field."""
        with self._lock:
            self.require("letter")
            self.letter = given
            return self._kept("letter", check_letter(given, self._ports.today()))

    def clock(self) -> dict[str, Any]:
        """Return what the time sources say now."""
        return self._ports.clock(self.keeping)

    def found(self) -> Founded:
        """Found the installation; afterwards nothing secret is left here.

        Raises what founding raises; what was answered is then still here.
        """
        with self._lock:
            self.require("review")
            # What was there when it was answered may be gone by now.
            problems = self._ports.problems(self.site["use"], self.keeping)
            if problems:
                self._done.discard("keeping")
                raise Invalid("NOT_READY", what="; ".join(problems.values()).removesuffix("."))
            letter = self.letter if "letter" in self.steps and self.letter.when == "sent" else None
            answers = Answers(self.site, self.keeping, self.people, dict(self.documents), letter)
            passwords = {one.username: self._keys[one.username].secret for one in self.people}
            try:
                self.founded = self._ports.found(answers, passwords)
            except CoverslipError:
                self._done.discard("review")
                raise
            finally:
                passwords.clear()
            self._forget()
            return self.founded

    # --- helpers -----------------------------------------------------------------------------------

    def _kept(self, step: str, errors: Errors) -> Errors:
        if errors:
            self._done.discard(step)
        else:
            self._done.add(step)
        return errors

    def _prove(self, username: str, password: str) -> None:
        key = self._keys.get(username)
        if key is not None and hmac.compare_digest(key.secret.encode(), password.encode()):
            key.wrong = 0
            return
        if key is not None:
            key.wrong += 1
            if key.wrong >= WRONG_PASSWORDS:
                del self._keys[username]
                self.signed.pop(username, None)
        raise Refused("SIG_REAUTH", expected=COMPONENTS)

    def _unsign(self) -> None:
        self.signed.clear()
        self.documents.clear()

    def _forget(self) -> None:
        self._keys.clear()
        self._unsign()
