"""The manual: the pages of ``docs``, shipped inside the package and shown as they are.

Rules kept here: the manual is of this build, read from disk and never fetched; a page is named by its path
below the manual and by nothing else; raw HTML in it is text. Every heading has an address, spelt as the
writers of the pages spell it: its words, small, joined by hyphens.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

import coverslip

_PACKED = Path(coverslip.__file__).parent / "manual"
_TREE = Path(coverslip.__file__).parents[2] / "docs"
PARTS = (
    ("", "Begin"),
    ("how-to", "How to"),
    ("explanation", "Why it is so"),
    ("reference", "Look up"),
    ("notebooks", "Notebooks"),
    ("decisions", "Decisions"),
)
NOTEBOOK = ".ipynb"
_NOT_IN_AN_ADDRESS = re.compile(r"[^\w\- ]")
_NAME = re.compile(r"(?:[a-z]+(?:-[a-z]+)*/)?[a-z0-9]+(?:-[a-z0-9]+)*")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its name below the manual, without ending, and its title."""

    name: str
    title: str


def folder() -> Path:
    """Return where the manual lies: in the package, or in the tree it is developed in."""
    return _PACKED if _PACKED.is_dir() else _TREE


@cache
def contents() -> tuple[tuple[str, tuple[Page, ...]], ...]:
    """Return the parts of the manual with their pages, in reading order."""
    return tuple((title, tuple(_pages(folder() / part, part))) for part, title in PARTS)


def _pages(where: Path, part: str) -> list[Page]:
    return [
        Page(f"{part}/{path.stem}" if part else path.stem, _title(path))
        for path in sorted((*where.glob("*.md"), *where.glob(f"*{NOTEBOOK}")))
        if path.stem != "README"
    ]


def _title(path: Path) -> str:
    first = next((line for line in _text(path).splitlines() if line.startswith("# ")), "")
    return first.removeprefix("# ") or path.stem


def known(name: str) -> bool:
    """Return whether the manual has a page of this name."""
    return bool(_NAME.fullmatch(name)) and any(p.name == name for _, pages in contents() for p in pages)


def notebook(name: str) -> Path | None:
    """Return the file of a page that is a notebook, for those who run it; None for any other page."""
    path = folder() / f"{name}{NOTEBOOK}"
    return path if known(name) and path.is_file() else None


def _source(name: str) -> Path:
    path = folder() / f"{name}.md"
    return path if path.is_file() else folder() / f"{name}{NOTEBOOK}"


def _text(path: Path) -> str:
    """Return a page as Markdown; of a notebook its texts and its code, without what the code once gave."""
    if path.suffix != NOTEBOOK:
        return path.read_text("utf-8")
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    said = []
    for cell in cells:
        source = "".join(cell["source"])
        said.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
    return "\n\n".join(said)


@cache
def rendered(name: str) -> str:
    """Return a page as HTML; its links to other pages lead to them here. The name must be known."""
    tokens = _MARKDOWN.parse(_text(_source(name)))
    taken: dict[str, int] = {}
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            before.attrSet("id", _anchor(token, taken))
        for inner in token.children or ():
            _relink(inner, name)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _anchor(heading: Token, taken: dict[str, int]) -> str:
    """Return the address of a heading within its page; of several alike the later ones are numbered."""
    words = "".join(one.content for one in heading.children or ())
    made = _NOT_IN_AN_ADDRESS.sub("", words.lower()).strip().replace(" ", "-") or "part"
    count = taken[made] = taken.get(made, -1) + 1
    return f"{made}-{count}" if count else made


def _relink(token: Token, page: str) -> None:
    """Lead a link between pages of the manual to its address; a picture becomes its words."""
    if token.type == "image":
        token.type, token.tag, token.attrs = "text", "", {}
    href = token.attrGet("href") if token.type == "link_open" else None
    if not isinstance(href, str) or "://" in href or href.startswith("#"):
        return
    path, _, part = href.partition("#")
    parts = page.split("/")[:-1]
    for piece in path.split("/"):
        if piece == "..":
            parts = parts[:-1]
        elif piece not in ("", "."):
            parts.append(piece)
    named = "/".join(parts).removesuffix(".md").removesuffix(NOTEBOOK).removesuffix("/README")
    token.attrSet("href", f"/help/{named}{f'#{part}' if part else ''}")


def find(text: str) -> list[Page]:
    """Return the pages that hold every word of a text, those with it in the title first."""
    words = text.casefold().split()[:10]
    hits = []
    for _, pages in contents():
        for one in pages:
            body = _text(_source(one.name)).casefold()
            if words and all(word in body for word in words):
                hits.append((not all(w in one.title.casefold() for w in words), one.name, one))
    return [one for _, _, one in sorted(hits, key=lambda h: h[:2])]
