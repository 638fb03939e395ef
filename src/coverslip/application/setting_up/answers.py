"""Answers of each step of setting up: as they were typed, and what is wrong with them.

Rules kept here:

* What was typed is kept as it was typed, also where it is wrong; only secrets never come back.
* Founders are at least three different people, with an administrator, the quality unit and an author among
  them. No administrator works with records (DESIGN 8), and nobody approves what they wrote themselves.
* The letter of 11.100(c) is asked for only where FDA regulates the site; no tracking number is asked for.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coverslip.kernel import words as w
from coverslip.kernel.genesis import NEEDED
from coverslip.records.founding import ROLES
from coverslip.records.organisation import site, user

USES = ("evaluation", "regulated")
AUTHORITIES = ("fda", "eu", "other")
ANCHORS = ("none", "file", "witness", "rfc3161")
CHANNELS = ("electronic", "paper")
MOST_PEOPLE = 8
FOUNDING_ROLES = tuple(code for code in ROLES if code not in ("INS", "SVC"))
WORKS_WITH_RECORDS = frozenset({"OPR", "ANL", "REV", "QA"})
PREDICATES = tuple(
    cast(w.Enum, cast(w.Table, site.TYPE.fields["regulated_as"].kind).columns["predicate"].kind).choices
)
_USERNAME = re.compile(str(cast(w.Text, user.TYPE.fields["username"].kind).pattern))
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]{0,100}(/[a-z0-9][a-z0-9._-]{0,60}){1,3}")
_NEEDED = "Needed."

Errors = dict[str, str]


@dataclass(frozen=True, slots=True)
class Person:
    """One founder as typed."""

    username: str = ""
    name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing was typed in this row."""
        return not (self.username or self.name or self.email or self.roles)


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter to the agency: ``sent`` or ``later``; ``scan`` is the page signed by hand."""

    when: str = ""
    signed_by: str = ""
    addressee: str = ""
    channel: str = ""
    sent_on: str = ""
    scan_name: str = ""
    media_type: str = ""
    scan: bytes = field(default=b"", repr=False)


SITE_FIELDS = ("use", "name", "code", "address", "tz", "origin", "authority", "predicate")
KEEPING_FIELDS = ("time_sources", "backup_to", "keys_to", "anchor", "anchor_to", "anchor_proof")
LETTER_FIELDS = ("when", "signed_by", "addressee", "channel", "sent_on")
_LIMITS = {"name": 200, "code": 4, "address": 2000, "tz": 60, "origin": 300}


def check_site(given: Mapping[str, str]) -> Errors:
    """Return what is wrong with use, site and who regulates it, by field."""
    errors: Errors = {}
    for name in SITE_FIELDS:
        if not given.get(name):
            errors[name] = _NEEDED
        elif len(given[name]) > _LIMITS.get(name, 100):
            errors[name] = f"At most {_LIMITS.get(name, 100)} characters."
    _choose(errors, given, "use", USES)
    _choose(errors, given, "authority", AUTHORITIES)
    _choose(errors, given, "predicate", PREDICATES)
    if "code" not in errors and not re.fullmatch("[A-Z]{2,4}", given["code"]):
        errors["code"] = "2 to 4 capital letters."
    if "tz" not in errors and not _is_zone(given["tz"]):
        errors["tz"] = "A zone of the IANA list, such as America/New_York."
    if "origin" not in errors and not _ORIGIN.fullmatch(given["origin"]):
        errors["origin"] = "A name like lab.example.org/coverslip: small letters, digits, points and dashes."
    return errors


def check_keeping(given: Mapping[str, str]) -> Errors:
    """Return what is wrong with the form of time source, backup and anchor; not whether they are there."""
    errors: Errors = {}
    _choose(errors, given, "anchor", ANCHORS)
    for name in ("backup_to", "keys_to"):
        if given.get(name) and not given[name].startswith("/"):
            errors[name] = "A folder by its whole path, from / on."
    if given.get("keys_to") and not given.get("backup_to"):
        errors["backup_to"] = "Name the folder of backups too."
    if "anchor" not in errors and given["anchor"] != "none":
        if not given.get("anchor_to"):
            errors["anchor_to"] = _NEEDED
        if given["anchor"] != "file" and not given.get("anchor_proof"):
            errors["anchor_proof"] = _NEEDED
    return errors


def sources(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the time sources named."""
    parts = (one.strip() for one in given.get("time_sources", "").replace("\n", ",").split(","))
    return tuple(one for one in parts if one and one != "none")


def check_people(people: tuple[Person, ...]) -> Errors:
    """Return what is wrong with the founders; ``people`` names what concerns them together."""
    errors: Errors = {}
    for n, one in enumerate(people):
        errors |= {f"{n}.{name}": text for name, text in _check_person(one).items()}
    together = _together(people)
    return errors | ({"people": together} if together and not errors else {})


def _check_person(one: Person) -> Errors:
    errors: Errors = {}
    if not 2 <= len(one.username) <= 64 or not _USERNAME.fullmatch(one.username):
        errors["username"] = "2 or more of a-z, 0-9, point, dash and underscore, a letter first."
    if not one.name or len(one.name) > 200:
        errors["name"] = "The printed name, as it stands beside signatures."
    if not re.fullmatch("[^@ ]+@[^@ ]+", one.email) or len(one.email) > 320:
        errors["email"] = "An e-mail address."
    if not one.roles or set(one.roles) - set(FOUNDING_ROLES):
        errors["roles"] = "At least one role of the list."
    elif "ADM" in one.roles and set(one.roles) & WORKS_WITH_RECORDS:
        errors["roles"] = "An administrator never holds OPR, ANL, REV or QA."
    return errors


def _together(people: tuple[Person, ...]) -> str:
    if len(people) < 3:
        return f"At least three people found an installation; {len(people)} named."
    for what, told in (
        ("user name", [one.username.casefold() for one in people]),
        ("name", [" ".join(one.name.casefold().split()) for one in people]),
        ("e-mail address", [one.email.casefold() for one in people]),
    ):
        twice = sorted({one for one in told if told.count(one) > 1})
        if twice:
            return f"Two founders have the {what} {twice[0]}. Founders are different people."
    holders = {role: next((p for p in people if role in p.roles), None) for role in NEEDED}
    missing = [f"{ROLES[role][0]} ({role})" for role, holder in holders.items() if holder is None]
    if missing:
        return f"Nobody is {' or '.join(missing)}."
    if holders["AUT"] is holders["QA"]:
        return "The author of the policy and the quality unit that approves it are different people."
    return ""


def check_letter(given: Letter, today: str) -> Errors:
    """Return what is wrong with the letter of 11.100(c)."""
    if given.when == "later":
        return {}
    if given.when != "sent":
        return {"when": "Say whether the letter was sent."}
    errors: Errors = {}
    for name, most in (("signed_by", 200), ("addressee", 2000)):
        if not getattr(given, name) or len(getattr(given, name)) > most:
            errors[name] = _NEEDED if not getattr(given, name) else f"At most {most} characters."
    if given.channel not in CHANNELS:
        errors["channel"] = "Electronically or on paper."
    if not _is_day(given.sent_on) or given.sent_on > today:
        errors["sent_on"] = f"A day up to today, such as {today}."
    if not given.scan:
        errors["scan"] = "The letter with its handwritten signature, as a file."
    return errors


def _choose(errors: Errors, given: Mapping[str, str], name: str, choices: tuple[str, ...]) -> None:
    if given.get(name) not in choices:
        errors[name] = "Choose one."


def _is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
