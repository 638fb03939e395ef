"""Of many records acted on at once each is asked about its own; a delegate's one signature counts as one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel import words as w
from fix_grounds import Grounds
from fix_lab import TODAY, Lab, refused
from fix_types import lab_with

OPEN, SHUT = w.State("open"), w.State("shut")
SIGNED = w.Signature("executed", "I did this.", ("ANL",))


def _type(
    name: str, prefix: str, *transitions: w.Transition, states: tuple[w.State, ...] = (OPEN,), **fields: Any
) -> w.Type:
    return w.Type(
        name=name,
        title=name.title(),
        version=1,
        purpose="Acts on many.",
        number=w.Number(prefix),
        gxp="gmp",
        title_field="name",
        fields={"name": w.Field(w.Text(), "Name", required=True), **fields},
        states=states,
        create=w.Making(("ANL",), "open"),
        transitions=transitions,
        retention=w.Retention("SYS"),
    )


def _to(name: str) -> w.Field:
    return w.Field(w.Link((name,), "version"), name.title(), required=True)


_GONE = w.State("gone", terminal=True, locked=True)
BOX = _type(
    "box",
    "XBX",
    w.Transition(
        "close", "Close", ("open",), "gone", ("ANL",), signature=SIGNED,
        effects=(w.DoEach("cup", "box", "empty"),),
    ),
    w.Transition(
        "agree", "Agree", ("open",), "", ("QA",), signature=w.Signature("witnessed", "I agree.", ("QA",))
    ),
    w.Transition(
        "settle", "Settle", ("open",), "", ("ANL",),
        requires=(w.Signed("witnessed", n=2, message="Two people agreed."),),
    ),
    w.Transition("redo", "Redo", ("open",), "", ("ANL",), clears=("witnessed", "agree")),
    states=(OPEN, _GONE),
)  # fmt: skip
CUP = _type(
    "cup",
    "XCP",
    w.Transition(
        "empty", "Empty", ("open",), "gone", consequence=True,
        requires=(w.NoOpen((), "drop", "cup"),),
    ),
    states=(OPEN, _GONE),
    box=_to("box"),
)  # fmt: skip
DROP = _type(
    "drop",
    "XDR",
    w.Transition("dry", "Dry", ("open",), "gone", ("ANL",), signature=SIGNED),
    states=(OPEN, _GONE),
    cup=_to("cup"),
)
SHELF = _type(
    "shelf",
    "XSH",
    w.Transition("clear", "Clear", ("open",), "shut", ("ANL",), effects=(w.Do(("mugs",), "wash"),)),
    states=(OPEN, SHUT),
    mugs=w.Field(w.Link(("mug",), "version"), "Mugs", many=True),
)
MUG = _type(
    "mug",
    "XMG",
    w.Transition(
        "wash", "Wash", ("open",), "shut", consequence=True,
        requires=(w.Count((), "stain", "mug", "ge", 1, message="Only what is stained is washed."),),
    ),
    states=(OPEN, SHUT),
)  # fmt: skip
STAIN = _type("stain", "XST", mug=_to("mug"))


@pytest.fixture(scope="module")
def many(grounds: Grounds) -> Iterator[Lab]:
    with lab_with(grounds, BOX, CUP, DROP, SHELF, MUG, STAIN) as found:
        yield found


def test_each_record_that_links_here_is_asked_what_links_to_it(many: Lab) -> None:
    box = many.alan.create("box", name="b")
    dry, wet = (many.alan.create("cup", name=n, box=box) for n in ("dry", "wet"))
    drop = many.alan.create("drop", name="d", cup=wet)
    with refused("SEQ_PRE") as said:
        many.alan.do(box, "close", sign=True)
    assert drop in said[0].message
    many.alan.do(drop, "dry", sign=True)
    many.alan.do(box, "close", sign=True)
    assert (many.row(dry).state, many.row(wet).state) == ("gone", "gone")


def test_what_links_to_one_of_many_counts_for_no_other(many: Lab) -> None:
    clean, dirty = (many.alan.create("mug", name=n) for n in ("clean", "dirty"))
    many.alan.create("stain", name="s", mug=dirty)
    shelf = many.alan.create("shelf", name="s", mugs=[clean, dirty])
    with refused("SEQ_PRE"):
        many.alan.do(shelf, "clear")
    many.alan.create("stain", name="t", mug=clean)
    many.alan.do(shelf, "clear")
    assert (many.row(clean).state, many.row(dirty).state) == ("shut", "shut")


def test_one_signature_of_a_delegate_is_one_of_two(many: Lab) -> None:
    lent = many.quinn.create(
        "delegation",
        giver=many.number_of("quinn"),
        taker=many.number_of("sam"),
        role="ROLE-QA",
        start=TODAY.isoformat(),
        end=(TODAY + dt.timedelta(days=30)).isoformat(),
        reason="On leave, and work goes on meanwhile.",
    )
    many.quinn.do(lent, "give", sign=True)
    many.vera.do(lent, "approve", sign=True)
    many.sam.do(lent, "accept", sign=True)
    many.machine(lent, "begin")
    box = many.alan.create("box", name="b")
    many.sam.do(box, "agree", sign=True)
    with refused("SEQ_PRE"):
        many.alan.do(box, "settle")
    many.quinn.do(box, "agree", sign=True)
    with refused("SEQ_PRE"):
        many.alan.do(box, "settle")
    many.vera.do(box, "agree", sign=True)
    many.alan.do(box, "settle")
    many.alan.do(box, "redo")
    many.quinn.do(box, "agree", sign=True)
    many.vera.do(box, "agree", sign=True)
    many.alan.do(box, "settle")
    assert many.replay() == []
