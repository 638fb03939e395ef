"""The manual: the pages of ``docs``, shipped inside the package and shown as they are.

Rules kept here: the manual is of this build, read from disk and never fetched; a page is named by its path
below the manual and by nothing else; raw HTML in it is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
    ("decisions", "Decisions"),
)
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
        for path in sorted(where.glob("*.md"))
        if path.stem != "README"
    ]


def _title(path: Path) -> str:
    first = next((line for line in path.read_text("utf-8").splitlines() if line.startswith("# ")), "")
    return first.removeprefix("# ") or path.stem


def known(name: str) -> bool:
    """Return whether the manual has a page of this name."""
    return bool(_NAME.fullmatch(name)) and any(p.name == name for _, pages in contents() for p in pages)


@cache
def rendered(name: str) -> str:
    """Return a page as HTML; its links to other pages lead to them here. The name must be known."""
    text = (folder() / f"{name}.md").read_text("utf-8")
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        for inner in token.children or ():
            _relink(inner, name)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


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
    token.attrSet("href", f"/help/{'/'.join(parts).removesuffix('.md')}{f'#{part}' if part else ''}")


def find(text: str) -> list[Page]:
    """Return the pages that hold every word of a text, those with it in the title first."""
    words = text.casefold().split()[:10]
    hits = []
    for _, pages in contents():
        for one in pages:
            body = (folder() / f"{one.name}.md").read_text("utf-8").casefold()
            if words and all(word in body for word in words):
                hits.append((not all(w in one.title.casefold() for w in words), one.name, one))
    return [one for _, _, one in sorted(hits, key=lambda h: h[:2])]
