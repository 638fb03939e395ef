"""Retention and the past on the command line: what is kept and why, and how it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

DAY = "2026-01-31"


@pytest.fixture
def user(ada: Any) -> str:
    ran = ada("user", "new", "cem", "--name", "Cem Cakir", "--json")
    assert ran.code == 0, ran.err
    return str(json.loads(ran.out)["entries"][0]["number"])


def test_a_record_says_until_when_it_is_kept(ada: Any, user: str) -> None:
    assert "kept    Open — waiting for: system retirement" in ada("record", "show", user).out
    assert json.loads(ada("record", "show", user, "--json").out)["retention"]["open"]


def test_every_clock_is_listed_with_its_rule(ada: Any, user: str) -> None:
    ran = ada("record", "retention", user)
    assert ran.code == 0
    assert f"{user}\t11.10(e)\topen\twaiting for: x" in ran.out
    assert "Preserved by LHD-0001" in ran.out
    assert json.loads(ada("record", "retention", user, "--json").out)["rule_version"] == "1"


def test_what_is_due_is_listed_over_all_pages(ada: Any) -> None:
    ran = ada("retention", "due")
    assert ran.code == 0, ran.err
    assert [line.split("\t") for line in ran.out.splitlines()] == [
        ["STU-0001", "2022-01-31", "over"],
        ["STU-0002", "2022-01-31", "over"],
    ]
    assert len(json.loads(ada("retention", "due", "--json").out)["records"]) == 2


def test_a_record_is_shown_as_it_was(ada: Any, user: str) -> None:
    ran = ada("record", "show", user, "--as-of", DAY)
    assert ran.code == 0, ran.err
    assert f"{user}  as it was" in ran.out and "Definition: User, version 2" in ran.out
    assert "AUT (GRA-1, not usable: untrained on SOP-0001 v1)" in ran.out and "SOP-0002 v1" in ran.out
    assert json.loads(ada("record", "show", user, "--as-of", DAY, "--json").out)["acts"]


def test_authority_is_told_as_of_a_day(ada: Any) -> None:
    ran = ada("authority", "--at", DAY)
    assert "USR-0001\tAda\tverified, ADMINISTRATOR\tADM for USR-0009 (GRA-1)\tnothing" in ran.out
    assert "could" not in ran.out
    assert "could   user: create, edit" in ada("authority", "--at", DAY, "--person", "USR-0001").out
    assert json.loads(ada("authority", "--at", DAY, "--json").out)["people"]


@pytest.mark.parametrize("at", ["2999-01-01", "last week"])
def test_a_time_that_names_no_moment_of_the_past_is_refused(ada: Any, user: str, at: str) -> None:
    for ran in (ada("record", "show", user, "--as-of", at), ada("authority", "--at", at)):
        assert ran.code == 1
        assert "VAL_FORM" in ran.err


def test_authority_asks_for_its_day(ada: Any) -> None:
    assert ada("authority").code == 2
