"""Words for regulators are exact, and nothing of the place where the project was made is in it."""

from __future__ import annotations

import re

import pytest

BANNED = re.compile(
    r"tamper-?\s?proof|compliant\s+software|part[- ]?11[- ](?:compliant|certified)"
    r"|guaranteed?\s+complian\w+|FDA[- ]approved"
    r"|\b(?:is|are|fully|FDA|GxP|GMP|GLP|ISO)[- ]certified\b"
    r"|\bcertified\s+(?:software|system|product|platform|by)\b",
    re.IGNORECASE,
)
IN_PROSE = re.compile(r"\bcertified\b(?!\s+(?:true\s+)?cop(?:y|ies))", re.IGNORECASE)
"""In a document the word alone is suspect; in code it may name the 11.100(c) statement of a site."""

NEGATED = re.compile(r"\b(?:not|never|no|nor|nobody)\b[^.]{0,60}$", re.IGNORECASE)
PLACES = re.compile(
    r"(?<![\w.~-])/(?:work|root|opt)/[a-z.]"  # a path of one machine
    r"|\b(?:[a-z]+\.)*(?:pypi|pythonhosted|npmjs|yarnpkg)\.(?:org|com)\b"  # the address of a registry
    r"|--(?:extra-)?index-url\b|--find-links"
)
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\s*\(#\d+\))")
SELF = "tests/tidy/test_words.py"


def banned_words(text: str, prose: bool = True) -> list[str]:
    flat = re.sub(r"[*_`\"']", "", re.sub(r"\s+", " ", text))
    found = [*BANNED.finditer(flat), *(IN_PROSE.finditer(flat) if prose else ())]
    return [m.group() for m in found if not NEGATED.search(flat[: m.start()])]


def product(texts: dict[str, str]) -> dict[str, str]:
    """What we wrote: without the licences and data of others."""
    theirs = re.compile(r"(^|/)(LICENSE|licences/|vendor/|SOURCES?\.|vectors/.*\.json$)|\.lock$")
    return {path: text for path, text in texts.items() if path != SELF and not theirs.search(path)}


def test_no_claim_is_made_that_cannot_be_proven(texts: dict[str, str]) -> None:
    ours = {path: text for path, text in product(texts).items() if not path.startswith("tests/")}
    assert {
        path: hits for path, text in ours.items() if (hits := banned_words(text, path.endswith(".md")))
    } == {}


def test_no_path_or_registry_of_one_machine_is_named(texts: dict[str, str]) -> None:
    read = {path: text for path, text in texts.items() if path not in {SELF, "tests/tidy/test_locks.py"}}
    hits = {path: sorted(set(found)) for path, text in read.items() if (found := PLACES.findall(text))}
    assert hits == {}


def test_nothing_is_left_to_do_without_an_issue(texts: dict[str, str]) -> None:
    hits = {path: found for path, text in product(texts).items() if (found := UNFINISHED.findall(text))}
    assert hits == {}


@pytest.mark.parametrize(
    "text", ["This is certified.", "a tamper-proof log", "Part 11 compliant", "compliant software"]
)
def test_a_banned_word_would_be_seen(text: str) -> None:
    assert banned_words(text)


@pytest.mark.parametrize(
    "text", ["a certified copy", "FDA has never certified software", "it is not *tamper-proof*"]
)
def test_the_same_word_denied_is_let_through(text: str) -> None:
    assert banned_words(text) == []


@pytest.mark.parametrize(
    "text", ["see /work/main", "/root/.cache", "https://pypi.org/simple", "--index-url x"]
)
def test_a_place_would_be_seen(text: str) -> None:
    assert PLACES.search(text)


@pytest.mark.parametrize("text", ["docs/work/plan.md", "the frame/root/of", "~/work/x", "/workspace"])
def test_other_paths_are_let_through(text: str) -> None:
    assert not PLACES.search(text)
