"""A print on a page says what the text that is hashed says: it is set from that very text."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, strategies as st

from coverslip.kernel.sheet import Entry, Grid, Part, Sheet, label, spelled, text
from coverslip.kernel.view import render, shown_hash
from coverslip.web.templating import environment
from fix_lab import Lab
from fix_reader import Reader
from fix_view import FIELDS, SIGNED, definition, held, row_of, sheet_of

BREAKING = ("<script>alert(1)</script>", "</dd></dl><h3>Signatures</h3>", "&amp; \" '", "{{ 7 }}", "a  b", "")
TEXTS = st.one_of(st.sampled_from(BREAKING), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
LABELS = TEXTS.map(label)
LINES = st.lists(TEXTS.map(lambda t: spelled(t.replace("\n", ""))), min_size=1, max_size=3).map(tuple)
ENTRIES = st.builds(Entry, LABELS, LINES)
ROWS = st.lists(ENTRIES, max_size=3, unique_by=lambda e: e.label).map(tuple)
GRIDS = st.builds(Grid, LABELS, st.lists(ROWS, min_size=1, max_size=3).map(tuple))
PARTS = st.builds(Part, LABELS, st.lists(st.one_of(ENTRIES, GRIDS), min_size=1, max_size=3).map(tuple))
SHEETS = st.builds(Sheet, LABELS, LABELS, st.lists(PARTS, max_size=3).map(tuple))


class _Reader(HTMLParser):
    """Collects what a page sets of a print: every label, heading, column and line, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []
        self._as: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = {"h3": "heading", "dt": "label", "th": "column", "tr": "row", "li": "row"}.get(tag, "")
        classes = (dict(attrs).get("class") or "").split()
        self._inside |= tag == "article"
        if tag in ("div", "p"):
            kind = next(
                (k for c, k in (("l", "line"), ("name", "name"), ("what", "what")) if c in classes), ""
            )
        if tag in ("a", "td", "span") or "n" in classes:
            kind = "aside"
        if self._inside and kind:
            self.said.append((kind, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._inside = False
        elif self._inside and tag in ("h3", "dt", "th", "div", "p", "a", "td", "span"):
            self.said.append(("aside", ""))

    def handle_data(self, data: str) -> None:
        if self._inside and self.said and self.said[-1][0] != "aside":
            self.said[-1] = (self.said[-1][0], self.said[-1][1] + data)


def set_on_page(said: str, beside: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return what the page sets of a text, in order, and nothing that stands beside it."""
    macros = environment().get_template("_printed.html").make_module({})
    reader = _Reader()
    reader.feed(str(macros.printed(said, "it", beside or {})))  # type: ignore[attr-defined]
    return [(kind, words) for kind, words in reader.said if kind not in ("aside", "row")]


def stated(one: Sheet) -> list[tuple[str, str]]:
    """Return what a sheet states, in the order in which a page sets it."""
    found = [("name", one.name), ("what", one.what)]
    for part in one.parts:
        found.append(("heading", part.heading))
        for item in part.items:
            found.append(("label", item.label))
            if isinstance(item, Entry):
                found += [("line", line) for line in item.lines]
            elif len(item.columns) > 7:
                for cell in (cell for row in item.rows for cell in row):
                    found += [("label", cell.label), *(("line", line) for line in cell.lines)]
            else:
                found += [("column", column) for column in item.columns]
                found += [("line", line) for row in item.cells for cell in row for line in cell]
    return found


@given(SHEETS)
def test_the_page_sets_every_word_of_the_text_and_no_other(one: Sheet) -> None:
    assert set_on_page(text(one)) == stated(one)


def test_the_page_sets_a_real_record_word_for_word() -> None:
    said = render(definition(), held(row_of(FIELDS), "A question."), [SIGNED])
    found = set_on_page(said)
    assert found == stated(sheet_of(said))
    assert ("line", "Olga Operator") in found and ("column", "Result") in found


def test_what_stands_beside_a_print_is_marked_as_no_part_of_it() -> None:
    said = render(definition(), row_of(FIELDS))
    link = "SOP-0012 v3, entry version 4 (hash abababababababab…)"
    beside = {link: ("Counting nuclei", "/r/SOP-0012v3")}
    macros = environment().get_template("_printed.html").make_module({})
    made = str(macros.printed(said, "it", beside))  # type: ignore[attr-defined]
    assert '<a class="aside" href="/r/SOP-0012v3">Counting nuclei</a>' in made
    assert "no part of what is signed" in made and "Counting nuclei" not in said
    assert [w.strip() for _, w in set_on_page(said, beside)] == [w.strip() for _, w in set_on_page(said)]


def test_a_text_of_an_earlier_rendering_is_shown_as_the_text_it_is() -> None:
    said = render(definition(), row_of(FIELDS), [SIGNED], 1)
    macros = environment().get_template("_printed.html").make_module({})
    made = str(macros.printed(said, "it", {}))  # type: ignore[attr-defined]
    assert "<article" not in made and "How far: in_work" in made


def test_the_page_that_is_signed_carries_the_very_text_it_is_set_from(lab: Lab) -> None:
    sop = lab.new_sop("Cells & <b>counts</b>")
    sent = Reader(lab, "aurel").get(f"/r/{sop}/do/submit")
    exact = re.search(r'<pre class="asprinted"[^>]*>(.*?)</pre>', sent, re.DOTALL)
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', sent)
    assert exact is not None and shown is not None
    row = lab.row(sop)
    said = render(lab.door.catalogue.under(row.type, row.definition), row)
    assert html.unescape(exact[1]) == said
    assert shown[1] == shown_hash(said)
    assert "Cells &amp; &lt;b&gt;counts" in sent and "<b>counts" not in sent
