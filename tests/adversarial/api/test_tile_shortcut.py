"""The short way to a tile lets nobody through whom the ordinary way would not, beyond a moment."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.application import shortcut
from coverslip.application.shortcut import ADMITTED_S, Admissions, TileShortcut, bearer
from coverslip.kernel.clock import monotonic_s
from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]
PIXELS = np.arange(300 * 300, dtype=np.uint16).reshape(300, 300)
QUERY = "channels=0:ffffff:0:60000"


@pytest.fixture(scope="module")
def image(lab: Lab) -> str:
    out = io.BytesIO()
    tifffile.imwrite(out, PIXELS, metadata=None, compression="zstd", tile=(256, 256))
    data = out.getvalue()
    session = lab.new_session()
    lab.start_session(session)
    told = {
        "name": "a.tif",
        "size": len(data),
        "sha256": sha256(data).hexdigest(),
        "sequence": 1,
        "reason": "By hand.",
    }
    return str(lab.ingest().deliver(session, lab.olga.context, told, io.BytesIO(data))["number"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What took the short way: the paths it answered."""
    found: list[str] = []
    send = TileShortcut._send

    async def noted(self: TileShortcut, scope: Any, sender: Any, picture: Any) -> None:
        found.append(scope["path"])
        await send(self, scope, sender, picture)

    monkeypatch.setattr(TileShortcut, "_send", noted)
    return found


def tile(caller: Caller, number: str, place: str = "0/0_0.jpg", query: str = QUERY, **more: Any) -> Any:
    return caller.request("GET", f"/images/{number}/tiles/{place}?{query}", **more)


def test_the_first_tile_goes_the_ordinary_way_and_the_next_the_short_one_with_the_same_answer(
    lab: Lab, api: Api, image: str, asked: list[str]
) -> None:
    caller = Caller(api("rita").client, "rita", lab.sign_in("rita").token)
    first, second = tile(caller, image), tile(caller, image)
    assert len(asked) == 1
    assert first.content == second.content
    named = ("etag", "content-type", "cache-control", "content-security-policy", "x-content-type-options")
    assert [first.headers[name] for name in named] == [second.headers[name] for name in named]
    known = tile(caller, image, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content, len(asked)) == (304, b"", 2)


def test_somebody_elses_admission_admits_nobody(lab: Lab, api: Api, image: str, asked: list[str]) -> None:
    assert tile(api("rita"), image).status_code == 200
    asked.clear()
    client = api("rita").client
    assert tile(Caller(client), image).status_code == 401
    assert tile(Caller(client, "", "f" * 64), image).status_code == 401
    assert tile(api("rita"), image, headers={"Authorization": "Basic abc"}).status_code == 401
    assert asked == []


def test_an_ended_session_sees_no_tile_once_the_moment_is_over(
    lab: Lab, api: Api, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(api("rita").client, "rita", lab.sign_in("rita").token)
    assert tile(caller, image).status_code == 200
    assert caller.request("DELETE", "/sessions/current").status_code < 300
    monkeypatch.setattr(shortcut, "monotonic_s", lambda: monotonic_s() + ADMITTED_S)
    assert tile(caller, image).status_code == 401
    assert ADMITTED_S <= 2


@pytest.mark.parametrize(
    ("place", "query", "status"),
    [
        ("0/9_9.jpg", QUERY, 422),
        ("0/0_0.jpg", QUERY + "&q=5", 422),
        ("0/0_0.jpg", QUERY + "&z=4", 422),
        ("0/0_0.jpg", "channels=0:ffffff:9:1", 422),
        ("0/0_0.jpg", QUERY + "&channels=0:ffffff:0:1", 200),
        ("0/0_0.jpg", "channels=", 200),
        ("0/0_0.jpg", QUERY + "&else=1", 200),
        ("../../records/0/0_0.jpg", QUERY, 404),
    ],
)
def test_what_is_not_plain_goes_the_ordinary_way_and_is_refused_there(
    lab: Lab, api: Api, image: str, asked: list[str], place: str, query: str, status: int
) -> None:
    caller = api("rita")
    assert tile(caller, image).status_code == 200
    asked.clear()
    assert tile(caller, image, place, query).status_code == status
    assert asked == []


def test_two_tokens_are_none() -> None:
    head = (b"authorization", b"Bearer abc")
    assert bearer({"headers": [head]}) == "abc"
    assert bearer({"headers": [head, head]}) == ""
    assert bearer({"headers": [(b"authorization", b"Basic abc")]}) == ""


def test_admissions_are_bounded_and_forget(lab: Lab) -> None:
    row = lab.row(lab.n["study"])
    kept = Admissions()
    for number in range(5000):
        kept.admit("token", f"IMG-{number}", row)
    assert kept.row("token", "IMG-0") is None
    assert kept.row("token", "IMG-4999") is row
    assert kept.row("", "IMG-4999") is None
    assert Admissions(0).row("token", "IMG-1") is None
