"""What a reader is told can be done: commands exist, links lead somewhere, nothing is a placeholder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_link_inside_the_project_leads_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read(name))
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not ((ROOT / name).parent / t).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_make_command_named_exists(name: str) -> None:
    named = re.findall(r"(?:^|`)make ([a-z-]+)", read(name), re.M)
    assert set(named) - make_targets() == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_page_holds_a_placeholder(name: str) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", read(name), flags=re.S)
    assert re.findall(r"<[A-Za-z ]+>|lorem|\bTBD\b|\?\?\?|coming soon|REPOSITORY|example\.com", text) == []


def test_the_contributing_guide_names_the_first_command_first() -> None:
    first = re.search(r"```\n(.+?)\n```", read("CONTRIBUTING.md"))
    assert first is not None and first.group(1) == "make test"


def test_the_first_screen_says_what_to_run_what_is_proven_and_what_is_missing() -> None:
    headings = re.findall(r"^## (.+)$", read("README.md"), re.M)
    order = ["From nothing", "What it proves", "What it does not do yet", "Who you need"]
    places = [next(i for i, h in enumerate(headings) if h.startswith(wanted)) for wanted in order]
    assert places == sorted(places)


def test_every_decision_is_listed() -> None:
    index = read("docs/decisions/README.md")
    decisions = sorted(p.name for p in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert decisions
    assert [d for d in decisions if d not in index] == []
    assert [int(d[:4]) for d in decisions] == list(range(1, len(decisions) + 1))


def test_every_make_command_is_explained_by_make_itself() -> None:
    makefile = read("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.M)
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.M)
    assert sorted(phony.split()) == sorted(explained)
