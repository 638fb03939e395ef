"""Forms: a leaf is recognised only where the parser would have accepted it."""

from __future__ import annotations

import pytest

from coverslip.ledger import leaf
from coverslip.ledger.forms import MAX_FORMS, Forms

LEAF = (
    b'{"about":{"id":"11111111-2222-4333-8444-555555555555","kind":"image","ver":12},"act":"view",'
    b'"actor":{"auth":"password","id":"a1111111-2222-4333-8444-555555555555",'
    b'"sess":"b1111111-2222-4333-8444-555555555555"},"at":"2026-11-21T04:00:00.123456Z",'
    b'"bodies":[{"c":"' + b"c" * 64 + b'","from":3,"n":10,"s":"content"},'
    b'{"c":"' + b"d" * 64 + b'","n":90,"s":"context"}],'
    b'"clock":{"off_us":-25,"ok":true,"src":"sntp"},"cmd":"c1111111-2222-4333-8444-555555555555",'
    b'"entry":"01a1fce7-739c-7013-840e-73fb89d4ba2f","log":"lab.example/site1",'
    b'"record":{"id":"d1111111-2222-4333-8444-555555555555","kind":"session","prev":"' + b"e" * 64 + b'",'
    b'"ver":14},"sw":"coverslip/0.1.0","type":"view","v":1}'
)  # fmt: skip


@pytest.fixture(scope="module")
def forms() -> Forms:
    made = Forms()
    made.learn(leaf.parse(LEAF), LEAF)
    return made


def test_a_leaf_of_a_known_form_is_read_as_the_parser_reads_it(forms: Forms) -> None:
    other = LEAF.replace(b"c" * 64, b"0" * 64).replace(b'"ver":14', b'"ver":99').replace(b"-25", b"-31")
    parsed, seen = leaf.parse(other), forms.see(other)
    assert seen is not None
    form, at, id, prev, ver = seen
    assert (id.decode(), int(ver), prev.decode(), at.decode()) == (
        parsed.record.id, parsed.record.ver, parsed.record.prev, parsed.at
    )  # fmt: skip
    assert parsed.about is not None
    assert form.about(other) == parsed.about.id
    slots = dict(zip(form.names, form.values(other), strict=True))
    assert slots["bodies.0.c"] == b"0" * 64
    assert (slots["bodies.0.from"], slots["bodies.1.n"], slots["off_us"]) == (b"3", b"90", b"31")
    assert form.sections == ("content", "context")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"ver":14', b'"ver":04'),  # a leading zero
        (b'"ver":14', b'"ver":1a'),  # hex where a number must be
        (b'"from":3', b'"from":0'),  # no version 0 stores anything
        (b"-25", b"-05"),
        (b"e" * 64, b"e" * 63 + b"E"),
        (b"e" * 64, b"e" * 63 + b"x"),
        (b"e" * 64, b"e" * 63 + b"\x00"),
        (b"2026-11-21", b"2026-13-21"),
        (b"2026-11-21", b"2026-1a-21"),
        (b"-7013-", b"-4013-"),  # no version 7
        (b"-840e-", b"-c40e-"),  # no variant of it
        (b'"act"', b'"aca"'),  # another key of the same form
        (b'"v":1', b'"v":2'),
    ],
)
def test_what_the_parser_refuses_is_not_recognised(forms: Forms, old: bytes, new: bytes) -> None:
    changed = LEAF.replace(old, new, 1)
    assert len(changed) == len(LEAF)
    with pytest.raises(leaf.LeafError):
        leaf.parse(changed)
    assert forms.see(changed) is None


def test_a_section_cannot_come_from_this_or_a_later_version() -> None:
    forms = Forms()
    base = LEAF.replace(b'"from":3', b'"from":13')
    forms.learn(leaf.parse(base), base)
    assert forms.see(base) is not None
    later = base.replace(b'"from":13', b'"from":14')
    with pytest.raises(leaf.LeafError):
        leaf.parse(later)
    assert forms.see(later) is None


def test_version_1_cannot_name_a_predecessor_nor_version_2_leave_it_out() -> None:
    forms = Forms()
    second = LEAF.replace(b'"from":3,', b"").replace(b'"ver":14', b'"ver":2')
    first = second.replace(b'"prev":"' + b"e" * 64 + b'",', b"").replace(b'"ver":2}', b'"ver":1}')
    for data in (first, second):
        forms.learn(leaf.parse(data), data)
        assert forms.see(data) is not None
    assert forms.see(second.replace(b'"ver":2}', b'"ver":1}')) is None
    assert forms.see(first.replace(b'"ver":1}', b'"ver":2}')) is None


def test_a_form_is_told_from_one_that_differs_in_hex_letters_of_its_words() -> None:
    forms = Forms()
    forms.learn(leaf.parse(LEAF), LEAF)
    other = LEAF.replace(b'"act":"view"', b'"act":"vief"')  # "w" stays no hex digit: another form
    assert forms.see(other) is None
    same = LEAF.replace(b'"kind":"image"', b'"kind":"imbge"')  # the same form, another word
    assert leaf.parse(same).about is not None
    assert forms.see(same) is None


def test_more_forms_than_the_limit_do_not_fill_the_memory() -> None:
    forms = Forms()
    for n in range(MAX_FORMS + 2):
        name = "".join("ghijklmnopqrstuv"[n >> shift & 15] for shift in (12, 8, 4, 0)).encode()
        data = LEAF.replace(b'"act":"view"', b'"act":"' + name + b'"')
        forms.learn(leaf.parse(data), data)
    assert len(forms) <= MAX_FORMS
    assert forms.see(LEAF) is None
