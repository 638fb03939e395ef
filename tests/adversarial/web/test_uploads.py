"""A file somebody brought is never opened in place: whatever it holds and however it is called."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import quote, unquote

import pytest

from fix_lab import TODAY, Lab, refused
from fix_pages import Pages

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(document.cookie)</script>"


def archive(*names: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, "x" * 1_000_000)
    return found.getvalue()


FILES = {
    "picture.svg": SVG,
    "page.html": HTML,
    "page.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "sheet.xml": b'<?xml-stylesheet href="javascript:alert(1)"?><x/>',
    "climbing.zip": archive("../../etc/cron.d/x", "/absolute", "C:\\x", "a\x7f"),
    "bomb.zip": archive(*(f"{n}" for n in range(20))),
    "both.pdf": b"%PDF-1.4\n" + HTML,
    "gif.gif": b"GIF89a/*" + HTML + b"*/=1",
    "script.js": b"alert(1)",
    "photo.jpg.html": HTML,
    'quote".html': HTML,
    "semi;colon.svg": SVG,
    "'><img src=x onerror=alert(1)>.svg": SVG,
    "ünï.svg": SVG,
}


def kept(lab: Lab, name: str, data: bytes, media: str) -> str:
    """Return a record of Alan's that holds a file as it was brought."""
    value = lab.ingest().attach(name, media, io.BytesIO(data), len(data))
    return lab.alan.create("attachment", what="What was found", subject=lab.n["sop"], file=value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_saved_and_never_shown(lab: Lab, pages: Pages, name: str) -> None:
    number = kept(lab, name, FILES[name], "text/html")
    stored = lab.row(number).fields["file"]["name"]
    answer = pages("quinn").get(f"/r/{number}/files/{quote(stored, safe='')}")
    assert answer.status_code == 200, answer.text[:300]
    assert answer.content == FILES[name]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"].split(";")[0]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    said = re.search(r"filename\*=UTF-8''([^;]*)$", answer.headers["content-disposition"])
    assert said and unquote(said[1]) == stored


@pytest.mark.parametrize("name", FILES)
def test_the_interface_saves_it_too(lab: Lab, pages: Pages, name: str) -> None:
    number = kept(lab, name, FILES[name] + b"api", "image/svg+xml")
    stored = quote(lab.row(number).fields["file"]["name"], safe="")
    headers = {"Authorization": f"Bearer {lab.quinn.token}"}
    answer = pages("quinn").client.get(f"/api/v1/records/{number}/files/{stored}", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["right\u202egnp.svg", "line\r\nX-Evil: 1.svg", "nul\x00.svg", "a/b.svg"])
def test_a_name_that_misleads_is_refused(lab: Lab, name: str) -> None:
    with refused("VAL_FORM"):
        kept(lab, name, SVG, "image/svg+xml")


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "..\\..\\x.svg", "/etc/passwd", "C:\\Windows\\x", "a/b/c.svg", "..", "\x00.svg"],
)
def test_a_name_that_climbs_leads_to_no_other_file(lab: Lab, pages: Pages, name: str) -> None:
    form = {"f.what": f"Climbing {TODAY}", "f.subject": lab.n["sop"], "reason": "Tried on purpose here."}
    answer = pages("alan").post("/types/attachment/new", form, files={"f.file": (name, SVG, "image/svg+xml")})
    if answer.status_code == 303:
        number = re.search(r"/r/([^?]+)", answer.headers["location"])
        assert number
        stored = lab.row(number[1]).fields["file"]["name"]
        assert "/" not in stored and "\\" not in stored and stored not in ("", ".", "..")
    else:
        assert 400 <= answer.status_code < 500, answer.text[:300]
    assert not list(lab.home.vault.rglob("passwd"))


def test_a_file_of_another_record_is_not_found_by_its_name(lab: Lab, pages: Pages) -> None:
    kept(lab, "mine.svg", SVG + b"mine", "image/svg+xml")
    assert pages("quinn").get(f"/r/{lab.n['sop']}v1/files/mine.svg").status_code == 404


def test_nobody_gets_a_file_without_a_session(lab: Lab, pages: Pages) -> None:
    number = kept(lab, "private.svg", SVG + b"private", "image/svg+xml")
    answer = pages().get(f"/r/{number}/files/private.svg")
    assert answer.status_code == 303
    assert b"svg" not in answer.content
