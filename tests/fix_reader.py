"""Pages without a browser: somebody signed in, reading and sending forms as one without scripts would.

Rules kept here: every page read is whole HTML without anything inline; what a form sends is what the page's
own form holds, with what the test types into it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from httpx import Response

from coverslip.web.app import create_pages
from coverslip.web.security import csrf_token
from coverslip.web.serving import Serving
from fix_caller import TestClient
from fix_lab import Lab, secret_of

ORIGIN = "http://testserver"
COOKIE = Serving().cookie
_INLINE = re.compile(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script>", re.IGNORECASE)


class Reader:
    """Somebody at the pages without scripts: signed in by name or by a session's token, or nobody yet."""

    def __init__(self, lab: Lab, username: str = "", *, token: str = "") -> None:
        self.lab, self.username = lab, username
        self.client = TestClient(create_pages(lab.services()), base_url=ORIGIN, follow_redirects=False)
        if token or username:
            # Named as the client files what a page sets, so that another sign-in takes this one's place.
            given = token or lab.person(username).token
            self.client.cookies.set(COOKIE, given, domain="testserver.local")

    @property
    def token(self) -> str:
        """The session as the cookie says it now; empty while nobody is signed in."""
        return str(self.client.cookies.get(COOKIE) or "").strip('"')

    def get(self, path: str, status: int = 200, *, fragment: bool = False) -> str:
        """Return a page that answers ``status``."""
        answer = self.client.get(path, headers={"HX-Request": "true"} if fragment else {})
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        text = str(answer.text)
        assert not _INLINE.search(text), path
        return text

    def where(self, path: str) -> str:
        """Return where a page leads on to."""
        answer = self.client.get(path)
        assert answer.status_code == 303, (path, answer.status_code)
        return str(answer.headers["location"])

    def post(self, path: str, files: Any = None, **fields: Any) -> Response:
        """Send a form with this session's token and return the answer."""
        form = {"csrf": csrf_token(self.token)} | fields
        return self.client.post(path, data=form, files=files, headers={"origin": ORIGIN})

    def fill(self, path: str, **typed: str) -> Response:
        """Open the page of a form, type into it, and send it; return the answer."""
        form = Form.of(self.get(path))
        return self.client.post(form.action, data=form.values | typed, headers={"origin": ORIGIN})

    def sign(self, path: str, **typed: str) -> Response:
        """Open the page of a form that is signed, and send it with this person's own components."""
        return self.fill(path, username=self.username, password=secret_of(self.username), **typed)


class Form(HTMLParser):
    """The last form of a page that is posted: where it goes and what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.values = "", dict[str, str]()
        self._inside, self._text, self._select = False, "", ""

    @classmethod
    def of(cls, page: str, action: str = "") -> Form:
        """Read the last form of a page, or the one that goes to ``action``."""
        found = cls()
        forms = re.findall(r"<form\b.*?</form>", page, re.DOTALL)
        posted = [f for f in forms if 'method="post"' in f and (not action or f'action="{action}"' in f)]
        assert posted, "no form to send"
        found.feed(posted[-1])
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take up what an element brings to the form."""
        given = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.action = given["action"]
        elif tag == "input" and given.get("type") not in ("file", "checkbox", "radio", "submit"):
            self.values[given["name"]] = given.get("value", "")
        elif tag == "input" and "checked" in given:
            self.values[given["name"]] = given.get("value", "on")
        elif tag == "textarea":
            self._text = given["name"]
            self.values[self._text] = ""
        elif tag == "select":
            self._select = given["name"]
            self.values.setdefault(self._select, "")
        elif tag == "option" and "selected" in given:
            self.values[self._select] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        """Take up the text of an area."""
        if self._text:
            self.values[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        """Leave an area."""
        if tag == "textarea":
            self._text = ""
