"""Every error is coded, every code is catalogued, raised and documented."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from coverslip.errors import CATALOGUE

FAMILIES = {
    "CoverslipError",
    "Refused",
    "Conflict",
    "Invalid",
    "NotFound",
    "EvidenceBroken",
    "EnvironmentFault",
}
RESERVED = {
    "SIG_DUP": "each signing leaves the state it is permitted in, so a second one is refused as SEQ_STATE",
    "RETENTION": "raised by the disposal procedure, which is not declared yet",
}
"""Codes whose meaning is fixed but whose rule has no code path yet. The list only gets shorter."""


def codes_used(module: Any) -> list[tuple[int, str]]:
    """Codes given as the first argument of an error."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in FAMILIES:
                found.append((node.lineno, str(node.args[0].value)))
    return found


def test_every_code_used_is_catalogued(modules: list[Any]) -> None:
    used = [(m.path, line, code) for m in modules for line, code in codes_used(m)]
    assert used
    assert [hit for hit in used if hit[2] not in CATALOGUE] == []


def test_every_catalogued_code_is_raised_somewhere(modules: list[Any], sql_files: dict[str, str]) -> None:
    named = {text for m in modules if m.path != "errors.py" for _, text in m.strings()}
    in_sql = " ".join(sql_files.values())
    unraised = {c for c in CATALOGUE if c not in named and not re.search(rf"'{c}'", in_sql)}
    assert unraised - set(RESERVED) == set()


def test_no_code_is_reserved_that_does_not_exist() -> None:
    assert set(RESERVED) <= set(CATALOGUE)


def test_every_catalogued_code_is_documented(root: Path) -> None:
    page = (root / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, re.M) and set(re.findall(r"^### (\w+)$", page, re.M)) == set(
        CATALOGUE
    )


def test_an_unknown_code_would_be_seen(source: Any) -> None:
    module = source.of("api/x.py", 'raise Refused("NO_SUCH", record="A-1")')
    assert [code for _, code in codes_used(module) if code not in CATALOGUE] == ["NO_SUCH"]
