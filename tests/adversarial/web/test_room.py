"""Room: nobody fills the disk with what they may not bring, by whatever address they send it to."""

from __future__ import annotations

import datetime as dt
import http.client
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest

from coverslip.application import listing, tables
from coverslip.bootstrap.faces import Faces, faces
from coverslip.web.security import FORM_LIMIT_BYTES, csrf_token
from fix_browser import serving
from fix_lab import TODAY, Lab, refused
from fix_pages import Visitor

READER = "irene"
HUGE = 40 * 1024**3


@pytest.fixture(scope="module")
def port(faced: Faces) -> Iterator[int]:
    with serving(faced) as found:
        yield found


@pytest.fixture(scope="module")
def reader(lab: Lab) -> str:
    """Somebody who reads only: an inspector, for two weeks."""
    until = (TODAY + dt.timedelta(days=14)).isoformat()
    number = lab.ada.create(
        "user", username=READER, printed_name="Irene Inspector", kind="inspector",
        email="irene@authority.example", valid_to=until,
    )  # fmt: skip
    lab.enrol(number, READER)
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    lab.grant(number, "INS", start=TODAY.isoformat(), end=until)
    return lab.sign_in(READER).token


def begun(port: int, method: str, path: str, headers: dict[str, str], size: int = HUGE) -> int:
    """Say how much is coming, send its beginning, and return how that is answered."""
    conn = http.client.HTTPConnection("localhost", port, timeout=8)
    conn.putrequest(method, path)
    for name, value in (headers | {"Content-Length": str(size)}).items():
        conn.putheader(name, value)
    conn.endheaders()
    conn.send(b"--b\r\n" + b"x" * 1000)
    try:
        return conn.getresponse().status
    finally:
        conn.close()


FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize("path", ["/ingest/upload", "/ingest/settings/upload"])
def test_files_of_who_may_bring_none_are_refused_unread(port: int, reader: str, path: str) -> None:
    assert begun(port, "POST", path, {"Content-Type": FORM, "Cookie": f"coverslip={reader}"}) == 403


def test_a_file_of_who_may_bring_none_is_refused_unread(port: int, reader: str) -> None:
    headers = {"Cookie": f"coverslip={reader}", "X-CSRF-Token": csrf_token(reader)}
    assert begun(port, "PUT", "/ingest/ACQ-0001/upload", headers | {"Coverslip-Manifest": "7b7d"}) == 403


def test_the_interface_refuses_it_unread_too(port: int, reader: str) -> None:
    headers = {"Authorization": f"Bearer {reader}", "Coverslip-Manifest": "7b7d"}
    assert begun(port, "PUT", "/api/v1/sessions/ACQ-0001/files", headers) == 403


@pytest.mark.parametrize("path", ["/r/SOP-0001v1/do/upload", "/types/upload/new/upload", "/sign-in/upload"])
def test_only_where_files_are_brought_may_a_form_be_large(lab: Lab, port: int, path: str) -> None:
    headers = {"Content-Type": FORM, "Cookie": f"coverslip={lab.quinn.token}"}
    assert begun(port, "POST", path, headers, FORM_LIMIT_BYTES + 1) == 413


def test_nobody_brings_more_than_there_may_be(lab: Lab, port: int) -> None:
    headers = {"Content-Type": FORM, "Cookie": f"coverslip={lab.quinn.token}"}
    most = lab.services().upload_limit_bytes
    assert begun(port, "POST", "/ingest/upload", headers, most + 1) == 413


def test_who_may_bring_files_brings_large_ones(lab: Lab) -> None:
    roomy = faces(replace(lab.services(), upload_limit_bytes=4 * FORM_LIMIT_BYTES))
    filled = {"files": ("large.tif", b"II" + b"\0" * (FORM_LIMIT_BYTES + 1), "image/tiff")}
    quinn = Visitor(roomy, token=lab.quinn.token)
    answer = quinn.post("/ingest/upload", {"to": "STU-0000", "reason": "x"}, files=filled)
    assert answer.status_code == 200 and "large.tif" in answer.text


def test_who_came_with_a_passkey_takes_a_list_away_as_well(lab: Lab) -> None:
    """The other way round: a control that refuses people is no control."""
    asked = listing.Asked(types=("deviation",))
    held = replace(lab.quinn.context, auth="passkey")
    assert tables.list_csv(lab.services(), asked, held, BytesIO())["what"] == "list"
    with refused("AUTH_ROLE"):
        tables.list_csv(lab.services(), asked, replace(held, auth="device"), BytesIO())
