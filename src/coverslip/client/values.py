"""What calls give back: frozen values, with everything the server said in ``raw`` where it may grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An open session. ``token`` is secret and is not shown by ``repr``; times are UTC, ISO 8601.

    ``last_successful`` and ``last_failed`` are the attempts before this one, empty where there was none.
    """

    token: str = field(repr=False)
    session: str
    person: str
    username: str
    name: str
    number: str
    expires_at: str
    last_successful: str
    last_failed: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One written entry: version ``version`` of record ``number``; ``entry`` is its uuid."""

    type: str
    number: str
    version: int
    state: str
    act: str
    entry: str
    leaf_hash: str
    uid: str
    revision: int = 0

    @property
    def label(self) -> str:
        """Number as people say it: ``SOP-0012 v3`` where the type has revisions."""
        return f"{self.number} v{self.revision}" if self.revision else self.number


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one command wrote, the acted-on record first.

    ``note`` is the signed pending receipt: keep it until the entry is integrated. ``replayed`` says
    that an earlier answer to the same idempotency key came back.
    """

    command: str
    at: str
    entries: tuple[Entry, ...]
    note: str
    replayed: bool
    raw: Json = field(repr=False, compare=False)

    @property
    def first(self) -> Entry:
        """The entry of the record that was acted on."""
        return self.entries[0]

    @property
    def number(self) -> str:
        """Number of the record that was acted on."""
        return self.first.number


@dataclass(frozen=True, slots=True)
class View:
    """A rendering as it is signed: read ``text``, then sign with ``shown``. ``version`` 0: not yet made."""

    number: str
    version: int
    text: str
    shown: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Both components, entered for this signing, and the hash of the view that was read."""

    username: str
    password: str = field(repr=False)
    shown: str

    def value(self) -> Json:
        """Return the request's form."""
        return {"username": self.username, "password": self.password, "shown": self.shown}


@dataclass(frozen=True, slots=True)
class Saved:
    """A file written here: where, how many bytes, their SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


def signed_in(value: Mapping[str, Any]) -> SignedIn:
    """Read the answer to a sign-in."""
    return SignedIn(*(str(value.get(name) or "") for name in SignedIn.__dataclass_fields__))


def receipt(value: Json) -> Receipt:
    """Read the answer to a write."""
    entries = tuple(
        Entry(**{n: e[n] for n in Entry.__dataclass_fields__ if n in e}) for e in value["entries"]
    )
    note = str(value.get("receipt", ""))
    return Receipt(value["command"], value["at"], entries, note, bool(value.get("replayed")), value)
