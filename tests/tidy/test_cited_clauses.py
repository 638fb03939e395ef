"""Every clause that is cited exists, in code, SQL, tests and documents."""

from __future__ import annotations

import re

import pytest

from coverslip.clauses import CATALOGUE, known
from coverslip.retention.rules import ENGINE, TABLE

ID = re.compile(r"\bP11-\d+(?:-[a-z0-9]+)?(?:\.\d+)?")
OTHER_ID = re.compile(r"\b(?:THR|DI18|A11D?)-[A-Z0-9]+(?:-[a-z0-9]+)?\b")
RETENTION_ID = re.compile(r"\bRET-[A-Z0-9]+(?:-[A-Za-z0-9]+)?\b")
CITATION = re.compile(r"21 CFR (11\.\d+(?:\([a-z0-9]{1,3}\))*)")
CITATIONS = {clause.citation.removeprefix("21 CFR ") for clause in CATALOGUE.values()}
MADE_UP = ("tests/tidy/test_cited_clauses.py", "tests/unit/test_clauses.py")


def is_section(rule_id: str) -> bool:
    """Say whether ``rule_id`` names a whole section, such as P11-50, of catalogued controls."""
    return any(known_id.startswith(rule_id + "-") for known_id in CATALOGUE)


def unknown_in(text: str) -> list[str]:
    ids = [found for found in ID.findall(text) if not known(found) and not is_section(found)]
    places = [
        c
        for c in CITATION.findall(text)
        if not any(full.startswith(c) or c.startswith(full) for full in CITATIONS)
    ]
    retention = [found for found in RETENTION_ID.findall(text) if found not in TABLE.keys() | ENGINE]
    return ids + OTHER_ID.findall(text) + retention + places


def test_every_cited_clause_exists(texts: dict[str, str]) -> None:
    read = {path: text for path, text in texts.items() if path.endswith((".py", ".sql", ".md", ".html"))}
    assert any(ID.search(text) for text in read.values())
    assert {
        path: hits for path, text in read.items() if path not in MADE_UP and (hits := unknown_in(text))
    } == {}


@pytest.mark.parametrize(
    "text", ["P11-10-z", "P11-99", "21 CFR 11.11(a)", "P11-10-e.0", "RET-999-a", "THR-01"]
)
def test_an_unknown_clause_would_be_seen(text: str) -> None:
    assert unknown_in(f"see {text} for this")


@pytest.mark.parametrize(
    "text", ["P11-10-e.3", "P11-200-a1ii", "21 CFR 11.10(e)", "21 CFR 11.200(a)(1)", "21 CFR 11.10"]
)
def test_known_clauses_pass(text: str) -> None:
    assert unknown_in(f"see {text}.") == []
