"""Signing in on the command line: as oneself, and with nothing left lying about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse battery"


def test_signing_in_shows_the_last_attempts_and_keeps_only_a_private_token(
    run: Any, served: Path, tmp_path: Path
) -> None:
    ran = run("login", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 0 and "Ada Adler" in ran.out
    assert "Last sign-in: 2026-11-20T08:00:00.000000Z" in ran.out and "Last failed attempt: none" in ran.out
    file = tmp_path / "keep" / "session.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text() and json.loads(file.read_text())["token"] not in ran.out


def test_a_wrong_password_is_one_coded_sentence_with_a_remedy_and_exit_1(run: Any, served: Path) -> None:
    ran = run("login", "ada", "--password-stdin", stdin="wrong\n")
    assert ran.code == 1 and ran.out == ""
    lines = ran.err.splitlines()
    assert (
        lines[0].startswith("SIG_REAUTH: ") and lines[1].strip() == "Enter your user name and password again."
    )
    assert "21 CFR 11.200(a)(1)" in lines[2]


def test_a_password_is_never_taken_from_a_pipe_unasked(run: Any, served: Path, lab: Any) -> None:
    ran = run("login", "ada", stdin=f"{PASSWORD}\n")
    assert ran.code == 2 and "--password-stdin" in ran.err and lab.sessions == {}


def test_who_am_i_names_person_and_installation(ada: Any) -> None:
    ran = ada("whoami")
    assert ran.code == 0 and "Ada Adler (ada" in ran.out and "use: evaluation" in ran.out
    assert json.loads(ada("whoami", "--json").out)["username"] == "ada"


def test_signing_out_ends_the_session_and_forgets_it(ada: Any, lab: Any, tmp_path: Path) -> None:
    assert ada("logout").code == 0
    assert lab.sessions == {} and not (tmp_path / "keep" / "session.json").exists()
    ran = ada("record", "list")
    assert ran.code == 1 and ran.err.startswith("AUTH_REQUIRED: ")


def test_two_people_are_signed_in_from_one_shell_each_as_themselves(run: Any, served: Path) -> None:
    for name in ("ada", "ben"):
        assert run("login", name, "--as", name, "--password-stdin", stdin=f"{PASSWORD}\n").code == 0
    assert "Ada Adler" in run("whoami", "--as", "ada").out
    assert "Ben Boro" in run("whoami", "--as", "ben").out
    assert run("whoami").code == 1


@pytest.mark.parametrize("name", ["../ada", "a/b", ".", " ", "a\nb"])
def test_whose_session_is_never_a_path(run: Any, served: Path, name: str) -> None:
    assert run("whoami", "--as", name).code == 2


def test_a_session_others_can_read_is_not_used(ada: Any, tmp_path: Path) -> None:
    (tmp_path / "keep" / "session.json").chmod(0o644)
    ran = ada("whoami")
    assert ran.code == 2 and "0644" in ran.err


def test_a_token_is_not_sent_to_another_server(ada: Any, tmp_path: Path) -> None:
    ran = ada("whoami", "--server", f"unix:{tmp_path}/other.sock")
    assert ran.code == 2 and "the session must be one of" in ran.err


def test_a_server_that_is_not_there_could_not_be_determined(run: Any, tmp_path: Path) -> None:
    ran = run("whoami", "--home", tmp_path)
    assert ran.code == 3 and ran.err.startswith("UNAVAILABLE: ") and "coverslip serve" in ran.err


def test_a_password_does_not_leave_this_machine_in_clear(run: Any) -> None:
    ran = run("login", "ada", "--server", "http://192.0.2.1", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 2 and "https" in ran.err


def test_no_server_named_is_wrong_usage(run: Any) -> None:
    assert run("whoami").code == 2
