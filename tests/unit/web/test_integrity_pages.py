"""Integrity on pages: verification that really looks, seals that are computed, alterations that stop acts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from coverslip.application.assurance import Progress
from fix_lab import Lab
from fix_pages import Pages

GUARDS = ("coverslip_ddl_guard", "coverslip_drop_guard")


def waited(pages: Pages, text: str) -> str:
    """Follow the verification under way to its end; return the page, which then says ``text``.

    The page alone would not do: until the end it shows what the verification before found.
    """
    assert pages("quinn").get("/integrity/events").text.endswith("data: ended\n\n")
    found = pages("quinn").get("/integrity").text
    assert text in found
    return found


@contextmanager
def altered(lab: Lab, change: str, back: str) -> Iterator[None]:
    """Change the database as somebody with all rights could, and change it back."""
    with psycopg.connect(**lab.cluster.dsn("cs_superuser"), autocommit=True) as conn:
        with unguarded(conn):
            conn.execute(change.encode())
        try:
            yield
        finally:
            with unguarded(conn):
                conn.execute(back.encode())


@contextmanager
def unguarded(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Take the guards off the entries for a moment, as only a superuser can."""
    named = "select tgname from pg_trigger where tgrelid = 'ledger.entry'::regclass and tgenabled = 'A'"
    found = [str(name) for (name,) in conn.execute(named.encode()).fetchall()]
    for guard in GUARDS:
        conn.execute(f"alter event trigger {guard} disable".encode())
    conn.execute("alter table ledger.entry disable trigger all")
    try:
        yield
    finally:
        for name in found:
            conn.execute(f"alter table ledger.entry enable always trigger {name}".encode())
        for guard in GUARDS:
            conn.execute(f"alter event trigger {guard} enable always".encode())


@pytest.fixture(scope="module", autouse=True)
def unverified(lab: Lab, pages: Pages) -> dict[str, str]:
    """The pages as they are before any test has something verified."""
    lab.integrate()
    return {address: pages("quinn").get(address).text for address in ("/integrity", "/work")}


def test_what_was_never_verified_is_said_to_be_late(unverified: dict[str, str]) -> None:
    assert "Not verified yet" in unverified["/integrity"]
    assert "Ledger not verified yet, late" in unverified["/work"]


def test_verify_now_looks_at_everything_and_enters_what_it_found(lab: Lab, pages: Pages) -> None:
    lab.integrate()
    assert pages("quinn").post("/integrity/verify").status_code == 303
    found = waited(pages, "entries then on the ledger")
    assert "entries then on the ledger" in found
    assert lab.reading.certificates("verification")[0]["detail"]["holds"]
    assert '<span class="m">Ledger verified</span>' in pages("quinn").get("/work").text


def test_a_planted_alteration_is_found_and_said(lab: Lab, pages: Pages) -> None:
    uid = lab.row("SITE-01").uid
    title = "update projection.record set title = '{}' where uid = '" + uid + "'"
    lab.integrate()
    with altered(lab, title.format("Another site"), title.format(lab.row("SITE-01").title)):
        pages("quinn").post("/integrity/verify")
        found = waited(pages, "<h2>Alteration found</h2>")
        assert "SITE-01" in found
    assert not lab.reading.certificates("verification")[0]["detail"]["holds"]
    assert "<h2>Alteration found</h2>" in pages("quinn").get("/integrity").text


def test_progress_is_sent_as_it_goes_and_ends_by_itself(lab: Lab, pages: Pages) -> None:
    pages("quinn").post("/integrity/verify")
    text = pages("quinn").get("/integrity/events").text
    assert text.startswith("data: ") and text.endswith("event: ended\ndata: ended\n\n")
    part = pages("quinn").get("/integrity/progress", headers={"HX-Request": "true"}).text
    assert "<html" not in part and "hx-get" not in part, "what has ended asks no more"
    assert pages("quinn").get("/integrity/progress").headers["location"] == "/integrity"


def test_one_verification_runs_at_a_time(lab: Lab) -> None:
    found = lab.services().assurance
    first = found.start(lab.quinn.context)
    second = found.start(lab.vera.context)
    assert second.begun == first.begun and second.by == "Quinn Quality"
    until = time.monotonic() + 60
    while found.progress().running and time.monotonic() < until:
        time.sleep(0.1)
    assert isinstance(found.progress(), Progress) and found.progress().ended


def test_a_record_is_sealed_only_when_its_newest_entry_is_under_a_signed_root(lab: Lab, pages: Pages) -> None:
    number = lab.new_sop("A sealed procedure")
    assert "Waits for a checkpoint" in pages("aurel").get(f"/r/{number}v1/record").text
    lab.integrate()
    assert "Integrity verified" in pages("aurel").get(f"/r/{number}v1/record").text
    proof = pages("aurel").get(f"/integrity/record/{number}v1").text
    assert "In the tree" in proof and "<h2>Integrity verified</h2>" in proof
    answer = pages("aurel").get(f"/integrity/record/{number}v1/proof")
    assert answer.text.startswith("c2sp.org/tlog-proof@v1\nindex ")
    assert lab.history(number, 1)[-1]["act"] == "export_proof"


def test_an_altered_record_is_red_and_nobody_signs_it(lab: Lab, pages: Pages) -> None:
    number = lab.new_sop("Changed behind the system")
    lab.integrate()
    row = lab.row(number, 1)
    content = (
        "update projection.record set content = jsonb_set(content, '{{fields,body}}', '\"{}\"')"
        " where uid = '{}'"
    )
    with altered(lab, content.format("1. Invent.", row.uid), content.format("1. Image. 2. Count.", row.uid)):
        shown = pages("aurel").get(f"/r/{number}v1/record").text
        assert "Alteration found" in shown and "Integrity verified" not in shown
        assert f"/r/{number}v1/do/submit" not in shown, "no act is offered"
        asked = pages("aurel").get(f"/r/{number}v1/do/submit")
        assert asked.status_code == 409 and "HASH" in asked.text
        sent = {"expected_version": str(row.version), "username": "aurel", "password": lab.aurel.secret}
        refused = pages("aurel").post(f"/r/{number}v1/do/submit", sent)
        assert refused.status_code == 409 and "HASH" in refused.text
        assert (
            "what is shown differs from its entries in body"
            in pages("aurel").get(f"/integrity/record/{number}v1").text.lower()
        )
    assert "Integrity verified" in pages("aurel").get(f"/r/{number}v1/record").text
    assert lab.row(number, 1).version == row.version


def test_an_entry_that_was_rewritten_has_no_proof(lab: Lab, pages: Pages) -> None:
    number = lab.new_sop("Rewritten")
    lab.integrate()
    index = lab.history(number, 1)[0]["index"]
    where = f" where id = (select entry_id from ledger.leaf where log_id = 1 and idx = {index})"
    flip = (
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '{}', '{}'), 'UTF8')"
    )
    flip += where
    was, wrong = '"act":"create"', '"act":"creatd"'
    with altered(lab, flip.format(was, wrong), flip.format(wrong, was)):
        said = "it does not lead to the signed root"
        assert said in pages("quinn").get(f"/audit/{index}").text
        assert "Alteration found" in pages("aurel").get(f"/integrity/record/{number}v1").text


def test_gaps_are_shown_with_what_is_known(lab: Lab, pages: Pages) -> None:
    assert "No leaf is missing" in pages("quinn").get("/integrity/gaps").text
