"""What is asked of the kernel and what it answers.

Rules kept here: a change says what it wants and on which version it was formed; a context says in
which session, from where. Neither carries a secret: credentials travel apart and are never kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One act on one record.

    ``act`` is ``create``, ``edit`` or a transition's name. ``number`` and ``revision`` name the
    record (both empty for ``create``, unless a new revision of ``number`` is wanted).
    ``expected_version`` is the entry version the person had read; ``shown`` the hex hash of the
    view they saw, needed for a signature. ``occurred_at`` says when it happened, with offset, where that
    is not now.
    """

    act: str
    type: str = ""
    number: str = ""
    revision: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    expected_version: int | None = None
    shown: str = ""
    idempotency_key: str = ""
    occurred_at: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Session and place of an act. ``zone`` is the workstation's IANA time zone."""

    session: str
    person: str
    auth: str
    workstation: str = ""
    address: str = ""
    client: str = ""
    zone: str = "UTC"

    @property
    def personal(self) -> bool:
        """Whether a person is in the session, with their own credential."""
        return self.auth in ("password", "passkey")


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a passkey answered to a challenge, as the browser gives it; bytes.

    ``ceremony`` names what was prepared for it; empty where the challenge speaks for itself (sign-in).
    """

    ceremony: str
    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a person gives to sign: user name (may be empty within a continuous period) and secret, or the
    answer of their passkey to the statement prepared for it."""

    username: str = ""
    secret: str = ""
    assertion: Assertion | None = None

    def __repr__(self) -> str:
        return "Credential(…)"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was written: one item per entry, the acted-on record first.

    ``entry`` is the entry's uuid, ``leaf_hash`` hex, ``at`` the entry's time (UTC).
    """

    command: str
    at: str
    entries: tuple[EntryReceipt, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class EntryReceipt:
    """One written entry."""

    type: str
    uid: str
    number: str
    revision: int
    version: int
    state: str
    act: str
    entry: str
    leaf_hash: str
