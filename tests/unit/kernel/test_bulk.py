"""Many changes in one command: all of them with one command id, or none."""

from __future__ import annotations

import json

import pytest

from coverslip.errors import CoverslipError
from coverslip.kernel.change import Change
from fix_lab import Lab, refused


def _sops(lab: Lab, count: int) -> list[str]:
    return [lab.new_sop(f"Bulk {i}") for i in range(count)]


def _edit(lab: Lab, number: str, **fields: object) -> Change:
    return Change(
        "edit",
        number=number,
        fields=fields,
        reason="Corrected with all the others.",
        expected_version=lab.row(number).version,
    )


def test_all_changes_have_one_command_and_an_entry_each(lab: Lab) -> None:
    numbers = _sops(lab, 5)
    before = lab.entries()
    receipt = lab.door.submit_all([_edit(lab, n, title=f"Title of {n}") for n in numbers], lab.aurel.context)
    assert [e.number for e in receipt.entries] == numbers
    assert lab.entries() == before + 5
    assert [lab.row(n).title for n in numbers] == [f"Title of {n}" for n in numbers]
    leaves = lab.ask("select leaf from ledger.entry order by id desc limit 5")
    assert {json.loads(bytes(leaf))["cmd"] for (leaf,) in leaves} == {receipt.command}
    assert lab.replay() == []


def test_one_refused_line_leaves_nothing_written_and_is_named(lab: Lab) -> None:
    numbers = _sops(lab, 3)
    changes = [_edit(lab, n, title="Same for all") for n in numbers]
    changes[1] = _edit(lab, numbers[1], criticality="enormous")
    titles = [lab.row(n).title for n in numbers]
    with pytest.raises(CoverslipError) as error:
        lab.door.submit_all(changes, lab.aurel.context)
    assert (error.value.code, error.value.values["line"]) == ("VAL_VOCAB", 2)
    assert [lab.row(n).title for n in numbers] == titles


def test_the_same_record_twice_is_refused(lab: Lab) -> None:
    (number,) = _sops(lab, 1)
    with refused("SEQ_PRE"):
        lab.door.submit_all(
            [_edit(lab, number, title="First"), _edit(lab, number, title="Second")], lab.aurel.context
        )


def test_a_record_that_another_line_looks_at_is_refused(lab: Lab) -> None:
    first, second = _sops(lab, 2)
    with refused("SEQ_PRE"):
        lab.door.submit_all(
            [_edit(lab, first, title="Changed here"), _edit(lab, second, references=[first])],
            lab.aurel.context,
        )


def test_nothing_is_signed_in_bulk(lab: Lab) -> None:
    (number,) = _sops(lab, 1)
    change = Change("submit", number=number, expected_version=lab.row(number).version)
    with refused("SIG_REQUIRED"):
        lab.door.submit_all([change], lab.aurel.context)


def test_a_repeated_key_brings_back_the_first_answer(lab: Lab) -> None:
    changes = [
        Change("create", type="document_sop", fields={"title": f"Made at once {i}", "criticality": "gxp"})
        for i in range(3)
    ]
    first = lab.door.submit_all(changes, lab.aurel.context, "key-of-a-bulk")
    before = lab.entries()
    again = lab.door.submit_all(changes, lab.aurel.context, "key-of-a-bulk")
    assert again.replayed and again.command == first.command
    assert [e.number for e in again.entries] == [e.number for e in first.entries]
    assert lab.entries() == before
    with refused("IDEMPOTENCY"):
        lab.door.submit_all(changes[:2], lab.aurel.context, "key-of-a-bulk")


def test_nothing_and_more_than_500_are_refused(lab: Lab) -> None:
    for count in (0, 501):
        with refused("VAL_RANGE"):
            lab.door.submit_all([Change("create", type="document_sop")] * count, lab.aurel.context)


def test_nobody_acts_in_the_command_that_ends_what_lets_them_act(lab: Lab) -> None:
    account = lab.row(lab.number_of("ada"))
    lock = Change(
        "lock", number=account.number, reason="Away for a long while.", expected_version=account.version
    )
    fields = {"username": "eve", "printed_name": "Eve", "kind": "person"}
    for lines in (
        [lock, Change("create", "user", fields=fields)],
        [Change("create", "user", fields=fields), lock],
    ):
        with refused("SEQ_PRE") as said:
            lab.door.submit_all(lines, lab.ada.context)
        assert "another line" in said[0].message
    assert lab.row(account.number).state == "active"
