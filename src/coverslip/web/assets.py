"""Addresses of what pages load: scripts, styles, icons, fonts, never from elsewhere.

Rules kept here:

* An address carries the hash of its content: in the file's name for what ``make assets`` collected, as
  ``?v=`` for the files beside it. A new content has a new address, so both may be kept for ever. Fonts alone
  keep their names, since the style names them.
* A name that leads to nothing is an error when the page is made, never a dead address in it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from coverslip.errors import CoverslipError

STATIC = Path(__file__).parent / "static"
PREFIX = "/static/"


class Assets:
    """The static files of one folder. Files are hashed once; a server that runs serves one build."""

    def __init__(self, static: Path = STATIC) -> None:
        self._static = static
        self._collected = self._manifest()
        self._known: dict[str, str] = {}

    def url(self, name: str) -> str:
        """Return the address of ``htmx.min.js``, ``icons.svg``, ``coverslip.css`` …; raise ENVIRONMENT where
        there is none."""
        if name not in self._known:
            self._known[name] = self._address(name)
        return self._known[name]

    def names(self) -> frozenset[str]:
        """Return every name ``url`` answers."""
        beside = (path.name for path in self._static.iterdir() if path.is_file())
        return frozenset(self._collected) | frozenset(beside)

    def _address(self, name: str) -> str:
        if name in self._collected:
            return f"{PREFIX}assets/{self._collected[name]}"
        path = self._static / name
        if "/" in name or not path.is_file():
            raise _missing(f"the asset {name}", "none of that name")
        return f"{PREFIX}{name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"

    def _manifest(self) -> dict[str, str]:
        path = self._static / "assets" / "manifest.json"
        if not path.is_file():
            raise _missing("the pages' assets (scripts, fonts, icons)", f"no {path}")
        files = json.loads(path.read_bytes())["files"]
        return {name: str(given["file"]) for name, given in files.items()}


def _missing(what: str, found: str) -> CoverslipError:
    return CoverslipError(
        "ENVIRONMENT",
        what=what,
        expected="collected when Coverslip was built",
        found=found,
        remedy="In a checkout run 'make assets' (scripts/assets.py); a wheel holds them.",
    )
