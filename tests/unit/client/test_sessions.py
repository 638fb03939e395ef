"""Signing in and out, and what an error carries."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import pytest

from coverslip.client import Coverslip, RefusedError, UnreachableError

PASSWORD = "correct horse battery"


def test_signing_in_opens_a_session_that_later_calls_use(guest: Coverslip, lab: Any) -> None:
    opened = guest.sign_in("ada", PASSWORD, place="bench-1", zone="Europe/Zurich")
    assert (opened.username, opened.name) == ("ada", "Ada Adler")
    assert opened.last_successful == "2026-11-20T08:00:00.000000Z" and opened.last_failed == ""
    assert guest.me()["installation"]["use"] == "evaluation"
    assert next(iter(lab.sessions.values())).workstation == "bench-1"


def test_a_token_and_a_password_are_never_shown(guest: Coverslip) -> None:
    opened = guest.sign_in("ada", PASSWORD)
    assert opened.token and opened.token not in repr(opened) and opened.token not in repr(guest)


def test_a_wrong_password_is_refused_with_code_rule_clause_and_remedy(guest: Coverslip) -> None:
    with pytest.raises(RefusedError) as caught:
        guest.sign_in("ada", "wrong")
    error = caught.value
    assert (error.code, error.status) == ("SIG_REAUTH", 401)
    assert error.rule == "P11-200-a1" and error.clause == "21 CFR 11.200(a)(1)" and error.remedy
    assert "wrong" not in str(error)


def test_without_a_session_nothing_is_read(guest: Coverslip) -> None:
    with pytest.raises(RefusedError) as caught:
        list(guest.records.list())
    assert caught.value.code == "AUTH_REQUIRED"


def test_after_signing_out_the_token_opens_nothing(ada: Coverslip, socket_path: Path) -> None:
    token = ada._transport.token
    ada.sign_out()
    with Coverslip(f"unix:{socket_path}", token=token) as again, pytest.raises(RefusedError):
        again.me()


def test_a_server_that_is_not_there_is_unreachable_and_not_a_refusal(tmp_path: Path) -> None:
    with Coverslip(f"unix:{tmp_path}/none.sock") as nowhere, pytest.raises(UnreachableError) as caught:
        nowhere.me()
    assert caught.value.code == "UNAVAILABLE" and caught.value.status == 0
    # The HTTP library leaves a socket that could not connect to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del caught, nowhere
        gc.collect()
