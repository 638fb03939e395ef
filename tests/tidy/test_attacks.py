"""Every attack the page lists is tried by a test that exists, and the page lists what the tests try."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = "docs/explanation/attacks.md"
LISTED = 86
ATTACKERS = {
    "user",
    "administrator",
    "holder of the writer's password",
    "database administrator, integrated",
    "database administrator, not yet integrated",
    "root on the database host, not the signer",
    "root with the signing key",
}


def rows(root: Path) -> list[list[str]]:
    """Return the cells of all table rows that name a test."""
    lines = (root / PAGE).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "`tests/" in line[1:]
            and line.startswith("|")]  # fmt: skip


def named(cell: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", cell)


def exists(root: Path, test: str) -> bool:
    path, _, function = test.partition("::")
    if not (root / path).is_file():
        return False
    return not function or f"\ndef {function}(" in (root / path).read_text("utf-8")


def test_every_row_names_a_test_that_exists(root: Path) -> None:
    found = rows(root)
    assert len(found) > LISTED
    missing = [(row[0], test) for row in found for test in named(row[-1]) if not exists(root, test)]
    assert missing == [] and all(named(row[-1]) for row in found)


def test_no_attack_is_left_out_of_the_list(root: Path) -> None:
    ids = [row[0] for row in rows(root) if re.fullmatch(r"A\d\d", row[0])]
    assert ids == [f"A{n:02d}" for n in range(1, LISTED + 1)]
    assert {row[0] for row in rows(root) if not re.fullmatch(r"A\d\d", row[0])} == ATTACKERS


def test_every_module_of_attacks_on_evidence_is_on_the_page(root: Path) -> None:
    text = (root / PAGE).read_text("utf-8")
    modules = sorted(p.name for p in (root / "tests/adversarial/evidence").glob("test_*.py"))
    unlisted = {"test_projections.py", "test_dishonest_exporter.py", "test_home_files.py"}
    assert [name for name in modules if name not in text and name not in unlisted] == []


def test_a_test_that_does_not_exist_is_noticed(root: Path) -> None:
    assert not exists(root, "tests/adversarial/evidence/test_heads.py::test_that_nobody_wrote")
    assert not exists(root, "tests/adversarial/evidence/test_nothing.py")
