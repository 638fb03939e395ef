"""Accounts and alerts by command, against the real interface over a private socket."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from coverslip.api.app import create_app
from coverslip.cli import main
from fix_lab import Lab, refused, secret_of

Command = Callable[..., Any]


@pytest.fixture
def served(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The lab's interface on a private socket, and a place of their own for the tokens of who signs in."""
    monkeypatch.setenv("COVERSLIP_SESSION", str(tmp_path / "keep" / "session.json"))
    monkeypatch.setattr("coverslip.cli.caller.INTEGRATION_WAIT_S", 0.0)  # no sequencer runs here
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        server = uvicorn.Server(
            uvicorn.Config(create_app(lab.services()), log_level="critical", lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        monkeypatch.setenv("COVERSLIP_SERVER", f"unix:{path}")
        yield path
        server.should_exit = True
        thread.join(20)


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process; ``stdin`` is what it may read."""

    def command(*arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return command


@pytest.fixture
def people(lab: Lab, served: Path, run: Command) -> Command:
    """Sign a person in by command, once, and run commands as them."""
    signed: set[str] = set()

    def acting(username: str, *arguments: object, stdin: str = "") -> Any:
        if username not in signed:
            for session in lab.accounts.sessions_of(lab.row(lab.number_of(username)).uid):
                lab.accounts.close_session(session.id, "test")
            lab._people.pop(username, None)
            ran = run(
                "login", username, "--as", username, "--password-stdin", stdin=f"{secret_of(username)}\n"
            )
            assert ran.code == 0, ran.err
            signed.add(username)
        return run(*arguments, "--as", username, stdin=stdin)

    return acting


@pytest.fixture
def lab(lab: Lab) -> Iterator[Lab]:
    """The shared laboratory, whose people sign in anew after each test: these sign in elsewhere."""
    yield lab
    lab.ask("update ops.session set ended_at = now(), ended_why = 'test' where ended_at is null returning 1")
    lab._people.clear()


def test_an_account_is_locked_and_unlocked_by_command_by_two_people(lab: Lab, people: Command) -> None:
    number = lab.invite("bea", "Bea", ())
    assert people("aurel", "user", "lock", number, "--why", "Her telephone was stolen.").code == 0
    assert lab.row(number).state == "locked"
    ran = people("aurel", "user", "unlock", number, "--why", "It was found again.")
    assert ran.code == 1 and ran.err.startswith("AUTH_SELF: ")
    assert people("ada", "user", "unlock", number, "--why", "It was found again.").code == 0
    assert lab.row(number).state == "active"


def test_a_person_ends_their_sessions_and_reports_a_loss_by_command(lab: Lab, people: Command) -> None:
    number = lab.invite("bert", "Bert", ())
    other = lab.invite("bodil", "Bodil", ())
    ran = people("bert", "user", "end-sessions", other, "--why", "Just to see whether I can.")
    assert ran.code == 1 and ran.err.startswith("AUTH_ROLE: ")
    ended = people("bert", "user", "end-sessions", number, "--why", "I left a terminal open.")
    assert ended.code == 0, ended.err
    ran = people("bert", "whoami")
    assert ran.code == 1 and ran.err.startswith("AUTH_REQUIRED: ")
    assert people("bodil", "user", "lost", other, "--why", "My notebook was stolen.").code == 0
    assert lab.row(other).state == "invited" and lab.accounts.credential(lab.row(other).uid) is None


def test_a_reset_and_a_leaving_are_acts_by_command(lab: Lab, people: Command) -> None:
    number = lab.invite("britt", "Britt", ())
    assert people("ada", "user", "reset", number, "--why", "She forgot the password.").code == 0
    assert json.loads(people("ada", "user", "invite", number, "--json").out)["code"]
    ran = people(
        "aurel", "user", "disable", number, "--why", "Left the laboratory.", "--username", "aurel",
        "--password-stdin", stdin=f"{secret_of('aurel')}\n",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert lab.row(number).state == "disabled"


def test_alerts_are_listed_acknowledged_answered_and_closed_by_command(lab: Lab, people: Command) -> None:
    nora = lab.number_of("nora")
    number = lab.alerts().raise_alert(
        "two_places", "warning", "Nora signed in at two places.", [nora], concerns=[nora], bucket="cli"
    )
    listed = people("aurel", "alert", "list", "--state", "open")
    assert listed.code == 0 and number in listed.out and "Nora signed in at two places." in listed.out
    assert number in json.dumps(json.loads(people("aurel", "alert", "list", "--json").out))
    told = people("nora", "user", "notices")
    assert told.code == 0 and number in told.out
    assert number not in people("alan", "user", "notices").out
    assert people("nora", "alert", "answer", number, "--mine").code == 0
    ran = people("alan", "alert", "acknowledge", number, "--action", "Nothing to see here at all.")
    assert ran.code == 1 and ran.err.startswith("AUTH_ROLE: ")
    assert people("aurel", "alert", "acknowledge", number, "--action", "Asked her: her new laptop.").code == 0
    ran = people(
        "aurel", "alert", "close", number, "--why", "Nothing more to do.", "--username", "aurel",
        "--password-stdin", stdin=f"{secret_of('aurel')}\n",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert lab.row(number).state == "closed" and lab.row(number).fields["owner_says"] == "it_was_me"
    assert number not in people("aurel", "alert", "list", "--state", "open").out
    with refused("LOCKED"):
        lab.machine(number, "escalate", recipients=["QA"])
