"""Sections of an entry's body: their bundle lines, and their content read as typed values.

A bundle keeps bodies in ``bodies/NNNNNNNN.jsonl``, one file for each 1000 tree indexes, one line an
entry: ``{"idx":n,"sections":{name:{"salt":hex,"text":"..."}}}``, keys sorted, no spaces. The texts
are the committed bytes themselves, so this line is not held to Unicode form NFC as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coverslip.ledger.commitment import SECTIONS
from coverslip.verifier import shape, statement
from coverslip.verifier.report import BundleError

PER_FILE: Final = 1000
MAX_LINE: Final = 16 * 1024 * 1024
NUMBER: Final = re.compile(r"[A-Z0-9.-]+")
_ITEM_KEYS: Final = "path size sha256 root"


@dataclass(frozen=True, slots=True)
class Stored:
    """One section as stored: its 32-byte salt and its text."""

    salt: bytes
    text: str


@dataclass(frozen=True, slots=True)
class FileItem:
    """One original file of a record: size in bytes, SHA-256 and chunk-tree root in hex."""

    path: str
    size: int
    sha256: str
    root: str

    def value(self) -> dict[str, str | int]:
        """Return the item as the ``files`` section writes it."""
        return {"path": self.path, "size": self.size, "sha256": self.sha256, "root": self.root}


def path_of(index: int) -> str:
    """Return the bundle member that holds the body of tree index ``index``."""
    return f"bodies/{index // PER_FILE:08d}.jsonl"


def to_line(index: int, sections: Mapping[str, Stored]) -> bytes:
    """Return the line of one entry, its newline included."""
    value = {
        "idx": index,
        "sections": {name: {"salt": one.salt.hex(), "text": one.text} for name, one in sections.items()},
    }
    return _dump(value) + b"\n"


def from_line(line: bytes) -> tuple[int, dict[str, Stored]]:
    """Read one line (without its newline). Raises BundleError unless it is exactly as written."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise BundleError("a line is not JSON") from None
    found = shape.keys("line", value, "idx sections")
    sections = {}
    for name, item in shape.mapping("sections", found["sections"]).items():
        one = shape.keys("section", item, "salt text")
        salt = shape.octets("salt", one["salt"])
        if name not in SECTIONS or len(salt) != 32:
            raise BundleError("a section has an unknown name or a salt that is not 32 bytes")
        sections[name] = Stored(salt, shape.text("text", one["text"]))
    if _dump(value) != line:
        raise BundleError("a line is not written in its one spelling")
    return shape.whole("idx", found["idx"]), sections


def _dump(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def read(section: str, text: str) -> Any:
    """Return the value of a section: text, object, list of FileItem, or statement.Signature.

    Raises BundleError if it is not of its section's form.
    """
    if section == "reason":
        return text
    try:
        value = shape.load(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise BundleError("the text holds a lone surrogate") from None
    if section == "files":
        return files(value)
    if section == "signature":
        return statement.parse(value)
    if section == "content":
        _check_content(value)
    return shape.mapping(section, value)


def files(value: Any) -> list[FileItem]:
    """Return the items of a ``files`` section."""
    found = []
    for item in shape.array("files", value):
        one = shape.keys("file", item, _ITEM_KEYS)
        found.append(
            FileItem(
                shape.path("file path", one["path"]), shape.whole("file size", one["size"]),
                shape.digest("file sha256", one["sha256"]), shape.digest("file root", one["root"]),
            )
        )  # fmt: skip
    return found


def _check_content(value: Any) -> None:
    found = shape.mapping("content", value)
    for key in ("type", "number", "state"):
        if key not in found:
            raise BundleError(f"content lacks {key}")
        shape.text(key, found[key])
    for key in ("title", "created_by", "created_at", "gxp", "site"):
        shape.text(key, found.get(key, ""))
    shape.mapping("fields", found.get("fields", {}))
    shape.whole("revision", found.get("revision", 0))
    if not NUMBER.fullmatch(found["number"]) or found["number"].startswith("."):
        raise BundleError("number is not of the form of record numbers")


def label(content: Mapping[str, Any]) -> str:
    """Return a record's label: its number, with ``_r<revision>`` where the type has revisions."""
    number = str(content["number"])
    return f"{number}_r{content['revision']}" if "revision" in content else number
