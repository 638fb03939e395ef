"""Where the server listens: off the loopback only with a certificate, and under names it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverslip.bootstrap.fronting import answers
from coverslip.bootstrap.listening import LOOPBACK_NAMES, listening
from coverslip.errors import EnvironmentFault
from coverslip.web.serving import Serving
from fix_tls import certificate

ANY = "0.0.0.0"  # noqa: S104 -- what must not be listened on without a certificate


@pytest.mark.parametrize("host", [ANY, "::", "192.0.2.7", "lab.example", "127.0.0.1.lab.example"])
def test_off_the_loopback_nothing_listens_without_a_certificate(host: str) -> None:
    with pytest.raises(EnvironmentFault, match="a loopback address without a certificate") as caught:
        listening(host, 8443)
    assert "--tls-cert" in caught.value.remedy


@pytest.mark.parametrize("host", [None, "127.0.0.1", "::1", "localhost"])
def test_on_the_loopback_it_needs_none(host: str | None) -> None:
    found = listening(host, 8000)
    assert not found.secure
    assert found.hosts == LOOPBACK_NAMES
    assert found.origins[0] == "http://localhost:8000"


def test_with_a_certificate_it_answers_to_the_names_in_it_and_those_given(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "Lab.Example", "192.0.2.7", "2001:db8::7", "*.wild.example")
    found = listening(ANY, 443, cert, key, ["scope.example"])
    assert found.hosts == ("scope.example", "lab.example", "192.0.2.7", "[2001:db8::7]")
    assert found.origins[:2] == ("https://scope.example", "https://lab.example")
    assert found.secure


def test_a_child_is_told_the_same(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "lab.example")
    found = listening(ANY, 443, cert, key, ["scope.example"])
    assert found.arguments() == [
        "--host", ANY, "--port", "443", "--tls-cert", str(cert), "--tls-key", str(key),
        "--name", "scope.example",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    cert, key = certificate(tmp_path, "lab.example")
    key.chmod(mode)
    with pytest.raises(EnvironmentFault, match="only this user can read"):
        listening(ANY, 443, cert, key)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path / "one", "lab.example")
    _, key = certificate(tmp_path / "two", "lab.example")
    with pytest.raises(EnvironmentFault, match="its key belongs to"):
        listening(ANY, 443, cert, key)


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "lab.example", passphrase=b"a")
    with pytest.raises(EnvironmentFault, match="without a passphrase"):
        listening(ANY, 443, cert, key)


@pytest.mark.parametrize(("begins_in", "days"), [(-10, 5), (2, 10)])
def test_a_certificate_out_of_its_days_is_refused(tmp_path: Path, begins_in: int, days: int) -> None:
    cert, key = certificate(tmp_path, "lab.example", begins_in=begins_in, days=days)
    with pytest.raises(EnvironmentFault, match="valid today"):
        listening(ANY, 443, cert, key)


def test_a_certificate_without_a_name_is_refused_unless_one_is_given(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with pytest.raises(EnvironmentFault, match="subject alternative name"):
        listening(ANY, 443, cert, key)
    assert listening(ANY, 443, cert, key, ["lab.example"]).hosts == ("lab.example",)


@pytest.mark.parametrize(
    ("host", "port", "cert", "key", "names"),
    [
        (None, None, True, True, ()),
        (ANY, None, False, False, ()),
        (ANY, 443, True, False, ()),
        (None, 443, False, True, ()),
        (None, 443, False, False, ("*",)),
        (None, 443, False, False, ("lab.example:443",)),
        (None, 443, False, False, ("-a",)),
        (None, 443, False, False, ("",)),
    ],
)
def test_half_an_answer_is_refused(
    tmp_path: Path, host: str | None, port: int | None, cert: bool, key: bool, names: tuple[str, ...]
) -> None:
    made = certificate(tmp_path, "lab.example")
    with pytest.raises(EnvironmentFault):
        listening(host, port, made[0] if cert else None, made[1] if key else None, names)


@pytest.mark.parametrize("header", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"])
def test_a_host_header_that_names_it_is_answered(header: str) -> None:
    assert answers(LOOPBACK_NAMES, header)


@pytest.mark.parametrize(
    "header",
    ["", "evil.example", "localhost.evil.example", "localhost@evil.example", "localhost:80@evil.example",
     "localhost, evil.example", "[::1].evil.example", "[::1", "::1", "localhost:80:80", "evil.example]:1"],
)  # fmt: skip
def test_and_no_other(header: str) -> None:
    assert not answers(LOOPBACK_NAMES, header)


def test_a_name_on_the_loopback_means_a_proxy_ends_tls_before_it() -> None:
    found = listening(None, 8000, names=["lab.example"])
    assert found.secure
    assert found.tls() is None
    assert found.origins[0] == "https://lab.example"
    assert "http://localhost:8000" in found.origins
    assert not listening(None, 8000).secure


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("https://lab.example", "lab.example", True),
        ("http://lab.example", "lab.example", False),
        ("http://localhost:8000", "localhost:8000", True),
        ("https://localhost:8000", "localhost:8000", True),
        ("http://localhost:8001", "localhost:8000", False),
        ("https://evil.example", "lab.example", False),
        ("null", "lab.example", False),
    ],
)
def test_behind_it_pages_take_forms_from_their_own_name_over_tls(origin: str, host: str, own: bool) -> None:
    assert Serving(secure=True).own(origin, host) is own
    assert not Serving(secure=False).own("https://localhost:8000", "localhost:8000")
