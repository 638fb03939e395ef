"""Sessions of browsers: never one that was brought, out of reach of scripts, dead once they ended."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from coverslip.bootstrap.faces import Faces, faces
from coverslip.web.serving import Serving
from fix_lab import Lab, secret_of
from fix_pages import Elements, Visitor

BROUGHT = "f" * 64


RITA = {"username": "rita", "password": secret_of("rita"), "workstation": "ws-rita", "next": "/work"}
"""The workstation is where Rita works already: nobody is signed in at two."""


def sign_in(visitor: Visitor) -> SimpleCookie:
    form = RITA
    answer = visitor.client.post("/sign-in", data=form, headers={"Origin": visitor.origin})
    assert answer.status_code == 303, answer.text
    return SimpleCookie(answer.headers["set-cookie"])


def signed_in(visitor: Visitor) -> bool:
    return visitor.get("/work").status_code == 200


@pytest.fixture
def nobody(faced: Faces) -> Visitor:
    return Visitor(faced)


def test_a_session_brought_along_is_not_taken_up(nobody: Visitor) -> None:
    nobody.client.cookies.set("coverslip", BROUGHT)
    token = sign_in(nobody)["coverslip"].value
    assert token != BROUGHT
    assert len(token) >= 32
    planted = Visitor(nobody.client.app, token=BROUGHT)  # type: ignore[arg-type]
    assert not signed_in(planted)


def test_a_second_sign_in_makes_another_session(nobody: Visitor) -> None:
    assert sign_in(nobody)["coverslip"].value != sign_in(nobody)["coverslip"].value


def test_the_cookie_is_for_this_site_only_and_no_script_reads_it(nobody: Visitor) -> None:
    cookie = sign_in(nobody)["coverslip"]
    assert cookie["httponly"] is True
    assert cookie["samesite"].lower() == "strict"
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert not cookie["max-age"] and not cookie["expires"], "it ends with the browser"


def test_over_tls_the_cookie_is_bound_to_host_and_connection(lab: Lab) -> None:
    visitor = Visitor(faces(lab.services(), Serving(secure=True)), secure=True)
    cookie = sign_in(visitor)["__Host-coverslip"]
    assert cookie["secure"] is True and cookie["httponly"] is True
    assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_over_tls_a_cookie_without_the_prefix_opens_nothing(lab: Lab) -> None:
    visitor = Visitor(faces(lab.services(), Serving(secure=True)), secure=True)
    visitor.client.cookies.set("coverslip", lab.rita.token)
    assert not signed_in(visitor)


def test_a_session_that_was_signed_out_is_dead_for_everybody_who_has_it(
    faced: Faces, nobody: Visitor
) -> None:
    token = sign_in(nobody)["coverslip"].value
    mine, thief = Visitor(faced, token=token), Visitor(faced, token=token)
    assert signed_in(thief)
    answer = mine.post("/sign-out")
    assert answer.status_code == 303
    assert not signed_in(thief)


def test_no_page_shows_the_session(lab: Lab, faced: Faces) -> None:
    token = lab.rita.token
    visitor = Visitor(faced, token=token)
    for address in ("/work", f"/r/{lab.n['sop']}v1", "/types/deviation/new", "/nothing"):
        assert token not in visitor.get(address).text


def test_a_session_is_never_taken_from_an_address_or_a_form(lab: Lab, nobody: Visitor) -> None:
    for name in ("coverslip", "token", "session", "sid"):
        assert nobody.get("/work", params={name: lab.rita.token}).status_code == 303
    answer = nobody.client.post(
        "/sign-out", data={"coverslip": lab.rita.token}, headers={"Origin": nobody.origin}
    )
    assert answer.status_code == 303 and "/sign-in" in answer.headers["location"]


@pytest.mark.parametrize("token", ["", "x", "0" * 5000, "../../etc", "é", "a;b", "' or 1=1 --"])
def test_whatever_is_said_to_be_a_session_opens_nothing(nobody: Visitor, token: str) -> None:
    answer = nobody.client.get("/work", headers={"Cookie": f"coverslip={token}".encode()})
    assert answer.status_code == 303


def test_somebody_else_signed_in_says_nothing_of_the_password(nobody: Visitor) -> None:
    wrong = {"username": "rita", "password": "not the right one", "next": "/work"}
    unknown = {"username": "nobody-here", "password": "not the right one", "next": "/work"}
    answers = [
        nobody.client.post("/sign-in", data=form, headers={"Origin": nobody.origin})
        for form in (wrong, unknown)
    ]
    assert {a.status_code for a in answers} == {401}
    assert not any("set-cookie" in a.headers for a in answers)
    alerts = [a.text.split('role="alert"')[1][:300] for a in answers]
    assert alerts[0] == alerts[1], "a name that exists is not told from one that does not"
    assert all("not the right one" not in a.text for a in answers)


ELSEWHERE = [
    "//evil.example", "///evil.example", "////evil.example", "https://evil.example", "http:evil.example",
    "https:/evil.example", "javascript:alert(1)", "data:text/html,x", "/\\evil.example", "\\\\evil.example",
    "\\/evil.example", "/%2f/evil.example", "/%2fevil.example", "/%5cevil.example", "%2f%2fevil.example",
    "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example\r\nX: y",
    "/work\r\nSet-Cookie: coverslip=1", "/%0d%0aSet-Cookie:x=1", "//evil.example@localhost",
    "/.//evil.example", "@evil.example", ".evil.example", "evil.example", "ht\ttps://evil.example",
    "/\x00/evil.example", "/。evil", "//localhost@evil.example", "/types/..//evil.example", "",
]  # fmt: skip


@pytest.mark.parametrize("target", ELSEWHERE, ids=repr)
def test_a_sign_in_leads_nowhere_else(nobody: Visitor, target: str) -> None:
    shown = Elements(nobody.get("/sign-in", params={"next": target}).text)
    # A query that cannot be read is refused, and so asks for nothing.
    kept = next((i["value"] for i in shown.named("input") if i.get("name") == "next"), "/work")
    form = RITA | {"next": target}
    answer = nobody.client.post("/sign-in", data=form, headers={"Origin": nobody.origin})
    for found in (kept, answer.headers["location"]):
        assert browsed(found).startswith("http://localhost/"), found
    assert len(answer.headers.get_list("set-cookie")) == 1


def browsed(location: str) -> str:
    """Return where a browser goes: backslashes are slashes, tabs and newlines are nothing (WHATWG URL)."""
    plain = "".join(c for c in location.strip() if c not in "\t\r\n").replace("\\", "/")
    if plain.startswith("//"):
        return f"http:{plain}"
    return f"http://localhost{plain}" if plain.startswith("/") else plain


@pytest.mark.parametrize("target", ["/r/SOP-0001v1?tab=2", "/types/deviation?q=a+b&state=open", "/work"])
def test_a_sign_in_leads_back_to_where_somebody_wanted_to_go(nobody: Visitor, target: str) -> None:
    form = RITA | {"next": target}
    answer = nobody.client.post("/sign-in", data=form, headers={"Origin": nobody.origin})
    assert answer.headers["location"] == target
