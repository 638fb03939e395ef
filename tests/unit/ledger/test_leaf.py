"""Leaves: one spelling, no unknown key, no value that is not of its form."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from coverslip.ledger import canonical, leaf
from coverslip.ledger.leaf import LeafError

U = "0190a6c1-7b2e-4f00-8abc-0123456789ab"
E7 = "0190a6c1-7b2e-7f00-8abc-0123456789ab"
H = "ab" * 32


def record() -> dict[str, Any]:
    return {
        "v": 1,
        "log": "coverslip.example/lab-1",
        "entry": E7,
        "type": "record",
        "act": "sample.change",
        "cmd": U,
        "record": {"kind": "sample", "id": U, "ver": 3, "prev": H},
        "actor": {"id": U, "sess": U, "auth": "password", "behalf": U},
        "at": "2026-11-21T04:00:00.123456Z",
        "clock": {"off_us": -12, "src": "chrony", "ok": True},
        "bodies": [{"s": "content", "c": H, "n": 10}, {"s": "personal", "c": H, "n": 4, "from": 2}],
        "files": {"root": H, "count": 2},
        "def": H,
        "sw": "coverslip/0.1.0",
        "meaning": "approved",
    }


def view() -> dict[str, Any]:
    return {
        "v": 1,
        "log": "coverslip.example/lab-1",
        "entry": E7,
        "type": "view",
        "act": "view",
        "cmd": U,
        "record": {"kind": "session", "id": U, "ver": 1},
        "about": {"kind": "sample", "id": U, "ver": 3},
        "actor": {"id": U, "sess": U, "auth": "none"},
        "at": "2026-11-21T04:00:00.000000Z",
        "clock": {"off_us": 0, "src": "none", "ok": False},
        "bodies": [],
        "sw": "coverslip/0.1.0.dev1+g12ab",
    }


@pytest.mark.parametrize("make", [record, view])
def test_a_leaf_reads_and_writes_to_the_same_bytes(make: Callable[[], dict[str, Any]]) -> None:
    data = canonical.encode(make())
    assert leaf.parse(data).to_bytes() == data


def test_a_leaf_gives_its_values_by_name() -> None:
    one = leaf.parse(canonical.encode(record()))
    assert one.is_record_version
    assert one.record == leaf.Record("sample", U, 3, H)
    assert one.actor.behalf == U
    assert one.definition == H
    assert one.files == leaf.Files(H, 2)
    personal = one.body("personal")
    assert personal is not None
    assert personal.from_version == 2
    assert one.body("reason") is None


@pytest.mark.parametrize(("kind", "is_record"), [("session", False), ("installation", False), ("user", True)])
def test_only_sessions_and_the_installation_are_no_record_versions(kind: str, is_record: bool) -> None:
    value = view()
    value["record"]["kind"] = kind
    del value["about"]
    assert leaf.parse(canonical.encode(value)).is_record_version is is_record


def test_the_leaf_hash_is_prefixed_by_zero() -> None:
    data = canonical.encode(record())
    assert leaf.hash(data) == hashlib.sha256(b"\x00" + data).digest()


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last, new = path

    def change(value: dict[str, Any]) -> None:
        inner: Any = value
        for step in steps:
            inner = inner[step]
        inner[last] = new

    return change


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last = path

    def change(value: dict[str, Any]) -> None:
        inner: Any = value
        for step in steps:
            inner = inner[step]
        del inner[last]

    return change


BROKEN = {
    "unknown key": put("extra", 1),
    "unknown key in record": put("record", "extra", 1),
    "unknown key in actor": put("actor", "name", "Ann"),
    "unknown key in clock": put("clock", "extra", 1),
    "unknown key in files": put("files", "extra", 1),
    "unknown key in a body": put("bodies", 0, "extra", 1),
    "other version": put("v", 2),
    "version true": put("v", True),
    "empty log": put("log", ""),
    "space in log": put("log", "a b"),
    "newline in log": put("log", "a\nb"),
    "log of a number": put("log", 7),
    "entry of version 4": put("entry", U),
    "entry in capitals": put("entry", E7.upper()),
    "entry of another variant": put("entry", E7[:19] + "c" + E7[20:]),
    "entry with newline": put("entry", E7 + "\n"),
    "unknown type": put("type", "note"),
    "type of a list": put("type", []),
    "free text as act": put("act", "changed it because"),
    "cmd without hyphens": put("cmd", U.replace("-", "")),
    "record of a string": put("record", "x"),
    "version 0": put("record", "ver", 0),
    "version true in record": put("record", "ver", True),
    "version as text": put("record", "ver", "3"),
    "first version with prev": put("record", "ver", 1),
    "later version without prev": drop("record", "prev"),
    "short prev": put("record", "prev", H[:-2]),
    "prev in capitals": put("record", "prev", H.upper()),
    "unknown auth": put("actor", "auth", "sso"),
    "behalf of nobody": put("actor", "behalf", ""),
    "time without microseconds": put("at", "2026-11-21T04:00:00Z"),
    "time with milliseconds": put("at", "2026-11-21T04:00:00.123Z"),
    "time with nanoseconds": put("at", "2026-11-21T04:00:00.123456789Z"),
    "time with offset": put("at", "2026-11-21T04:00:00.123456+00:00"),
    "time with small z": put("at", "2026-11-21T04:00:00.123456z"),
    "time with space": put("at", "2026-11-21 04:00:00.123456Z"),
    "time with newline": put("at", "2026-11-21T04:00:00.123456Z\n"),
    "month 13": put("at", "2026-13-21T04:00:00.123456Z"),
    "hour 24": put("at", "2026-11-21T24:00:00.000000Z"),
    "second 60": put("at", "2026-11-21T04:00:60.000000Z"),
    "other digits": put("at", "2026-11-21T04:00:00.12345٦Z"),
    "time of a number": put("at", 1),
    "offset as text": put("clock", "off_us", "0"),
    "unknown clock source": put("clock", "src", "ntp"),
    "ok as number": put("clock", "ok", 1),
    "bodies of an object": put("bodies", {}),
    "body of a string": put("bodies", 0, "content"),
    "bodies unsorted": put("bodies", 0, "s", "reason"),
    "section twice": put("bodies", 0, "s", "personal"),
    "unknown section": put("bodies", 0, "s", "comment"),
    "short commitment": put("bodies", 0, "c", "ab"),
    "negative length": put("bodies", 0, "n", -1),
    "from version 0": put("bodies", 1, "from", 0),
    "from the same version": put("bodies", 1, "from", 3),
    "files root not hex": put("files", "root", "g" * 64),
    "negative count": put("files", "count", -1),
    "short def": put("def", "ab"),
    "def of a number": put("def", 5),
    "software with space": put("sw", "coverslip 0.1"),
    "free text as meaning": put("meaning", "I approve"),
    "a record about another": put("about", {"kind": "sample", "id": U, "ver": 1}),
    "no session": drop("actor", "sess"),
    **{
        f"without {key}": drop(key)
        for key in [
            "v",
            "log",
            "entry",
            "type",
            "act",
            "cmd",
            "record",
            "actor",
            "at",
            "clock",
            "bodies",
            "sw",
        ]
    },
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_leaf_that_is_not_of_the_form_cannot_be_read(name: str) -> None:
    value = record()
    BROKEN[name](value)
    with pytest.raises(LeafError):
        leaf.parse(canonical.encode(value))


@pytest.mark.parametrize(
    "change", [put("def", H), put("about", "ver", -1), put("about", "extra", 1), drop("about", "ver")]
)
def test_an_entry_that_is_no_record_version_cannot_break_its_form(
    change: Callable[[dict[str, Any]], None],
) -> None:
    value = view()
    change(value)
    with pytest.raises(LeafError):
        leaf.parse(canonical.encode(value))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1", json.dumps(record()).encode(), canonical.encode(record()) + b"\n", b"\xff"]
)
def test_bytes_that_are_not_a_canonical_object_cannot_be_a_leaf(data: bytes) -> None:
    with pytest.raises(LeafError):
        leaf.parse(data)


def test_a_leaf_cannot_exceed_its_limit() -> None:
    with pytest.raises(LeafError, match="limit"):
        leaf.parse(b" " * (leaf.MAX_SIZE + 1))


def test_a_leaf_cannot_be_built_wrongly_or_changed() -> None:
    one = leaf.parse(canonical.encode(record()))
    with pytest.raises(LeafError):
        dataclasses.replace(one, type="other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.type = "view"  # type: ignore[misc]
