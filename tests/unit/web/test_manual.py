"""The manual that ships: every link in it leads somewhere, every heading has an address."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from coverslip.web import manual

NAMES = [page.name for _, pages in manual.contents() for page in pages]
BESIDE = {"controls", "changelog"}
"""Pages of the help that are made from the catalogue, and what is laid beside the pages in the package."""


class Seen(HTMLParser):
    """The links of a page and the addresses within it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.headings = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.headings += bool(re.fullmatch("h[1-6]", tag))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if given.get("id"):
            self.ids.append(str(given["id"]))


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_the_manual_leads_somewhere(name: str) -> None:
    seen = Seen(manual.rendered(name))
    for link in seen.links:
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, part = link.partition("#")
        there = path.removeprefix("/help/") if path else name
        if there in BESIDE:
            continue
        assert manual.known(there), f"{name}: {link}"
        assert not part or part in Seen(manual.rendered(there)).ids, f"{name}: no such section: {link}"


@pytest.mark.parametrize("name", NAMES)
def test_every_heading_has_an_address_of_its_own(name: str) -> None:
    seen = Seen(manual.rendered(name))
    assert seen.headings == len(seen.ids) == len(set(seen.ids)) > 0


def test_a_notebook_is_a_page_of_the_manual_and_can_be_taken_along() -> None:
    assert "notebooks/first-steps" in NAMES
    assert manual.notebook("notebooks/first-steps") is not None
    assert "<pre>" in manual.rendered("notebooks/first-steps")
    assert "notebooks/first-steps" in [page.name for page in manual.find("coverslip client")]


def test_what_is_no_notebook_is_not_handed_out() -> None:
    assert manual.notebook("quickstart") is None
    assert manual.notebook("notebooks/../quickstart") is None
