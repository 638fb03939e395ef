"""What was sent to a session is entered once, by whatever page, and no more than a person reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.kernel import views
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event, Events
from coverslip.kernel.views import AGAIN_S, KEPT, MOST, WINDOW_S, Views
from fix_lab import Lab, refused
from fix_pages import Pages, Visitor


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent(clock: Clock) -> Callable[..., bool]:
    """Send something as ``Events.view`` does; return whether it was entered."""
    made = Views(clock)

    def send(session: str = "s", uid: str = "u", version: int = 1, person: str = "p", **detail: Any) -> bool:
        about: Any = SimpleNamespace(uid=uid, version=version) if uid else None
        key = Views.key(session, "view", detail or {"shown": "x"}, about)
        due = made.due(key, person)
        if due:
            made.entered(key, person)
        return due

    return send


def test_the_same_to_the_same_session_is_entered_once(sent: Callable[..., bool], clock: Clock) -> None:
    assert sent()
    clock.at += 3 * AGAIN_S
    assert not sent()


@pytest.mark.parametrize("other", [{"session": "t"}, {"uid": "v"}, {"version": 2}, {"shown": "y"}])
def test_anything_else_is_entered(sent: Callable[..., bool], other: dict[str, Any]) -> None:
    assert sent()
    assert sent(**other)


def test_what_has_no_version_is_entered_again_after_a_while(sent: Callable[..., bool], clock: Clock) -> None:
    assert sent(uid="", page="/work")
    clock.at += AGAIN_S - 1
    assert not sent(uid="", page="/work")
    clock.at += 2
    assert sent(uid="", page="/work")


def test_a_person_is_told_to_wait_and_others_are_not(sent: Callable[..., bool], clock: Clock) -> None:
    for n in range(MOST):
        assert sent(uid=f"u{n}", session=f"s{n % 2}")
    with refused("THROTTLED") as caught:
        sent(uid="one more")
    assert "different records and pages within 10 minutes" in caught[0].message
    assert 0 < caught[0].values["seconds"] <= WINDOW_S + 1
    assert not sent(uid="u1", session="s1"), "what was entered is shown all the same"
    assert sent(uid="one more", person="q", session="of q")
    clock.at += WINDOW_S + 1
    assert sent(uid="one more")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made, clock = Views(Clock()), itertools.count()
    for n in clock:
        if n > KEPT + 10:
            break
        made.entered(Views.key("s", "view", {"n": n}, None), f"p{n}")
    assert len(made._sent) == KEPT
    assert len(made._times) <= 5000


def test_what_could_not_be_entered_is_not_taken_for_entered(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = lab.row(lab.n["sop"])
    event = Event("view", "view", {"shown": "not yet"}, row)
    with monkeypatch.context() as patch:

        def broken(self: Events, event: Event, context: Context) -> None:
            raise EnvironmentFault("TRAIL_UNAVAILABLE")

        patch.setattr(Events, "record", broken)
        with refused("TRAIL_UNAVAILABLE"):
            lab.events.view(event, lab.quinn.context)
    before = entered(lab)
    lab.events.view(event, lab.quinn.context)
    assert entered(lab) == before + 1


# --- through the pages ------------------------------------------------------------------------------------


def entered(lab: Lab) -> int:
    found = lab.ask('select count(*) from ledger.entry where position(\'"type":"view"\'::bytea in leaf) > 0')
    return int(found[0][0])


@pytest.fixture(scope="module")
def violet(lab: Lab) -> str:
    """Somebody who signs in again and again; returns the user name."""
    lab.invite("violet", "Violet Viewer", ("REV",))
    return "violet"


def reopened(lab: Lab, pages: Pages, username: str) -> Visitor:
    """Return a visitor of a session of one's own."""
    return Visitor(pages().client.app, token=lab.sign_in(username).token)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/r/{sop}v1/print", "/api/v1/records/{sop}v1/view"])
def test_a_print_opened_again_and_again_is_one_entry_a_session(
    lab: Lab, pages: Pages, violet: str, path: str
) -> None:
    address = path.format(sop=lab.n["sop"])
    for _ in range(2):
        someone = reopened(lab, pages, violet)
        headers = {"Authorization": f"Bearer {someone.token}"}
        before = entered(lab)
        for _ in range(15):
            assert someone.get(address, headers=headers).status_code == 200
        assert entered(lab) == before + 1
        lab.identity.sign_out(lab.identity.session(someone.token))


def test_beyond_what_a_person_reads_the_page_says_so(
    lab: Lab, pages: Pages, violet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = reopened(lab, pages, violet)
    monkeypatch.setattr(lab.events, "_views", Views())
    monkeypatch.setattr(views, "MOST", 1)
    assert someone.get(f"/r/{lab.n['sop']}v1/print").status_code == 200
    told = someone.get(f"/r/{lab.n['study']}/print")
    assert told.status_code == 429 and int(told.headers["retry-after"]) > 0
    assert "You opened 1 different records and pages within 10 minutes" in told.text
    assert someone.get(f"/r/{lab.n['sop']}v1/print").status_code == 200
    lab.identity.sign_out(lab.identity.session(someone.token))
