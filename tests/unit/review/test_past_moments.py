"""The past through the interface: which moments it takes, and that it shows what is read before signing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from fix_caller import Caller
from fix_lab import Lab

At = Callable[[str], Caller]


def now(lab: Lab) -> str:
    """Return a moment after everything so far and before everything to come."""
    time.sleep(0.002)
    moment = lab.accounts.now()
    time.sleep(0.002)
    return moment


def test_the_text_as_of_now_is_what_is_read_before_signing(lab: Lab, api: At) -> None:
    shown = api("rita").get(f"/records/{lab.n['study']}/view")
    found = api("rita").get(f"/records/{lab.n['study']}/as-of?at={lab.accounts.now()}")
    assert (found["text"], found["shown"]) == (shown["text"], shown["shown"])


def test_before_it_was_made_a_record_is_not_found(lab: Lab, api: At) -> None:
    before = now(lab)
    study = lab.new_study("glp")
    assert api("rita").request("GET", f"/records/{study}/as-of?at={before}").status_code == 404
    assert api("rita").request("GET", f"/records/{study}/as-of?at={now(lab)}").status_code == 200


@pytest.mark.parametrize("at", ["yesterday", "2026-11-20T12:00:00", "2999-01-01", "2026-02-30", ""])
def test_what_names_no_moment_of_the_past_is_refused(lab: Lab, api: At, at: str) -> None:
    found = api("rita").request("GET", f"/records/{lab.n['study']}/as-of?at={at}")
    assert found.status_code == 422
    assert found.json()["code"] == "VAL_FORM"


def test_a_day_means_its_last_moment(lab: Lab, api: At) -> None:
    today = lab.accounts.now()[:10]
    assert api("rita").get(f"/records/{lab.n['study']}/as-of?at={today}")["state"] == "in_progress"
    assert api("rita").get(f"/authority?at={today}")["people"]
    assert api("rita").request("GET", f"/records/{lab.n['study']}/as-of?at=2020-01-01").status_code == 404
    assert api("rita").get("/authority?at=2020-01-01")["people"] == []


def test_of_nobody_there_is_no_matrix(api: At) -> None:
    assert api("rita").request("GET", "/authority?at=2020-01-01&person=USR-0001").status_code == 404
