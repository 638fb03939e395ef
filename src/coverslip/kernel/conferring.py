"""Provisions: what a record confers while it is in certain states.

Rules kept here: a word is data, frozen, with one canonical JSON form; ``projecting`` turns it into authority,
or says that it is looked up where it is declared.
"""

from __future__ import annotations

from coverslip.kernel.kinds import Word


class Account(Word, frozen=True):
    """The record is a person or service that may act while in ``states``.

    In ``enrolling`` states the owner of a one-time code may do one thing: enrol a key. ``since`` names an
    instant: sessions opened before it have ended. ``start`` and ``end`` name dates: the first and the last
    day of the account. Where ``reader``, a (field, value) pair, holds, the account reads and writes nothing.
    ``waiting`` names the field with the ids of those ``keys`` that nobody has verified.
    """

    states: tuple[str, ...]
    username: str
    name: str
    keys: str
    enrolling: tuple[str, ...] = ()
    since: str = ""
    start: str = ""
    end: str = ""
    reader: tuple[str, str] | None = None
    waiting: str = ""


class GrantsRole(Word, frozen=True):
    """In ``states`` the person at ``person`` holds the role linked at ``role`` from ``start`` to ``end``."""

    states: tuple[str, ...]
    person: str
    role: str
    start: str = ""
    end: str = ""


class Delegates(Word, frozen=True):
    """In ``states`` the person at ``taker`` may act in the role linked at ``role`` for the person at
    ``giver``, from ``start`` to ``end``, as long as the giver holds it. Both count as having acted."""

    states: tuple[str, ...]
    giver: str
    taker: str
    role: str
    start: str
    end: str


class Trains(Word, frozen=True):
    """In ``states`` the person at ``person`` is trained on the document version at ``document``."""

    states: tuple[str, ...]
    person: str
    document: str
    end: str = ""


class EnablesSigning(Word, frozen=True):
    """In ``states`` the person at ``person`` has accepted the signature policy at ``policy``."""

    states: tuple[str, ...]
    person: str
    policy: str


class Certifies(Word, frozen=True):
    """In ``states`` an 11.100(c) certification covers the organisation."""

    states: tuple[str, ...]


class IdentifiesDevice(Word, frozen=True):
    """In ``states`` the record is a source whose deliveries are signed with the key at ``key``."""

    states: tuple[str, ...]
    key: str
    serial: str


class RequiresTraining(Word, frozen=True):
    """In ``states`` holding a role needs training on the documents linked at ``documents``, a field or
    ``table.column``. The role is the one linked at ``role``; empty: the record itself."""

    states: tuple[str, ...]
    documents: str
    role: str = ""


class NeedsCertification(Word, frozen=True):
    """In ``states`` the installation needs an 11.100(c) certification where a row of ``table`` has
    ``column`` equal to ``value``."""

    states: tuple[str, ...]
    table: str
    column: str
    value: str


class GovernsSignatures(Word, frozen=True):
    """In ``states`` this document version is the signature policy, where ``field`` is true."""

    states: tuple[str, ...]
    field: str


class SigningSeries(Word, frozen=True):
    """In ``states``, where ``field`` equals ``value``, later signings of one continuous period ask the
    secret component only (P11-200-a1i)."""

    states: tuple[str, ...]
    field: str
    value: str


class Lists(Word, frozen=True):
    """In ``states`` the record is a controlled list: the rows of ``table`` hold its values in column
    ``value``; one whose column ``retired`` is true can no longer be chosen."""

    states: tuple[str, ...]
    table: str
    value: str
    retired: str


class Preserves(Word, frozen=True):
    """In ``states`` nothing linked at ``field`` may be disposed of, whatever its retention says."""

    states: tuple[str, ...]
    field: str


class Refines(Word, frozen=True):
    """In ``states`` the record type named at ``type`` is refined by the additive patch at ``patch``.

    An empty ``patch``: it was, and is so no more. The definition still names the record, so that one that
    was in force before never comes back as if nothing had been.
    """

    states: tuple[str, ...]
    type: str
    patch: str


Provision = (
    Account
    | GrantsRole
    | Delegates
    | Trains
    | EnablesSigning
    | Certifies
    | IdentifiesDevice
    | RequiresTraining
    | NeedsCertification
    | GovernsSignatures
    | SigningSeries
    | Preserves
    | Refines
    | Lists
)
