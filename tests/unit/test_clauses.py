from __future__ import annotations

import re

import pytest

from coverslip.clauses import CATALOGUE, RULE_ID, control_of, known


def test_every_paragraph_of_11_10_has_one_control() -> None:
    assert [f"P11-10-{x}" in CATALOGUE for x in "abcdefghijk"] == [True] * 11


@pytest.mark.parametrize("rule_id", sorted(CATALOGUE))
def test_an_id_matches_its_citation(rule_id: str) -> None:
    clause = CATALOGUE[rule_id]
    assert RULE_ID.fullmatch(rule_id)
    letters = "".join(re.findall(r"\(([a-z0-9]+)\)", clause.citation))
    section = re.search(r"21 CFR 11\.(\d+)", clause.citation)
    assert section is not None
    assert rule_id == f"P11-{section.group(1)}" + (f"-{letters}" if letters else "")
    assert clause.title and clause.verified


@pytest.mark.parametrize(
    "rule_id", ["P11-10-e", "P11-10-e.3", "P11-200-a1ii.2", "P11-3.4", "P11-300", "P11-1-p"]
)
def test_controls_and_their_criteria_are_known(rule_id: str) -> None:
    assert known(rule_id)
    assert control_of(rule_id).rule_id == rule_id.split(".")[0]


@pytest.mark.parametrize(
    "rule_id",
    ["", "P11", "P11-10-z", "P11-10-e.0", "P11-10-e.", "P11-10-e.3.1", "p11-10-e", "P11-10-e\n", "11.10(e)"],
)
def test_anything_else_is_not_known(rule_id: str) -> None:
    assert not known(rule_id)
    with pytest.raises(KeyError):
        control_of(rule_id)


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["P11-10-e"] = CATALOGUE["P11-10-f"]  # type: ignore[index]
