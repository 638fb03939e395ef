from __future__ import annotations

import string

import pytest

from coverslip.clauses import control_of, known
from coverslip.error_codes import SPECS
from coverslip.errors import CATALOGUE, Conflict, CoverslipError, ErrorSpec, Invalid, Refused

FAMILIES = {cls.family: cls for cls in CoverslipError.__subclasses__()}
STATUS = {
    "refused": {401, 403, 405, 409, 423, 429, 503},
    "conflict": {409},
    "invalid": {409, 413, 422, 421},
    "not_found": {404},
    "evidence": {409, 503},
    "environment": {503, 507},
}


def test_six_families_and_each_has_a_code() -> None:
    assert set(FAMILIES) == set(STATUS) == {spec.family for spec in SPECS}


def test_a_code_is_catalogued_once() -> None:
    assert len(CATALOGUE) == len(SPECS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.code)
def test_a_code_has_a_status_of_its_family_and_known_rules(spec: ErrorSpec) -> None:
    assert spec.status in STATUS[spec.family]
    assert not spec.rule or known(spec.rule)
    assert not spec.clause or spec.rule, "a clause is cited through its rule"


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.code)
def test_a_recorded_authority_refusal_names_its_rule(spec: ErrorSpec) -> None:
    if spec.recorded == "each":
        assert spec.rule and spec.clause
        assert spec.clause.startswith("21 CFR 11.") and control_of(spec.rule)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.code)
def test_a_message_is_a_sentence_and_says_what_to_do(spec: ErrorSpec) -> None:
    assert spec.template.endswith((".", "?")), "a sentence"
    assert spec.remedy, "what to do next"
    list(string.Formatter().parse(spec.template + spec.remedy))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.code)
def test_missing_values_never_hide_the_error(spec: ErrorSpec) -> None:
    error = FAMILIES[spec.family](spec.code)
    assert error.code == spec.code and error.status == spec.status
    assert "{" not in error.message


def test_the_message_is_built_from_values() -> None:
    error = Refused("SEQ_STATE", record="RUN-2026-0001", state="draft", action="Release", states="approved")
    assert error.message == "RUN-2026-0001 is draft; Release is only allowed from approved."
    assert error.remedy == "Bring the record to approved first."
    assert str(error).startswith("SEQ_STATE: ")


def test_a_code_cannot_be_raised_as_another_family() -> None:
    with pytest.raises(ValueError, match="belongs to family refused"):
        Invalid("AUTH_ROLE")


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Conflict("NO_SUCH_CODE")


def test_a_value_that_looks_like_a_template_is_not_filled_again() -> None:
    error = Invalid("VAL_FORM", field="{secret}", expected="a date", found="{0.__class__}", secret="s3cret")
    assert "s3cret" not in error.message
    assert "{0.__class__}" in error.message


def test_a_problem_holds_what_was_said_and_not_the_values() -> None:
    error = Refused("AUTH_ROLE", record="DOC-1", role="QA", action="approve", roles="OPR", token="hidden")
    problem = error.problem()
    assert problem["status"] == 403 and problem["rule"] == "P11-10-g" and problem["record"] == "DOC-1"
    assert set(problem) == {
        "type", "title", "status", "detail", "code", "message", "rule", "clause", "record", "remedy",
    }  # fmt: skip
    assert "hidden" not in str(problem)


def test_rule_and_remedy_of_the_occasion_win_over_the_catalogue() -> None:
    error = Refused(
        "SEQ_PRE", rule="P11-10-g.2", clause="21 CFR 11.10(g)", remedy="Ask QA.", action="x", conditions="y"
    )
    assert (error.rule, error.clause, error.remedy) == ("P11-10-g.2", "21 CFR 11.10(g)", "Ask QA.")
