"""A computer somebody left: what a page does by itself keeps no session open, and nothing of it is kept."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from coverslip.bootstrap.faces import Faces
from coverslip.kernel.desk import Desk
from coverslip.kernel.identity import Place
from coverslip.settings import Limits
from fix_lab import Lab, Person, secret_of
from fix_pages import Visitor

NAMES = (f"leopold{n}" for n in range(100))


@pytest.fixture
def leo(lab: Lab) -> Person:
    name = next(NAMES)
    lab.invite(name, "Leo", ("REV",))
    return Person(
        lab, name, lab.identity.sign_in(name, secret_of(name), Place("ws-leo", "127.0.0.1", "tests", "UTC"))
    )


@pytest.fixture(scope="module")
def case(lab: Lab) -> str:
    return lab.new_review()[1]


def left_for(lab: Lab, person: Person, minutes: float) -> None:
    lab.ask(
        "update ops.session set seen_at = seen_at - %s * interval '1 minute' where session = %s returning 1",
        minutes, person.context.session,
    )  # fmt: skip


BY_ITSELF = ("position", "events?at=before")


@pytest.mark.parametrize("asked", BY_ITSELF)
def test_a_page_that_asks_by_itself_does_not_stand_for_a_person(
    lab: Lab, faced: Faces, leo: Person, case: str, asked: str
) -> None:
    """The review screen asks every ten seconds for what arrived, whether or not anybody sits there."""
    visitor = Visitor(faced, token=leo.token)
    assert visitor.get(f"/review/{case}").status_code == 200
    step = Limits().idle_lock_minutes / 4
    for _ in range(3):
        left_for(lab, leo, step)
        assert visitor.get(f"/review/{case}/{asked}").status_code == 200
    left_for(lab, leo, step)
    for address in (f"/review/{case}/{asked}", f"/review/{case}", "/work"):
        answer = visitor.get(address)
        assert (answer.status_code, answer.headers["location"][:7]) == (303, "/locked"), address


def test_somebody_who_is_there_is_not_locked_out(lab: Lab, faced: Faces, leo: Person) -> None:
    visitor = Visitor(faced, token=leo.token)
    for _ in range(3):
        left_for(lab, leo, Limits().idle_lock_minutes * 0.75)
        assert visitor.get("/work").status_code == 200


def test_to_ask_who_locked_it_wakes_nothing(lab: Lab, leo: Person) -> None:
    left_for(lab, leo, Limits().idle_lock_minutes * 0.75)
    assert Desk(lab.accounts, lab.events, lab.identity).locked(leo.token) is None
    left_for(lab, leo, Limits().idle_lock_minutes * 0.5)
    assert Desk(lab.accounts, lab.events, lab.identity).locked(leo.token) is not None


def test_pictures_of_one_person_are_not_kept_for_the_next(lab: Lab, faced: Faces, leo: Person) -> None:
    """Tiles and thumbnails may stay in a browser's memory for a day; with its person they leave it."""
    visitor = Visitor(faced, token=leo.token)
    assert visitor.post("/lock").headers["clear-site-data"] == '"cache"'
    form = {"username": leo.username, "password": secret_of(leo.username), "workstation": "ws-leo"}
    for leaving in ("/switch", "/sign-out"):
        opened = Visitor(faced).client.post("/sign-in", data=form, headers={"Origin": visitor.origin})
        assert (opened.status_code, opened.headers["clear-site-data"]) == (303, '"cache"')
        token = SimpleCookie(opened.headers["set-cookie"])["coverslip"].value
        answer = Visitor(faced, token=token).post(leaving)
        assert (answer.status_code, answer.headers.get("clear-site-data")) == (303, '"cache"'), leaving
