"""Record types on the command line: look at them, try a refinement, propose it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import declared
from coverslip.kernel.refinery import Refinery
from coverslip.kernel.rows import NIL

LONGER = {"word": "raise_reason", "act": "edit", "minimum": 40}


class NothingInForce:
    """A store that tells of no refinement."""

    def facts(self, plan: Any) -> dict[str, Any]:
        return {"persons": {NIL: {"epoch": 0, "authority": []}}}


@pytest.fixture(autouse=True)
def refining(lab: Any) -> None:
    store: Any = NothingInForce()
    lab.catalogue = Refinery(lab.catalogue, store)


def written(folder: Path, *steps: Any, **more: Any) -> Path:
    path = folder / "rooms.json"
    fields = {
        "record_type": "image_set", "title": "Longer reasons", "patch": {"steps": list(steps)}, **more
    }  # fmt: skip
    path.write_text(json.dumps(fields), "utf-8")
    return path


def test_types_are_listed_and_shown_with_what_refines_them(ada: Any) -> None:
    assert any(line.startswith("image_set\tSET") for line in ada("type", "list").out.splitlines())
    shown = ada("type", "show", "image_set")
    assert shown.code == 0 and "definition" in shown.out and "made of" not in shown.out
    said = json.loads(ada("type", "show", "image_set", "--json").out)
    assert said["definition"] == said["shipped"] and said["refinements"] == []


def test_a_type_tells_its_fields_and_acts_to_whoever_fills_it_in(ada: Any) -> None:
    lines = [line.split("\t") for line in ada("type", "show", "image_set").out.splitlines()]
    kinds = {line[0]: line[1:] for line in lines if len(line) == 4}
    acts = {line[0]: line[1:] for line in lines if len(line) == 5}
    assert kinds["members"][:2] == ["number of image, many", "before frozen"]
    assert kinds["title"][1:] == ["required", "Purpose"]
    assert acts["create"][0] == "-> open" and "signed 'executed'" in acts["freeze"]
    assert acts["cancel"][3] == "a reason" and "use" not in acts, "what only follows is nobody's act"


def test_a_table_and_a_choice_say_what_they_take() -> None:
    column = {"kind": {"word": "Enum", "choices": ["a", "b"]}, "required": False}
    table = {"word": "Table", "columns": {"case": {"kind": {"word": "Text"}}, "pass": column}}
    assert declared.kind_of(table) == "rows of case (text); pass? (one of a, b)"
    assert declared.kind_of({"word": "Tesseract"}) == "tesseract"


def test_a_type_that_is_not_there_is_said_so(ada: Any) -> None:
    assert ada("type", "show", "image_sets").code == 1


def test_trying_says_what_a_refinement_does_and_keeps_nothing(ada: Any, lab: Any, tmp_path: Path) -> None:
    before = len(lab.rows)
    ran = ada("type", "refine", written(tmp_path, LONGER), "--check")
    assert ran.code == 0 and "asks a reason of 40 characters or more for 'edit'" in ran.out
    assert "It fits." in ran.out and len(lab.rows) == before


def test_trying_lists_every_problem_and_ends_as_a_finding(ada: Any, tmp_path: Path) -> None:
    bad = written(tmp_path, {**LONGER, "minimum": 3}, {"word": "mark_critical", "field": "gone"})
    for more in ((), ("--check",)):
        ran = ada("type", "refine", bad, *more)
        assert ran.code == 1
        assert "cannot: step 1 (raise_reason)" in ran.out and "there is no field 'gone'" in ran.out
    assert json.loads(ada("type", "refine", bad, "--json").out)["fits"] is False


def test_a_file_without_type_or_patch_is_misuse(ada: Any, tmp_path: Path) -> None:
    path = tmp_path / "rooms.json"
    path.write_text('{"patch": {}}', "utf-8")
    assert ada("type", "refine", path).code == 2


def test_proposing_makes_a_draft(ada: Any, lab: Any, tmp_path: Path) -> None:
    ran = ada("type", "refine", written(tmp_path, LONGER))
    assert ran.code == 0, ran.err
    assert lab.rows[-1].type == "refinement" and lab.rows[-1].state == "draft"
