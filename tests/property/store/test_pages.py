"""Pages partition what they are pages of: nothing twice, nothing passed over, whatever the order."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from coverslip.kernel import history
from coverslip.kernel.change import Change
from coverslip.kernel.queries import FieldAt, FieldFilter, Listed, TrailAsked
from coverslip.store.lists import PostgresLists
from coverslip.store.trail import PostgresTrail
from fix_lab import Lab

TYPES = ("specimen", "user", "role", "training_record", "study")
ORDERS = ("changed_at", "created_at", "number", "title", "state")


@pytest.fixture(scope="module")
def many(lab: Lab) -> Lab:
    """Forty specimens whose values are often the same, often missing, made many at a time."""
    noise = random.Random(5)
    for _ in range(4):
        changes = []
        for _ in range(10):
            fields = {"title": noise.choice(("same", "Same", "other", "ünlike")), "kind": "tissue"}
            if noise.random() < 0.6:
                fields["quantity"] = noise.choice(("1", "1.0", "2.5", "10", "0"))
            changes.append(Change("create", "specimen", fields=fields))
        lab.door.submit_all(changes, lab.alan.context)
    return lab


@pytest.mark.parametrize("falls", [True, False])
@pytest.mark.parametrize("size", [1, 3, 7, 200])
@pytest.mark.parametrize("order", [*ORDERS, "quantity", "study"])
def test_pages_of_a_list_partition_it(many: Lab, order: str, size: int, falls: bool) -> None:
    field = None if order in ORDERS else FieldAt(order, "number" if order == "quantity" else "link")
    types = TYPES if field is None else ("specimen",)
    by: Any = "field" if field else order
    asked = Listed(types, sort=by, descending=falls, field=field)
    lists, seen, cursor = PostgresLists(many.reading.pool), list[str](), ""
    while True:
        page = lists.page(asked, cursor, size)
        assert len(page.rows) <= size
        seen += [row.uid for row in page.rows]
        cursor = page.next
        if not cursor:
            break
    walked = [row.uid for row in lists.walk(asked)]
    there = many.ask("select count(*) from projection.record where type = any(%s)", list(types))[0][0]
    assert seen == walked
    assert len(set(seen)) == len(seen) == there == lists.count(asked).number


def test_pages_of_a_filtered_list_partition_it(many: Lab) -> None:
    lists = PostgresLists(many.reading.pool)
    person = many.alan.uid
    for asked in (
        Listed(("specimen",), text="same", sort="title"),
        Listed(TYPES, created_by=person),
        Listed(("specimen",), fields=(FieldFilter(FieldAt("quantity", "number"), "is", "1.00"),)),
    ):
        seen, cursor = list[str](), ""
        while True:
            page = lists.page(asked, cursor, 2)
            seen += [row.uid for row in page.rows]
            if not (cursor := page.next):
                break
        assert len(set(seen)) == len(seen) == lists.count(asked).number > 2


@pytest.mark.parametrize("size", [1, 11, 200])
@pytest.mark.parametrize("filtered", ["", "kind", "actor", "act", "field", "reason"])
def test_pages_of_the_trail_partition_it(many: Lab, filtered: str, size: int) -> None:
    person = many.alan.uid
    value = {"kind": "training_record", "act": "approve", "field": "title", "reason": "Needed"}
    value["actor"] = person
    asked = TrailAsked(**({filtered: value[filtered]} if filtered else {}))
    if size == 1 and filtered in ("", "actor", "field"):
        asked = TrailAsked(kind="study")
    trail, seen, cursor = PostgresTrail(many.reading.pool), list[str](), ""
    while True:
        page = trail.page(asked, cursor, size)
        assert len(page.entries) <= size
        seen += [entry["entry"] for entry in page.entries]
        if not (cursor := page.next):
            break
    assert len(set(seen)) == len(seen)
    assert set(seen) == _expected(many, asked)


def _expected(lab: Lab, asked: TrailAsked) -> set[str]:
    found = set()
    for uid, kind, actor in lab.ask("select distinct record_id::text, kind, actor::text from ledger.entry"):
        if asked.kind and kind != asked.kind:
            continue
        told = history.trail(lab.reading.history(uid))
        own = {
            json.loads(bytes(row[0]))["entry"]
            for row in lab.ask(
                "select leaf from ledger.entry where record_id = %s and actor = %s", uid, actor
            )
        }
        for entry in told:
            names = {c["field"].partition("[")[0].partition(".")[0] for c in entry["changes"]}
            fits = (
                entry["entry"] in own
                and (not asked.actor or actor == asked.actor)
                and (not asked.act or entry["act"] == asked.act)
                and (not asked.field or asked.field in names)
                and (not asked.reason or asked.reason.casefold() in entry["reason"].casefold())
            )
            found |= {entry["entry"]} if fits else set()
    return found
