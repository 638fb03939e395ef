"""Targets: the places an operator has named for checkpoints, kept in ``anchors.json`` of the home.

Rules kept here:

* The file is the operator's: read on every round, written whole and renamed into place.
* Every target carries a note on its independence; one in the home or on its disk says itself that it is none.
* A name is used once and never changes its meaning: evidence names its target by type and address.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from coverslip.errors import EnvironmentFault

FORMAT: Final = 1
TYPES: Final = ("file", "rfc3161", "witness")
EVERY_S: Final = {"file": 1.0, "rfc3161": 3600.0, "witness": 10.0}
"""How often each kind is asked by default (LEDGER 4)."""
MAX_AGE_S: Final = {"file": 3600.0, "rfc3161": 3 * 3600.0, "witness": 600.0}
"""How old the last success may be by default while the log goes on."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Target:
    """One place. ``keys`` is the witness's vkey, ``roots`` the authority's root certificates (PEM file),
    ``ca`` a PEM file for TLS to it where the machine's own do not do, ``mirror`` sends leaves too."""

    name: str
    type: str
    target: str
    note: str = ""
    every_s: float = 0.0
    max_age_s: float = 0.0
    vkey: str = ""
    roots: str = ""
    ca: str = ""
    mirror: bool = False

    def cadence(self) -> float:
        """Return the seconds between two attempts."""
        return self.every_s or EVERY_S[self.type]

    def limit(self) -> float:
        """Return the age in seconds at which the last success is too old."""
        return self.max_age_s or MAX_AGE_S[self.type]


@dataclass(frozen=True, slots=True)
class Targets:
    """All targets of an installation, in the order they were named."""

    targets: tuple[Target, ...] = field(default=())

    def plus(self, one: Target) -> Targets:
        """Return these and one more. Raises ENVIRONMENT for a name or address that is taken."""
        check(one)
        for known in self.targets:
            if known.name == one.name or (known.type, known.target) == (one.type, one.target):
                raise _wrong(f"anchor {one.name}", "a name and address not in use", f"those of {known.name}")
        return Targets((*self.targets, one))

    def minus(self, name: str) -> Targets:
        """Return these without one. Raises ENVIRONMENT where there is none of the name."""
        rest = tuple(one for one in self.targets if one.name != name)
        if len(rest) == len(self.targets):
            raise _wrong(
                f"anchor {name}", ", ".join(one.name for one in self.targets) or "any", "no such one"
            )
        return Targets(rest)


def load(path: Path) -> Targets:
    """Read the targets; none where there is no file. Raises ENVIRONMENT when it cannot be understood."""
    if not path.exists():
        return Targets()
    try:
        value = json.loads(path.read_text("utf-8"))
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']!r}")
        found = Targets(tuple(Target(**one) for one in value["targets"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _wrong(str(path), "a list of anchor targets", f"{type(error).__name__}: {error}") from error
    for one in found.targets:
        check(one)
    return found


def save(path: Path, targets: Targets) -> None:
    """Write the targets: a new file beside, flushed, then renamed into place."""
    value = {"format": FORMAT, "targets": [_shown(one) for one in targets.targets]}
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def check(one: Target) -> None:
    """Return if a target can be used. Raises ENVIRONMENT saying what is missing."""
    what = f"anchor {one.name}"
    if not _NAME.fullmatch(one.name):
        raise _wrong(what, "a name of a-z, 0-9, - and _", repr(one.name))
    if one.type not in TYPES:
        raise _wrong(what, " or ".join(TYPES), one.type)
    if one.type == "file":
        if not Path(one.target).is_absolute():
            raise _wrong(what, "an absolute path", one.target)
        return
    place = urlsplit(one.target)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise _wrong(what, "an http or https address", one.target)
    if one.type == "witness" and place.scheme == "http" and place.hostname not in _LOOPBACK:
        raise _wrong(what, "https for a witness on another machine", one.target)
    if one.type == "witness" and not one.vkey:
        raise _wrong(what, "the witness's verifier key", "none")
    if one.type == "rfc3161" and not one.roots:
        raise _wrong(what, "a file with the authority's root certificates", "none")


def independence(one: Target, home: Path) -> tuple[bool, str]:
    """Return whether a target can be independent of the home at all, and what to say of it."""
    if one.type == "file":
        path = Path(one.target)
        if path.resolve().is_relative_to(home.resolve()):
            return False, "in this home: not independent"
        if _device(path) == _device(home):
            return False, "on the disk of this home: not independent" + _operator(one)
    elif urlsplit(one.target).hostname in _LOOPBACK:
        return False, "on this machine: not independent" + _operator(one)
    return True, one.note or "no note on who controls it"


def _operator(one: Target) -> str:
    return f" ({one.note})" if one.note else ""


def _device(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return path.stat().st_dev


def _shown(one: Target) -> dict[str, Any]:
    return {key: value for key, value in asdict(one).items() if value not in ("", 0.0, False)}


def _wrong(what: str, expected: str, found: str) -> EnvironmentFault:
    return EnvironmentFault(
        "ENVIRONMENT", what=what, expected=expected, found=found,
        remedy="See 'coverslip ledger anchors --help'.",
    )  # fmt: skip
