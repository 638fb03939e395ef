"""Platform code cannot name a record type: what a type needs is said in the vocabulary, not in the kernel."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

PLATFORM = ("kernel/", "ledger/", "store/", "api/")
HOMONYMS = {
    "role": ("kernel/", "store/", "api/"),  # the role a person acts in, on every signature and session
    "site": ("kernel/", "store/", "api/"),  # a column of the envelope every record has
    "hold": ("kernel/",),  # a value of the sentence that says a record is on hold
    "attachment": ("api/devices.py",),  # how HTTP says that a file is to be saved
    "change": ("kernel/decide.py",),  # a word that says nothing, given as a reason
    "delegation": (
        "kernel/history.py",
        "kernel/signature.py",
        "kernel/view.py",
    ),  # what a signature for another names
    "anomaly": ("ledger/",),  # a type of entry, not of record
    "user": (
        "store/server/",  # an account of the operating system
        "store/check_entries.py",  # the second check reads personal keys where the entry format puts them
        "store/check_quick.py",  # and the quick way past it leaves those entries to it
    ),
}
"""Words that are also names of types, with the places where they mean something else."""

INFRASTRUCTURE = {"session", "installation"}


def declared_types(modules: list[Any]) -> set[str]:
    """Names of all declared types, read from the declarations and not from a list."""
    found = set()
    for module in modules:
        if module.within("records/"):
            for node in ast.walk(module.tree):
                called = getattr(node, "func", None)
                if isinstance(node, ast.Call) and _declares(called):
                    given = [k.value for k in node.keywords if k.arg == "name"] or node.args[:1]
                    found |= {v.value for v in given if isinstance(v, ast.Constant)}
    return found


def _declares(called: ast.expr | None) -> bool:
    """Whether a call is ``Type(…)``, or a helper that shortens one, such as ``document_type(…)``."""
    name = str(getattr(called, "attr", getattr(called, "id", "")))
    return name == "Type" or name.endswith("_type")


def _asks_for_a_type(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"type", "type_name", "record_type"}


def types_named(module: Any, names: set[str]) -> list[str]:
    names = names - INFRASTRUCTURE
    found = [
        f"{module.path}:{line} {text!r}"
        for line, said in module.strings()
        for text in (said, *re.findall(r"'([a-z_]+)'", said if module.within("store/") else ""))
        if text in names and not module.within(*HOMONYMS.get(text, ()))
    ]
    for node in ast.walk(module.tree):  # a homonym is never what a type is compared with
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            literals = {c.value for side in sides for c in ast.walk(side) if isinstance(c, ast.Constant)}
            if any(map(_asks_for_a_type, sides)) and literals & names:
                found.append(f"{module.path}:{node.lineno} compares a type with {sorted(literals & names)}")
    return found


def test_platform_code_names_no_record_type(modules: list[Any]) -> None:
    names = declared_types(modules)
    assert {"user", "image", "study"} <= names
    assert [hit for m in modules if m.within(*PLATFORM) for hit in types_named(m, names)] == []


@pytest.mark.parametrize(
    "text",
    [
        'if record.type == "image": pass',
        'x = {"image": 1}',
        'if record.type in ("role", "site"): pass',
        'f("study")',
    ],
)
def test_naming_a_type_would_be_seen(source: Any, text: str) -> None:
    assert types_named(source.of("kernel/commit.py", text), {"image", "role", "site", "study"})


def test_the_streams_of_the_installation_may_be_named(source: Any) -> None:
    text = 'if kind in ("session", "installation"): pass'
    assert types_named(source.of("kernel/commit.py", text), {"image", "session"}) == []
