"""The pages of the set-up: for whoever has the code, in order, without a script, telling no secret."""

from __future__ import annotations

import html
import re
import warnings
from dataclasses import replace

import pytest

from coverslip.application.setting_up.gate import TRIES
from coverslip.records.founding import to_sign
from coverslip.web.serving import Serving
from coverslip.web.setup import Ending, create_setup
from fix_setup import KEEPING, LETTER, PEOPLE, SITE, Bench, Browser, password_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*httpx.*")
    from fastapi.testclient import TestClient


class Pages(Browser):
    """The pages over a bench."""

    def __init__(self, bench: Bench, *, secure: bool = False) -> None:
        self.bench, self.ended = bench, [0]
        app = create_setup(bench.state, bench.gate, Serving(secure), Ending(self._close, self._end))
        super().__init__(TestClient(app, base_url=f"http{'s' if secure else ''}://localhost:8000"))

    def _close(self) -> None:
        assert self.ended == [0], "no connection is taken any more before the last answer"

    def _end(self) -> None:
        self.ended[0] += 1


@pytest.fixture
def pages() -> Pages:
    return Pages(Bench())


@pytest.fixture
def inside(pages: Pages) -> Pages:
    assert pages.enter(pages.bench.console[0]).status_code == 200
    return pages


def test_without_the_code_there_is_nothing_but_the_question_for_it(pages: Pages) -> None:
    for path in ("/", "/setup", "/setup/site", "/setup/review", "/setup/letter.txt"):
        shown = pages.get(path)
        assert "Set-up code" in shown.text
        assert "Evaluation" not in shown.text
    for step in ("site", "keeping", "people", "keys", "policy", "letter", "review"):
        assert pages.client.post(f"/setup/{step}", data=SITE).status_code == 401
    assert pages.bench.state.site["name"] == ""


def test_a_wrong_code_is_refused_and_whoever_guesses_is_soon_told_to_wait(pages: Pages) -> None:
    for _ in range(TRIES):
        answer = pages.enter("AAAA-AAAA-AAAA-AAAA")
        assert answer.status_code == 401
        assert "not the code" in answer.text
    throttled = pages.enter("AAAA-AAAA-AAAA-AAAA")
    assert throttled.status_code == 429
    assert int(throttled.headers["retry-after"]) > 0
    assert pages.get("/setup/site").text.count("Set-up code") == 1
    assert pages.bench.warnings


def test_whoever_guesses_does_not_keep_the_gate_shut(pages: Pages) -> None:
    for _ in range(TRIES * 3):
        pages.enter("AAAA-AAAA-AAAA-AAAA")
    assert "Site and use" in pages.enter(pages.bench.console[0]).text


def test_the_cookie_is_for_this_site_and_no_script(pages: Pages) -> None:
    answer = pages.client.post("/setup/code", data={"code": pages.bench.console[0]}, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_over_tls_the_cookie_is_bound_to_it() -> None:
    pages = Pages(Bench(), secure=True)
    answer = pages.client.post("/setup/code", data={"code": pages.bench.console[0]}, follow_redirects=False)
    assert answer.headers["set-cookie"].startswith("__Host-coverslip-setup=")
    assert "Secure" in answer.headers["set-cookie"]


def test_a_browser_that_lost_its_place_is_out(inside: Pages) -> None:
    other = Pages(inside.bench)
    assert "Site and use" in other.enter(inside.bench.console[1]).text
    assert "Set-up code" in inside.get("/setup/site").text


def test_everything_answered_founds_and_leads_to_the_sign_in(inside: Pages) -> None:
    review = inside.whole()
    assert "What will be founded" in review.text
    assert "identity verified by Quinn Quality (passport)" in review.text
    founded = inside.send("review")
    assert "99 entries" in founded.text
    assert 'href="/sign-in"' in founded.text
    assert inside.ended == [1]
    answers, passwords = inside.bench.machine.asked[0]
    assert answers.people == PEOPLE
    assert passwords["quinn"] == password_of("quinn")


def test_the_letter_goes_with_it_where_fda_regulates(inside: Pages) -> None:
    inside.whole(SITE | {"authority": "fda"})
    assert "99 entries" in inside.send("review").text
    letter = inside.bench.machine.asked[0][0].letter
    assert letter is not None
    assert (letter.channel, letter.sent_on, letter.scan) == (
        "paper",
        LETTER["sent_on"],
        b"Signed by hand: Q. Quality",
    )


def test_where_it_does_not_there_is_no_letter(inside: Pages) -> None:
    inside.whole()
    assert "Letter to the FDA" not in inside.get("/setup/review").text
    assert "What will be founded" in inside.get("/setup/letter").text
    assert inside.client.post("/setup/letter", data=LETTER | token(inside)).status_code == 409
    assert inside.get("/setup/letter.txt").status_code == 409


def test_the_letter_to_print_names_the_organisation(inside: Pages) -> None:
    inside.bench.to("letter", authority="fda")
    text = inside.get("/setup/letter.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert "Test site certifies" in text.text
    assert "tracking" not in inside.get("/setup/letter").text


def token(pages: Pages) -> dict[str, str]:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', pages.get("/setup/site").text)
    assert found
    return {"csrf": found[1]}


@pytest.mark.parametrize("step", ["keeping", "people", "keys", "policy", "letter", "review"])
def test_a_form_out_of_order_is_refused(inside: Pages, step: str) -> None:
    answer = inside.client.post(f"/setup/{step}", data=token(inside) | {"username": "ada"})
    assert answer.status_code == 409
    assert "SEQ_STATE" in answer.text
    assert inside.get(f"/setup/{step}").url.path == "/setup/site"


def test_a_form_of_another_site_is_refused(inside: Pages) -> None:
    assert inside.client.post("/setup/site", data=SITE).status_code == 403
    forged = inside.client.post("/setup/site", data=SITE | {"csrf": "0" * 64})
    assert forged.status_code == 403
    away = inside.client.post(
        "/setup/site", data=SITE | token(inside), headers={"origin": "https://evil.example"}
    )
    assert away.status_code == 403
    assert inside.bench.state.site["name"] == ""


def test_nothing_typed_is_lost_but_secrets(inside: Pages) -> None:
    shown = inside.send("site", **SITE | {"code": "t", "name": 'Lab "<b>'})
    assert shown.status_code == 422
    assert "2 to 4 capital letters." in shown.text
    assert 'value="Lab &#34;&lt;b&gt;"' in shown.text
    assert 'value="lab.example/site1"' in shown.text
    inside.bench.to("keys")
    weak = inside.send("keys", username="ada", password="walnut", again="walnut")
    assert weak.status_code == 422
    assert "12 or more characters" in weak.text
    assert "walnut" not in weak.text


def test_two_founders_do_not_found(inside: Pages) -> None:
    inside.bench.to("people")
    shown = inside.people(PEOPLE[:2])
    assert shown.status_code == 422
    assert "At least three people found an installation; 2 named." in shown.text
    assert "Quinn Quality" in shown.text


def test_one_person_twice_does_not_found(inside: Pages) -> None:
    inside.bench.to("people")
    shown = inside.people((*PEOPLE[:2], replace(PEOPLE[2], username="ada")))
    assert "Founders are different people." in shown.text


def test_nobody_signs_for_another(inside: Pages) -> None:
    inside.bench.to("policy")
    shown = inside.send(
        "policy", person="ada", username="quinn", password=password_of("quinn"), document="passport"
    )
    assert shown.status_code == 422
    assert "another founder" in shown.text
    wrong = inside.send("policy", person="ada", username="ada", password="guess", document="passport")
    assert wrong.status_code == 401
    assert "guess" not in wrong.text
    assert inside.bench.state.signed == {}


def test_the_policy_is_read_and_signed_and_never_ticked(inside: Pages) -> None:
    inside.bench.to("policy")
    shown = inside.get("/setup/policy").text
    assert "legally binding equal" in shown
    assert "over the account of Aurel Author" in shown
    for one in to_sign("Aurel Author", author=False, approver=False):
        assert one.text in html.unescape(shown)
    assert 'type="checkbox"' not in shown


def test_a_second_founding_is_refused(inside: Pages) -> None:
    inside.whole()
    again = token(inside)
    inside.send("review")
    assert inside.client.post("/setup/review", data=again).status_code == 503
    assert inside.get("/setup/site").status_code == 503
    assert len(inside.bench.machine.asked) == 1


def test_what_a_regulated_one_lacks_is_told_beside_its_field(inside: Pages) -> None:
    inside.bench.machine.lacks = {"backup_to": "Name a folder.", "database": "No PostgreSQL of the system."}
    inside.send("site", **SITE | {"use": "regulated"})
    shown = inside.send("keeping", **KEEPING)
    assert shown.status_code == 422
    assert "Name a folder." in shown.text
    assert "No PostgreSQL of the system." in shown.text


def test_the_clock_is_shown_as_it_is_now(inside: Pages) -> None:
    inside.bench.to("keeping")
    shown = inside.send("keeping", measure="1", **KEEPING | {"time_sources": "sntp:time.example"})
    assert shown.url.path == "/setup/keeping"
    assert "+1.234 ms against sntp time.example" in shown.text


def test_no_page_runs_what_was_typed_or_is_framed(inside: Pages) -> None:
    inside.bench.to("review", authority="fda")
    for step in ("site", "keeping", "people", "keys", "policy", "letter"):
        shown = inside.get(f"/setup/{step}")
        assert shown.status_code == 200
        assert shown.url.path == f"/setup/{step}"
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert shown.headers["x-frame-options"] == "DENY"
        assert shown.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=|\sstyle=|<style", shown.text)


def test_a_scan_that_is_none_is_refused(inside: Pages) -> None:
    inside.bench.to("letter", authority="fda")
    scan = {"scan": ("l.html", b"<script>", "text/html")}
    assert inside.send("letter", files=scan, **LETTER).status_code == 422
    assert inside.bench.state.letter.scan == b""


def test_a_scan_beyond_the_limit_is_not_read(inside: Pages) -> None:
    inside.bench.to("letter", authority="fda")
    scan = {"scan": ("l.pdf", b"x" * (5 * 1024**2), "application/pdf")}
    assert inside.send("letter", files=scan, **LETTER).status_code == 413


def test_other_addresses_are_not_there(inside: Pages) -> None:
    for path in ("/sign-in", "/api/v1/records", "/setup/../etc", "/setup/nothing", "/work"):
        assert inside.client.get(path, follow_redirects=False).status_code == 404
