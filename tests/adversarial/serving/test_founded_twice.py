"""A set-up founded twice at once: one wins, the other is told in words, and touches nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from coverslip.bootstrap import founding
from coverslip.errors import EnvironmentFault
from coverslip.kernel import keys
from coverslip.web.security import csrf_token
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE as LAB_SITE, secret_of
from fix_served import Served, once_started, serving
from fix_setup import Browser, password_of
from fix_together import together

COOKIE = "coverslip-setup"
CODE = r"^set-up code: (\S+)$"


def in_words(answer: httpx.Response) -> str:
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def review(client: httpx.Client) -> httpx.Response:
    """Press the last button of the set-up."""
    return client.post("/setup/review", data={"csrf": csrf_token(client.cookies[COOKIE])})


def signs_in(served: Served, someone: Browser) -> bool:
    once_started(someone)
    who = {"username": "quinn", "password": password_of("quinn"), "workstation": "ws", "zone": "UTC"}
    entered = someone.client.post("/sign-in", data=who, follow_redirects=True)
    return entered.status_code == 200 and "Quinn Quality" in entered.text


def test_the_last_button_pressed_twice_at_once_founds_once(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    with serving(new_home(), tmp_path) as served, served.browser() as first, served.browser() as twin:
        first.enter(served.said(CODE))
        first.whole()
        twin.client.cookies.set(COOKIE, first.client.cookies[COOKIE])
        answers = together(lambda: review(first.client), lambda: review(twin.client))
        assert sorted(one.status_code for one in answers) == [200, 409], [one.text[:300] for one in answers]
        won, lost = sorted(answers, key=lambda one: one.status_code)
        assert "entries signed into the log" in in_words(won)
        assert "The set-up is founded" in in_words(lost), in_words(lost)
        assert signs_in(served, first)


def test_who_takes_over_while_it_is_founded_is_told_that_it_is(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    with serving(new_home(), tmp_path) as served, served.browser() as first, served.browser() as second:
        first.enter(served.said(CODE))
        first.whole()
        answers: list[Any] = []
        founding_now = threading.Thread(target=lambda: answers.append(review(first.client)))
        founding_now.start()
        while not served.home.exists():
            assert founding_now.is_alive() or served.home.exists()
        # Its console has told the next code: another browser is let in and presses the button too.
        second.client.post("/setup/code", data={"code": served.said(CODE)})
        late = review(second.client)
        founding_now.join(60)
        assert [one.status_code for one in answers] == [200]
        assert "entries signed into the log" in in_words(answers[0])
        assert (late.status_code, "The set-up is founded" in in_words(late)) == (409, True), in_words(late)
        assert signs_in(served, first)


def test_two_servers_on_one_empty_folder_found_one_installation(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    home = new_home()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        serving(home, tmp_path / "one") as here,
        serving(home, tmp_path / "two") as there,
        here.browser() as first,
        there.browser() as second,
    ):
        for served, someone in ((here, first), (there, second)):
            someone.enter(served.said(CODE))
            someone.whole()
        answers = together(lambda: review(first.client), lambda: review(second.client))
        won = [n for n, one in enumerate(answers) if "entries signed into the log" in in_words(one)]
        assert len(won) == 1, [in_words(one) for one in answers]
        lost = answers[1 - won[0]]
        assert lost.status_code == 503 and "Nothing was founded" in in_words(lost), in_words(lost)
        assert "another founding under way" in in_words(lost) or "found files" in in_words(lost)
        assert not (home / founding.CLAIM).exists()
        assert signs_in((here, there)[won[0]], (first, second)[won[0]])


def test_two_commands_at_once_found_one_installation_and_the_other_touches_nothing(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_COST", CHEAP)
    home = new_home()
    people = tuple(
        {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
    )
    asked = founding.Founding(ORIGIN, "evaluation", LAB_SITE, people)
    secrets = {u: secret_of(u) for u, *_ in FOUNDERS}
    found = together(*[lambda: founding.init(home, asked, secrets)] * 3)
    assert sum(isinstance(one, int) for one in found) == 1, found
    assert {one.code for one in found if isinstance(one, EnvironmentFault)} == {"ENVIRONMENT"}
    assert (home / "coverslip.json").is_file() and (home / "signer" / "journal").is_file()
    assert not (home / founding.CLAIM).exists()


def test_a_founding_that_was_cut_off_is_named(new_home: Callable[[], Path]) -> None:
    home = new_home()
    home.mkdir()
    (home / founding.CLAIM).touch()
    with pytest.raises(EnvironmentFault, match="an empty folder"):
        founding.init(home, founding.Founding(ORIGIN, "evaluation", LAB_SITE, ()), {})
    assert (home / founding.CLAIM).exists()
