"""User names are used once, by one person; a name that looks like another is the other."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from coverslip.kernel.projecting import skeleton
from fix_lab import Lab, refused


def account(lab: Lab, username: str) -> str:
    return lab.ada.create(
        "user", username=username, printed_name="Some Body", kind="person", email="x@lab.example"
    )


@pytest.mark.parametrize(
    ("taken", "twin"),
    [
        ("william", "wi11iam"),
        ("marlon", "rnarlon"),
        ("olof", "o1of"),
        ("vvera", "wera"),
        ("simon5", "simons"),
        ("lisa1", "lisal"),
        ("lilli", "iiiii"),
        ("boo0", "booo"),
    ],
)
def test_a_name_that_looks_like_one_in_use_is_refused_and_the_other_named(
    lab: Lab, taken: str, twin: str
) -> None:
    number = account(lab, taken)
    with refused("DUP") as caught:
        account(lab, twin)
    assert number in caught[0].message and caught[0].rule == "P11-100-a.1"


@pytest.mark.parametrize(
    "name",
    ["аlan", "аlаn", "ａｌａｎ", "Alan", "ALAN", "αlan", "al‍an", "alan​", "𝖺𝗅𝖺𝗇", "àlan", "a lan", "ａlan"],
    ids=lambda n: "-".join(f"{ord(c):x}" for c in n),
)
def test_letters_of_other_scripts_widths_cases_and_hidden_ones_make_no_name(lab: Lab, name: str) -> None:
    before = lab.ask("select count(*) from projection.record")
    with refused("VAL_FORM"):
        account(lab, name)
    assert lab.ask("select count(*) from projection.record") == before


def test_space_around_a_name_makes_no_other_name(lab: Lab) -> None:
    number = account(lab, "karoline")
    with refused("DUP") as caught:
        account(lab, " karoline ")
    assert number in caught[0].message


def test_names_that_only_resemble_each_other_in_meaning_are_two_names(lab: Lab) -> None:
    account(lab, "anna.berg")
    for other in ("anna.borg", "anne.berg", "anna.berg2", "annaberg"):
        account(lab, other)


def test_the_name_of_somebody_who_left_is_never_given_again(lab: Lab) -> None:
    number = lab.invite("theo", "Theo", ())
    lab.aurel.do(number, "disable", sign=True, why="Left the laboratory.")
    for twin in ("theo", "the0"):
        with refused("DUP") as caught:
            account(lab, twin)
        assert number in caught[0].message


@pytest.mark.parametrize("state", ["invited", "active", "locked"])
def test_a_name_is_never_changed_so_that_none_becomes_free(lab: Lab, state: str) -> None:
    username = {"invited": "uwe", "active": "urs", "locked": "ute"}[state]
    number = account(lab, username) if state == "invited" else lab.invite(username, "U", ())
    if state == "locked":
        lab.aurel.do(number, "lock", why="On leave for a month.")
    with refused("LOCKED"):
        lab.ada.do(number, "edit", why="They married last week.", username=f"{username}.new")
    assert lab.row(number).fields["username"] == username


def test_a_printed_name_changes_and_every_earlier_one_stays_in_the_trail(lab: Lab) -> None:
    number = lab.invite("ulla", "Ulla Before", ())
    lab.ada.do(number, "edit", why="She married last week.", printed_name="Ulla After")
    names = [
        e["sections"]["content"]["fields"]["printed_name"]
        for e in lab.history(number)
        if "content" in e["sections"]
    ]
    assert names[0] == "Ulla Before" and names[-1] == "Ulla After"


def test_two_people_at_once_do_not_get_twin_names(lab: Lab) -> None:
    from coverslip.errors import CoverslipError
    from fix_together import together

    results = together(
        lambda: account(lab, "wilma"), lambda: account(lab, "wi1ma"), lambda: account(lab, "vvilma")
    )
    assert sum(isinstance(r, str) for r in results) == 1, results
    assert {r.code for r in results if isinstance(r, CoverslipError)} == {"DUP"}


NAMES = st.from_regex(r"[a-z][a-z0-9._-]{1,20}", fullmatch=True)


@given(NAMES)
def test_the_form_in_which_names_are_compared_is_a_fixed_point_of_case_and_normal_forms(name: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert skeleton(unicodedata.normalize(form, name)) == skeleton(name.upper()) == skeleton(name)


@given(NAMES, NAMES)
def test_two_names_collide_exactly_when_their_merged_letters_are_the_same(one: str, two: str) -> None:
    merge = str.maketrans("0135i", "olesl")

    def plain(name: str) -> str:
        return name.translate(merge).replace("rn", "m").replace("vv", "w")

    assert (skeleton(one) == skeleton(two)) == (plain(one) == plain(two))
