"""The rules of what stands beside a record, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel import rules
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput
from coverslip.records.collaboration import attachment

NOW = "2026-11-21T04:00:00.000000Z"
ANN = "ann"


def row(kind: str, number: str, state: str = "open", **fields: Any) -> Row:
    return Row(kind, number, number, 0, 1, 1, state, "", "gmp", "", "", {"fields": fields})


def ask(
    name: str, fields: dict[str, Any], record: Row | None = None, children: Any = None, **reads: Row
) -> Any:
    seen = {n: (r,) for n, r in reads.items()}
    given = {"reply_to": (), "subject": ()} | seen
    return rules.find(name, 1)(RuleInput(fields, record, given, children or {}, ANN, NOW))


RESULTS = row("result_set", "RES-1", rows=[{"position": "A01"}, {"position": "A02"}], made_up="x")
IMAGE = row("image", "IMG-1", dims={"x": 100, "y": 50, "z": 3, "c": 1, "t": 1})


@pytest.mark.parametrize("field", ["title", "rows", "rows.value", "rows[1].position", "made_up", "csv"])
def test_a_field_that_is_declared_or_filled_can_be_commented_on(field: str) -> None:
    assert ask("comment_field_exists", {"field": field}, subject=RESULTS) is None


@pytest.mark.parametrize(
    "field", ["nothing", "title.value", "rows.nothing", "rows[2].position", "title[0]", "Rows", "rows[x]", ""]
)
def test_a_field_that_is_not_there_cannot(field: str) -> None:
    assert ask("comment_field_exists", {"field": field}, subject=RESULTS)


def test_no_field_is_asked_for() -> None:
    assert ask("comment_field_exists", {}, subject=RESULTS) is None
    assert ask("comment_region_in_image", {}, subject=RESULTS) is None


BOX = {"x": 90, "y": 40, "width": 10, "height": 10}


@pytest.mark.parametrize("region", [BOX, {**BOX, "z": 2}, {**BOX, "z": 0, "c": 0, "t": 0}])
def test_a_region_within_the_image_passes(region: dict[str, int]) -> None:
    assert ask("comment_region_in_image", {"region": region}, subject=IMAGE) is None


@pytest.mark.parametrize(
    "region",
    [
        {**BOX, "x": 91},
        {**BOX, "height": 11},
        {**BOX, "z": 3},
        {**BOX, "c": 1},
        {**BOX, "x": -1},
        {**BOX, "x": True},
        {**BOX, "x": "9"},
        {**BOX, "width": 0},
        {**BOX, "what": 1},
        {"x": 1, "y": 1},
        [],
    ],
)
def test_a_region_beyond_it_or_of_another_form_does_not(region: Any) -> None:
    assert ask("comment_region_in_image", {"region": region}, subject=IMAGE)


def test_a_region_is_marked_on_images_only() -> None:
    assert ask("comment_region_in_image", {"region": BOX}, subject=RESULTS)


def test_a_reply_is_about_what_the_comment_is_about() -> None:
    first = row("comment", "CMT-1", subject={"number": "RES-1"})
    assert ask("comment_reply_same_subject", {"subject": {"number": "RES-1"}}, reply_to=first) is None
    assert ask("comment_reply_same_subject", {"subject": {"number": "IMG-1"}}, reply_to=first)
    assert ask("comment_reply_same_subject", {"subject": {"number": "IMG-1"}}) is None


@pytest.mark.parametrize(
    ("size", "others", "passes"),
    [
        (1, [], True),
        (0, [], False),
        (attachment.MAX_BYTES, [], True),
        (attachment.MAX_BYTES + 1, [], False),
        (attachment.MAX_BYTES, [attachment.MAX_BYTES] * 7, True),
        (attachment.MAX_BYTES, [attachment.MAX_BYTES] * 8, False),
        (1, [1] * attachment.MAX_FILES, False),
    ],
)
def test_files_of_a_record_are_bounded(size: int, others: list[int], passes: bool) -> None:
    attached = tuple(
        row("attachment", f"ATT-{n}", "attached", file={"size": s}) for n, s in enumerate(others)
    )
    said = ask("attachment_within_limits", {"file": {"size": size}}, children={"attached": attached})
    assert (said is None) is passes


def test_withdrawn_files_take_no_room() -> None:
    gone = tuple(
        row("attachment", f"ATT-{n}", "withdrawn", file={"size": attachment.MAX_BYTES}) for n in range(600)
    )
    assert ask("attachment_within_limits", {"file": {"size": 1}}, children={"attached": gone}) is None


def test_a_word_is_kept_in_one_form_and_marks_one_record() -> None:
    subject = row("study", "STU-1")
    marks = {
        ask("tag_mark", {"word": word}, subject=subject)
        for word in ("Über  alles", "u\u0308ber alles ", "ÜBER ALLES")
    }
    assert marks == {"STU-1 über alles"}
    assert ask("tag_word", {}) is None
    removed = row("tag", "TAG-7", "tagged")
    assert ask("tag_unmark", {}, removed) == "removed TAG-7"


def test_a_watch_is_ones_own() -> None:
    assert ask("watch_for_oneself", {}) is None
    assert ask("watch_for_oneself", {"person": {"uid": ANN}}) is None
    assert ask("watch_for_oneself", {"person": {"uid": "bob"}}) == "You can only watch for yourself."
    fields = {"person": {"number": "USR-1"}, "subject": {"number": "STU-1"}}
    assert ask("watch_mark", fields) == "USR-1 STU-1"
    assert ask("watch_unmark", {}, row("watch", "WCH-1")) == "ended WCH-1"
