"""What is wrong with an admitted entry is named, and never stops the sequencer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from coverslip.ledger.tree import leaf_hash
from coverslip.store.pending import Pending, alarms

UID = "01a1fce7-0000-7000-8000-000000000001"
VALUE: dict[str, Any] = {
    "act": "create",
    "actor": {"auth": "password", "id": UID, "sess": UID},
    "at": "2026-11-21T08:00:00.000000Z",
    "bodies": [],
    "clock": {"off_us": 0, "ok": False, "src": "none"},
    "cmd": UID,
    "entry": UID,
    "log": "lab.example/site1",
    "record": {"id": UID, "kind": "study", "ver": 1},
    "sw": "coverslip/0.1.0",
    "type": "record",
    "v": 1,
}


def entry(**changes: Any) -> Pending:
    data = orjson.dumps(VALUE | changes, option=orjson.OPT_SORT_KEYS)
    now = datetime(2026, 11, 21, 8, 0, 1, tzinfo=UTC)
    uid = UUID(UID)
    return Pending(1, uid, 1, "study", uid, uid, None, data, leaf_hash(data), b"\0" * 32, None, now)


def test_an_entry_as_it_should_be_raises_nothing() -> None:
    assert list(alarms(entry())) == []


@pytest.mark.parametrize(
    "at",
    ["2026-11-21T08:00:00+00:00Z", "2026-13-41T08:00:00.000000Z", "", "now", "2026-11-21T08:00:00.000000"],
)
def test_a_time_that_is_none_is_an_alarm_and_no_crash(at: str) -> None:
    assert [one.kind for one in alarms(entry(at=at))] == ["form"]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[]", b'{"v":1}', b'{"v":1,"record":{},"actor":{}}'])
def test_bytes_that_are_no_leaf_are_an_alarm(data: bytes) -> None:
    found = replace(entry(), leaf=data, stored_hash=leaf_hash(data))
    assert [one.kind for one in alarms(found)] == ["form"]


def test_a_time_far_from_its_integration_is_an_alarm() -> None:
    assert [one.kind for one in alarms(entry(at="2026-11-21T07:00:00.000000Z"))] == ["time"]
