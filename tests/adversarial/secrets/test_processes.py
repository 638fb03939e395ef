"""Secrets in the processes of a served installation: no core dump, nobody looks in, nothing stays behind."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from coverslip.bootstrap import wiring
from coverslip.client import Coverslip
from coverslip.client.errors import ApiError
from coverslip.kernel import keys
from fix_lab import secret_of
from fix_memory import Running, occurrences

CHILDREN = {"signer", "sequencer", "worker", "keeper", "web"}
ORDINARY_REQUESTS = 40
TODAY = dt.datetime.now(dt.UTC).date().isoformat()


def seed_of(running: Running, username: str) -> bytes:
    """Return a person's unwrapped signing key, as only their password opens it."""
    with psycopg.connect(wiring.conninfo(running.home, "cs_writer")) as conn:
        person, wrapped = conn.execute(
            "select c.person::text, c.data from ops.credential c join ops.session s on s.person = c.person"
            " where c.kind = 'signing' and s.username = %s and c.revoked_at is null limit 1",
            (username,),
        ).fetchone() or ("", {})
    return keys._unwrap(wrapped, secret_of(username), person).private_bytes_raw()


def may_look_in(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/mem", "rb"):
            return True
    except PermissionError:
        return False


def test_every_child_leaves_no_core_dump_and_lets_nobody_look_in(running: Running) -> None:
    children = running.children()
    assert set(children) == CHILDREN
    for role, pid in children.items():
        limits = Path(f"/proc/{pid}/limits").read_text("ascii")
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"], role
        # What may not be dumped belongs to root: no process of the same account opens it.
        assert Path(f"/proc/{pid}/mem").stat().st_uid == 0, role
        assert may_look_in(pid) is (os.geteuid() == 0), role


def test_a_process_of_the_same_account_without_this_can_be_looked_into() -> None:
    """The control: what the check above would see of an ordinary process."""
    code = "print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as plain:
        assert plain.stdout is not None and plain.stdin is not None
        plain.stdout.readline()
        limits = Path(f"/proc/{plain.pid}/limits").read_text("ascii")
        assert "Max core file size" in limits and may_look_in(plain.pid)
        assert Path(f"/proc/{plain.pid}/mem").stat().st_uid == os.geteuid()
        plain.stdin.write(b"\n")


def test_password_and_key_leave_the_web_process_with_the_ceremony(running: Running) -> None:
    """Searched byte by byte: the key is gone at once, the password with the memory Python uses again.

    Python cannot overwrite the text a request brought. It lies in freed memory until something else is put
    there: a few ordinary requests later nothing is found.
    """
    web = running.children()["web"]
    if not may_look_in(web):
        assert os.geteuid() != 0
        return
    with Coverslip(running.address) as desk:
        desk.sign_in("quinn", secret_of("quinn"))
        secrets = {"password": secret_of("quinn").encode(), "key": seed_of(running, "quinn")}
        scan = running.home.root.parent / "scan.pdf"
        scan.write_bytes(b"%PDF-1.4 scan")
        letter = desk.records.create(
            "certification_letter",
            {"organisation": "Test Lab", "sites": ["SITE-01"], "statement": "Our signatures bind.",
             "signed_by": "Q", "addressee": "FDA", "channel": "electronic", "covers_from": TODAY},
        ).entries[0].number  # fmt: skip
        for act, fields in (
            ("sign_on_paper", {"handwritten_scan": desk.attach(scan)}),
            ("send", {"sent_on": TODAY}),
        ):
            version = desk.records.view(letter).version
            desk.records.act(letter, act, fields=fields, expected_version=version)
        view = desk.records.view("SITE-01")
        signed = desk.records.sign(view, "activate", username="quinn", password=secret_of("quinn"))
        assert signed.entries[0].number == "SITE-01"
        at_once = occurrences(web, secrets)
        with pytest.raises(ApiError):
            desk.records.sign(view, "activate", username="quinn", password=secret_of("quinn") + " wrong")
        for _ in range(ORDINARY_REQUESTS):
            desk.records.view("SITE-01")
            desk.me()
        later = occurrences(web, secrets)
    print(f"found at once {at_once}, after {2 * ORDINARY_REQUESTS} requests {later}")
    assert at_once["key"] == 0
    assert later == {"password": 0, "key": 0}


def test_the_search_finds_what_is_there() -> None:
    """The control of the search, on this very process, where it may be looked into."""
    held = os.urandom(24)
    if may_look_in(os.getpid()):
        found = occurrences(os.getpid(), {"held": held, "other": os.urandom(24)[::-1] + b"!"})
        assert found["held"] >= 1
