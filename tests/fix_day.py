"""A working day in a laboratory: a finished home served whole, and people who work in it through its pages.

Rules kept here:

* A person here knows only what a browser shows: they follow links, fill in fields by the labels and press the
  buttons of the page. Whatever is refused on the way fails the test with the words the page had for it.
* Chapters follow each other; each is played once per module, whichever test asks first, and those it stands
  on before it.
* After each chapter nothing unseen may have gone wrong: no console error, no violation of the policy.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Download, Locator, Page

from coverslip.bootstrap.faces import faces
from coverslip.bootstrap.labs import Lab
from coverslip.settings import Home
from coverslip.web.serving import Serving
from fix_browser import PATIENCE_MS, Watch, _watch, serving
from fix_story import Story, copy_home, opened, secret_of


@dataclass
class Desk:
    """Somebody at a browser, signed in."""

    username: str
    page: Page
    watch: Watch

    def goto(self, address: str) -> Page:
        """Open a page by its address."""
        found = self.page.goto(address)
        assert found is not None and found.ok, f"{address}: {found.status if found else 'nothing'}"
        return self.page

    def record(self, number: str) -> Page:
        """Open a record."""
        return self.goto(f"/r/{number.replace(' ', '')}")

    def follow(self, within: Locator) -> None:
        """Press what leads to another page and wait until it is there."""
        with self.page.expect_navigation():
            within.click()

    # --- forms -------------------------------------------------------------------------------------

    def fill(self, **values: Any) -> None:
        """Fill in fields by name; a list is one value a line, a list of rows fills a table."""
        for name, value in values.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                for index, row in enumerate(value):
                    for column, cell in row.items():
                        self._write(f"f.{name}.{index}.{column}", str(cell))
            else:
                text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
                self._write(f"f.{name}", text)

    def _write(self, name: str, text: str) -> None:
        control = self.page.locator(f'[name="{name}"]')
        folded = control.locator("xpath=ancestor::details[not(@open)]")
        if folded.count():
            folded.first.locator("summary").click()
        if control.evaluate("e => e.tagName") == "SELECT":
            control.select_option(text)
        else:
            control.fill(text)

    def sign(self) -> None:
        """Give both components of the signature."""
        self.page.fill("#components [name=username]", self.username)
        self.page.fill("#components [name=password]", secret_of(self.username))

    def send(self) -> None:
        """Press the one filled button of the form; a refusal fails with the words of the page."""
        before = self.page.url
        self.follow(self.page.locator("form[data-ceremony] button.primary"))
        said = self.page.locator("main [data-focus], main .refusal, main .note.bad")
        told = said.first.inner_text() if said.count() else ""
        assert not told, f"{self.username} at {before}: {told}"

    def new(self, type: str, *, sign: bool = False, why: str = "", **fields: Any) -> str:
        """Make a record with the form of its type; return its number."""
        if f"/types/{type}/new" not in self.page.url:
            self.goto(f"/types/{type}/new")
        self.fill(**fields)
        if why:
            self.page.fill("#reason", why)
        if sign:
            self.send()  # what begins signed is shown as it prints before it is signed
            assert "You are signing this" in self.page.inner_text("main")
            self.sign()
        self.send()
        return self.number

    @property
    def number(self) -> str:
        """The number of the record that is open."""
        return self.page.url.rpartition("?")[0].rpartition("/")[2] or self.page.url.rpartition("/")[2]

    def act(self, number: str, act: str, *, sign: bool = False, why: str = "", **fields: Any) -> None:
        """Open a record, press the button of an act, and do what its form asks."""
        self.record(number)
        link = self.page.locator(f'main a[href$="/do/{act}"]')
        assert link.count(), f"{self.username} has no button for {act} on {number}: {self.next_step()}"
        more = link.first.locator("xpath=ancestor::details[not(@open)]")
        if more.count():
            more.first.locator("summary").click()
        self.follow(link.first)
        self.fill(**fields)
        if why:
            self.page.fill("#reason", why)
        if sign:
            self.sign()
        self.send()

    def next_step(self) -> str:
        """Return what the open record says comes next."""
        return self.page.locator(".next").first.inner_text()

    def state(self, number: str) -> str:
        """Return the state a record shows."""
        self.record(number)
        return str(self.page.locator("main .state").first.inner_text()).strip().lower()

    def wait(self, number: str, state: str, tries: int = 240) -> None:
        """Look at a record again and again until it shows a state."""
        for _ in range(tries):
            if (shown := self.state(number)) == state:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"{number} stays {shown}, not {state}")

    def leave(self) -> None:
        """Sign out."""
        self.goto("/me")
        self.follow(self.page.locator('form[action="/sign-out"] button'))
        self.page.get_by_text("You are signed out").wait_for()


@dataclass
class Day:
    """A home at work, at an address; ``n`` has the numbers of what there is."""

    browser: Browser
    lab: Lab
    url: str
    n: dict[str, str]
    folder: Path
    cookie: str
    played: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def nobody(self, **more: Any) -> Iterator[Page]:
        """Open a browser in which nobody is signed in; nothing unseen may have gone wrong at the end."""
        context = self.browser.new_context(base_url=self.url, viewport={"width": 1280, "height": 900}, **more)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        watch = _watch(page)
        try:
            yield page
        finally:
            context.close()
        assert watch.faults == []

    @contextmanager
    def at(self, username: str, **more: Any) -> Iterator[Desk]:
        """Sign somebody in with the form, and out again at the end."""
        with self.nobody(**more) as page:
            page.goto("/sign-in")
            page.fill("#uid", username)
            page.fill("#pw", secret_of(username))
            page.fill("#ws", f"ws-{username}")
            with page.expect_navigation():
                page.click(".signcard form button[type=submit]")
            assert page.url.endswith(("/work", "/inspections")), page.locator(
                "[role=alert]"
            ).all_inner_texts()
            desk = Desk(username, page, _watch_of(page))
            yield desk
            desk.leave()

    def save(self, download: Download) -> Path:
        """Keep what a browser downloads."""
        path = self.folder / Path(download.suggested_filename).name
        download.save_as(path)
        return path


def _watch_of(page: Page) -> Watch:
    from fix_browser import watch

    return watch(page)


def chapter(play: Any) -> Any:
    """Make a function of a day one that is played once, whoever asks."""

    @functools.wraps(play)
    def once(day: Day) -> Any:
        if play.__name__ not in day.played:
            try:
                day.played[play.__name__] = play(day)
            except BaseException as error:
                day.played[play.__name__] = error
                raise
        found = day.played[play.__name__]
        if isinstance(found, BaseException):
            raise AssertionError(f"the chapter {play.__name__} was not finished") from found
        return found

    return once


def is_number(text: str) -> bool:
    """Whether a text is the number of a record."""
    return re.fullmatch(r"[A-Z]+-\d+", text) is not None


@pytest.fixture(scope="module")
def day(browser: Browser, story: Story) -> Iterator[Day]:
    """A copy of the finished home with everything running: database, signer, sequencer, worker, pages."""
    parent = Path(tempfile.mkdtemp(prefix="d-", dir=story.home.parent))
    parent.chmod(0o711)
    home = copy_home(story.home, parent / "home")
    try:
        with opened(home) as lab, serving(faces(lab.services())) as port:
            yield Day(browser, lab, f"http://localhost:{port}", dict(story.numbers), parent, Serving().cookie)
    finally:
        shutil.rmtree(parent)


def keys_of(day: Day) -> Path:
    """Return the public keys that are handed over apart from any bundle."""
    return Path(os.fspath(Home(day.folder / "home").root)) / "keys.txt"
