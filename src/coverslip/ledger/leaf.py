"""Leaves: the canonical bytes of one entry, which is one version of one stream.

Rules kept here:

* No personal data and no free text: every value is an identifier, a code, a number, a time or a hash.
* A leaf that parses has exactly the keys of its form; a ``Leaf`` that exists can be written.
* An entry is a record version unless its stream is a session or the installation; only then may it
  name a type definition, and only otherwise a subject (``about``).
* Version 1 has no predecessor; every later one names the hash of the leaf before it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coverslip.ledger import canonical
from coverslip.ledger.checkpoint import insist_origin
from coverslip.ledger.commitment import SECTIONS
from coverslip.ledger.failure import CanonicalError, CheckpointError, LeafError
from coverslip.ledger.moment import format_time, parse_time
from coverslip.ledger.tree import leaf_hash

__all__ = [
    "AUTHS",
    "CLOCK_SOURCES",
    "MAX_SIZE",
    "TYPES",
    "About",
    "Actor",
    "BodyRef",
    "Clock",
    "Files",
    "Leaf",
    "LeafError",
    "Record",
    "format_time",
    "hash",
    "parse",
    "parse_time",
]

MAX_SIZE: Final = 16384
TYPES: Final = frozenset(
    [
        "genesis",
        "record",
        "refusal",
        "session",
        "view",
        "export",
        "heartbeat",
        "keys",
        "heads",
        "fingerprint",
        "migration",
        "definition",
        "credential",
        "anomaly",
        "erasure",
        "recovery",
        "backup",
        "fixity",
        "verification",
    ]
)
AUTHS: Final = frozenset(["password", "passkey", "device", "service", "token", "none"])
CLOCK_SOURCES: Final = frozenset(["none", "chrony", "sntp"])
OTHER_STREAMS: Final = frozenset({"session", "installation"})
"""Kinds of stream whose versions are not versions of a record."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_.:-]{0,79}")
_SOFTWARE: Final = re.compile(r"[a-z0-9_]+/[a-z0-9_.+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Record:
    """The stream and its version: ``ver`` from 1; ``prev`` the leaf hash of ``ver - 1`` in hex."""

    kind: str
    id: str
    ver: int
    prev: str | None = None

    def __post_init__(self) -> None:
        _code("record.kind", self.kind)
        _uuid("record.id", self.id)
        _whole("record.ver", self.ver, 1)
        if (self.prev is None) != (self.ver == 1):
            raise LeafError("record.prev is there from version 2 on, and only then")
        if self.prev is not None:
            _hash("record.prev", self.prev)


@dataclass(frozen=True, slots=True)
class About:
    """The subject of an entry that is no record version; ``ver`` 0 where it had none yet."""

    kind: str
    id: str
    ver: int

    def __post_init__(self) -> None:
        _code("about.kind", self.kind)
        _uuid("about.id", self.id)
        _whole("about.ver", self.ver, 0)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted, in which session, how authenticated, and on whose behalf if on another's."""

    id: str
    sess: str
    auth: str
    behalf: str | None = None

    def __post_init__(self) -> None:
        _uuid("actor.id", self.id)
        _uuid("actor.sess", self.sess)
        _one_of("actor.auth", self.auth, AUTHS)
        if self.behalf is not None:
            _uuid("actor.behalf", self.behalf)


@dataclass(frozen=True, slots=True)
class Clock:
    """How far the clock was off (microseconds), by which source, and whether that was acceptable."""

    off_us: int
    src: str
    ok: bool

    def __post_init__(self) -> None:
        _whole("clock.off_us", self.off_us, -canonical.MAX_INT)
        _one_of("clock.src", self.src, CLOCK_SOURCES)
        if type(self.ok) is not bool:
            raise LeafError("clock.ok is neither true nor false")


@dataclass(frozen=True, slots=True)
class BodyRef:
    """One section: its commitment (64 hex digits), length in bytes, and the earlier version that
    stored it where it is unchanged since (``from`` in the leaf)."""

    section: str
    commitment: str
    length: int
    from_version: int | None = None

    def __post_init__(self) -> None:
        _one_of("bodies.s", self.section, SECTIONS)
        _hash("bodies.c", self.commitment)
        _whole("bodies.n", self.length, 0)
        if self.from_version is not None:
            _whole("bodies.from", self.from_version, 1)


@dataclass(frozen=True, slots=True)
class Files:
    """Root over the sorted ``files`` section (64 hex digits) and the number of its items."""

    root: str
    count: int

    def __post_init__(self) -> None:
        _hash("files.root", self.root)
        _whole("files.count", self.count, 0)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry. ``definition`` is ``def`` in the leaf; ``bodies`` are sorted by section."""

    log: str
    entry: str
    type: str
    act: str
    cmd: str
    record: Record
    actor: Actor
    at: str
    clock: Clock
    sw: str
    bodies: tuple[BodyRef, ...] = ()
    about: About | None = None
    files: Files | None = None
    definition: str | None = None
    meaning: str | None = None

    def __post_init__(self) -> None:
        try:
            insist_origin(self.log)
        except CheckpointError as error:
            raise LeafError(f"log: {error}") from None
        _matches("entry", self.entry, _UUID7)
        _one_of("type", self.type, TYPES)
        _code("act", self.act)
        _uuid("cmd", self.cmd)
        parse_time(self.at)
        _matches("sw", self.sw, _SOFTWARE)
        if self.meaning is not None:
            _code("meaning", self.meaning)
        self._check_bodies()
        self._check_stream()

    def _check_bodies(self) -> None:
        names = [body.section for body in self.bodies]
        if any(one >= other for one, other in itertools.pairwise(names)):
            raise LeafError("bodies are not sorted by section, or a section is there twice")
        for body in self.bodies:
            if body.from_version is not None and body.from_version >= self.record.ver:
                raise LeafError(f"section {body.section!r} comes from no earlier version")

    def _check_stream(self) -> None:
        if self.is_record_version:
            if self.about is not None:
                raise LeafError("a record version is about nothing but its record")
        elif self.definition is not None:
            raise LeafError("only a record version names a definition")
        if self.definition is not None:
            _hash("def", self.definition)

    @property
    def is_record_version(self) -> bool:
        """Whether this is a version of a record, not of a session or the installation."""
        return self.record.kind not in OTHER_STREAMS

    def body(self, section: str) -> BodyRef | None:
        """Return the reference of ``section``, or None where the entry has no such section."""
        return next((body for body in self.bodies if body.section == section), None)

    def value(self) -> dict[str, Any]:
        """Return the leaf as the JSON value that ``to_bytes`` writes."""
        leaf: dict[str, Any] = {
            "v": 1, "log": self.log, "entry": self.entry, "type": self.type, "act": self.act,
            "cmd": self.cmd, "at": self.at, "sw": self.sw,
            "record": _present(
                kind=self.record.kind, id=self.record.id, ver=self.record.ver, prev=self.record.prev
            ),
            "actor": _present(
                id=self.actor.id, sess=self.actor.sess, auth=self.actor.auth, behalf=self.actor.behalf
            ),
            "clock": {"off_us": self.clock.off_us, "src": self.clock.src, "ok": self.clock.ok},
            "bodies": [_body_value(body) for body in self.bodies],
        }  # fmt: skip
        if self.about is not None:
            leaf["about"] = {"kind": self.about.kind, "id": self.about.id, "ver": self.about.ver}
        if self.files is not None:
            leaf["files"] = {"root": self.files.root, "count": self.files.count}
        leaf.update(_present(**{"def": self.definition, "meaning": self.meaning}))
        return leaf

    def to_bytes(self) -> bytes:
        """Return the canonical bytes. Raises LeafError beyond 16384 of them."""
        data = canonical.encode(self.value())
        if len(data) > MAX_SIZE:
            raise LeafError(f"leaf of {len(data)} bytes; the limit is {MAX_SIZE}")
        return data


def hash(data: bytes) -> bytes:
    """Return the 32-byte leaf hash of a leaf's bytes."""
    return leaf_hash(data)


def parse(data: bytes) -> Leaf:
    """Read a leaf so strictly that ``parse(data).to_bytes() == data``.

    Raises:
        LeafError: beyond 16384 bytes, not canonical, an unknown or missing key, or a value that is not
            of its form.
    """
    if len(data) > MAX_SIZE:
        raise LeafError(f"leaf of {len(data)} bytes; the limit is {MAX_SIZE}")
    try:
        value = canonical.decode(data)
    except CanonicalError as error:
        raise LeafError(f"leaf is not canonical: {error}") from error
    _keys("leaf", value, _LEAF_KEYS, _LEAF_OPTIONAL)
    if type(value["v"]) is not int or value["v"] != 1:
        raise LeafError(f"leaf of version {value['v']!r}; only 1 is known")
    record = _keys("record", value["record"], _RECORD_KEYS, _RECORD_OPTIONAL)
    actor = _keys("actor", value["actor"], _ACTOR_KEYS, _ACTOR_OPTIONAL)
    clock = _keys("clock", value["clock"], _CLOCK_KEYS)
    if type(value["bodies"]) is not list:
        raise LeafError("bodies is not a list")
    return Leaf(
        log=value["log"], entry=value["entry"], type=value["type"], act=value["act"], cmd=value["cmd"],
        record=Record(**record), actor=Actor(**actor), at=value["at"], clock=Clock(**clock),
        sw=value["sw"], bodies=tuple(_body(item) for item in value["bodies"]),
        about=About(**_keys("about", value["about"], _ABOUT_KEYS)) if "about" in value else None,
        files=Files(**_keys("files", value["files"], _FILES_KEYS)) if "files" in value else None,
        definition=value.get("def"), meaning=value.get("meaning"),
    )  # fmt: skip


_LEAF_KEYS: Final = frozenset(
    ["v", "log", "entry", "type", "act", "cmd", "record", "actor", "at", "clock", "bodies", "sw"]
)
_LEAF_OPTIONAL: Final = frozenset(["about", "files", "def", "meaning"])
_RECORD_KEYS: Final = frozenset(["kind", "id", "ver"])
_RECORD_OPTIONAL: Final = frozenset({"prev"})
_ACTOR_KEYS: Final = frozenset(["id", "sess", "auth"])
_ACTOR_OPTIONAL: Final = frozenset({"behalf"})
_CLOCK_KEYS: Final = frozenset(["off_us", "src", "ok"])
_ABOUT_KEYS: Final = frozenset(["kind", "id", "ver"])
_FILES_KEYS: Final = frozenset(["root", "count"])
_BODY_KEYS: Final = frozenset(["s", "c", "n"])
_BODY_OPTIONAL: Final = frozenset({"from"})


def _body(item: Any) -> BodyRef:
    found = _keys("bodies", item, _BODY_KEYS, _BODY_OPTIONAL)
    return BodyRef(found["s"], found["c"], found["n"], found.get("from"))


def _body_value(body: BodyRef) -> dict[str, Any]:
    return _present(**{"s": body.section, "c": body.commitment, "n": body.length, "from": body.from_version})


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _keys(
    what: str, value: Any, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    if type(value) is not dict:
        raise LeafError(f"{what} is not an object")
    keys = value.keys()
    if keys != required:
        if missing := required - keys:
            raise LeafError(f"{what} lacks {sorted(missing)}")
        if unknown := keys - required - optional:
            raise LeafError(f"{what} has unknown {sorted(unknown)}")
    return value


def _matches(what: str, value: Any, pattern: re.Pattern[str]) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise LeafError(f"{what} is {value!r}, not of the form {pattern.pattern}")


def _uuid(what: str, value: Any) -> None:
    _matches(what, value, _UUID)


def _hash(what: str, value: Any) -> None:
    _matches(what, value, _HASH)


def _code(what: str, value: Any) -> None:
    _matches(what, value, _CODE)


def _whole(what: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= canonical.MAX_INT:
        raise LeafError(f"{what} is {value!r}, not a whole number of at least {least}")


def _one_of(what: str, value: Any, known: frozenset[str]) -> None:
    if not isinstance(value, str) or value not in known:
        raise LeafError(f"{what} is {value!r}, not one of {', '.join(sorted(known))}")
