"""Passwords, codes, tokens and keys: in no log, answer, trace or printed object, whatever goes wrong."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from coverslip.api import shapes
from coverslip.api.app import create_app
from coverslip.bootstrap.founding import Founding
from coverslip.cli.keeping import Kept
from coverslip.client.values import Signature
from coverslip.kernel import keys
from coverslip.kernel.change import Credential
from coverslip.kernel.genesis import Founder
from coverslip.store.sequencer import Sequencer
from fix_caller import TestClient
from fix_lab import Lab, secret_of

RIGHT = secret_of("olga")
WRONG = "tessellated marmalade 77"
CODE = "kQ0-one-time-code-that-opens"


@dataclass
class Heard:
    """Everything that was logged at any level, and everything that was answered."""

    log: io.StringIO
    answers: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def silent_about(self, *secrets: str) -> None:
        said = {"log": self.log.getvalue(), "answers": "\n".join(self.answers)}
        for secret in secrets:
            for place, text in said.items():
                assert secret not in text, f"{place} holds a secret"
                assert repr(secret)[1:-1] not in text


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Every logger of the process at DEBUG, with traces."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *logging.root.manager.loggerDict)}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield Heard(stream)
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def desk(lab: Lab, heard: Heard) -> Iterator[Callable[..., Any]]:
    client = TestClient(
        create_app(lab.services()), raise_server_exceptions=False, client=("127.0.0.1", 50001)
    )

    def ask(path: str, body: Any, token: str = "", method: str = "POST") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        raw = {"content": body} if isinstance(body, (str, bytes)) else {"json": body}
        answer = client.request(method, f"/api/v1{path}", headers=headers, **raw)
        heard.answers.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer

    yield ask
    client.close()


def place(secret: str, username: str = "olga") -> dict[str, str]:
    return {"username": username, "password": secret, "workstation": "ws-olga", "zone": "UTC"}


def test_signing_in_wrong_and_right_says_no_password(desk: Any, heard: Heard) -> None:
    assert desk("/sessions", place(WRONG)).status_code in (401, 403)
    assert desk("/sessions", place(WRONG, "nobody-here")).status_code in (401, 403)
    opened = desk("/sessions", place(RIGHT))
    assert opened.status_code == 201, opened.text
    token = opened.json()["token"]
    heard.answers.pop()  # the one answer that has to carry the token
    desk("/me", None, token, "GET")
    desk("/sessions/current", None, token, "DELETE")
    heard.silent_about(WRONG, RIGHT, token)


MALFORMED: list[Any] = [
    place(WRONG) | {"extra": "x"},
    place(WRONG) | {"username": 7},
    place(WRONG) | {"username": "x" * 300},
    {"password": WRONG},
    {"username": "olga", "password": [WRONG]},
    {"username": "olga", "password": {"is": WRONG}},
    {"username": "olga", "password": WRONG * 100},
    {"username": "olga", WRONG: "x"},
    [WRONG],
    WRONG,
    f'{{"username": "olga", "password": "{WRONG}"',
    f'{{"password": "{WRONG}", "password": "{WRONG}"}}',
    f'{{"username": "olga", "password": "{WRONG}\\u0000"}}',
    f'{{"username": "olga", "password": "{WRONG}", "n": NaN}}',
    f"password={WRONG}".encode() + b"\xff",
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_body_is_not_repeated(desk: Any, heard: Heard, body: Any) -> None:
    assert 400 <= desk("/sessions", body).status_code < 500
    if not (isinstance(body, dict) and WRONG in body):  # what stands where a field's name belongs is named
        heard.silent_about(WRONG)


@pytest.mark.parametrize(
    "body",
    [
        {"code": CODE, "username": "olga", "password": WRONG},
        {"code": CODE * 20, "username": "olga", "password": WRONG},
        {"code": CODE, "username": "olga", "password": "password1234"},
        {"code": [CODE], "username": "olga", "password": WRONG},
    ],
)
def test_a_code_that_opens_nothing_is_not_repeated(desk: Any, heard: Heard, body: Any) -> None:
    assert 400 <= desk("/enrolments", body).status_code < 500
    heard.silent_about(CODE, WRONG)


def test_a_signature_refused_or_malformed_says_no_password(lab: Lab, desk: Any, heard: Heard) -> None:
    number = lab.new_sop("Counting quietly")
    token = lab.aurel.token
    for signature in (
        {"username": "aurel", "password": WRONG, "shown": "5" * 64},
        {"username": "aurel", "password": WRONG, "shown": "not a hash"},
        {"username": "aurel", "password": WRONG, "shown": "5" * 64, "more": 1},
        {"username": "quinn", "password": secret_of("aurel"), "shown": "5" * 64},
    ):
        body = {"expected_version": 1, "fields": {}, "reason": "", "signature": signature}
        assert 400 <= desk(f"/records/{number}/acts/submit", body, token).status_code < 500
    heard.silent_about(WRONG, secret_of("aurel"), token)
    details = str(lab.refusals())
    assert WRONG not in details and secret_of("aurel") not in details, "nor on the ledger"


def test_an_error_nobody_foresaw_shows_no_password(
    desk: Any, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of the ceremony, with the secret in local variables of every frame."""

    def breaks(secret: str, salt: bytes, cost: dict[str, int]) -> bytearray:
        held = f"{secret}"
        raise RuntimeError(f"broken with {len(held)} characters")

    monkeypatch.setattr(keys, "_derive", breaks)
    answer = desk("/sessions", place(RIGHT))
    assert answer.status_code == 500 and "Traceback" not in answer.text and "broken" not in answer.text
    assert "RuntimeError: broken with" in heard.log.getvalue(), "the trace is for the operator"
    heard.silent_about(RIGHT)


def test_the_database_going_away_shows_no_password(
    lab: Lab, desk: Any, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the driver can carry the values of a statement."""
    monkeypatch.setattr(
        lab.accounts, "open_session", lambda *a: lab.accounts._one("select no_such(%(t)s)", t=repr(a))
    )
    assert desk("/sessions", place(RIGHT)).status_code >= 500
    heard.silent_about(RIGHT)


SEED = b"\x5a" * 32


@pytest.mark.parametrize(
    ("made", "secret"),
    [
        (lambda: Credential("olga", WRONG), WRONG),
        (lambda: Founder("ada", "Ada", "a@b", ("ADM",), WRONG), WRONG),
        (lambda: Signature("olga", WRONG, "5" * 64), WRONG),
        (lambda: Kept("unix:/x", "olga", "Olga", "2026", WRONG), WRONG),
        (lambda: shapes.SignIn(username="olga", password=WRONG), WRONG),
        (lambda: shapes.Signing(username="olga", password=WRONG, shown="5" * 64), WRONG),
        (lambda: shapes.Enrolment(code=CODE, username="olga", password=WRONG), WRONG),
        (lambda: shapes.Enrolment(code=CODE, username="olga", password=WRONG), CODE),
        (lambda: Founding("o", "evaluation", {}, (), database_url=f"postgres://x:{WRONG}@h/d"), WRONG),
        (lambda: Sequencer(lambda: None, None, SEED), repr(SEED)),  # type: ignore[arg-type, return-value]
    ],
)
def test_no_object_prints_what_it_keeps_secret(made: Callable[[], Any], secret: str) -> None:
    found = made()
    assert secret not in repr(found) and secret not in str(found) and secret not in f"{[found]}"


def test_a_session_just_opened_prints_no_token(lab: Lab) -> None:
    opened = lab.sign_in("olga", "ws-olga").opened
    assert len(opened.token) > 30 and opened.token not in repr(opened)


def test_a_validation_error_that_escapes_repeats_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        shapes.SignIn(username=7, password=[WRONG])  # type: ignore[arg-type]
    assert WRONG not in "".join(traceback.format_exception(caught.value))
