"""A record that nobody acts on itself says where it waits, for whom, and leads there."""

from __future__ import annotations

import pytest

from coverslip.kernel.definition import Catalogue
from coverslip.records import all_types
from coverslip.web.awaiting import at_rest
from coverslip.work import elsewhere, waiting
from coverslip.work.elsewhere import Mover
from fix_lab import Lab
from fix_reader import Reader

CATALOGUE = Catalogue(all_types())


@pytest.fixture(scope="module")
def submitted(lab: Lab) -> tuple[str, str]:
    return lab.new_review()


def strip(page: str) -> str:
    return page[page.index('<div class="next') :].partition("</div>")[0]


@pytest.mark.parametrize(
    ("kind", "state", "mover"),
    [
        ("analysis_run", "in_review", Mover("review_case", "subject")),
        ("result_set", "provisional", Mover("analysis_run", "results")),
        ("reprocessing_request", "approved", Mover("analysis_run", "request", by_making=True)),
        ("supplier", "assessing", Mover("supplier_qualification", "supplier")),
    ],
)
def test_what_takes_a_record_on_from_elsewhere_is_read_off_the_declarations(
    kind: str, state: str, mover: Mover
) -> None:
    assert elsewhere.movers(CATALOGUE, CATALOGUE[kind], state) == [mover]


@pytest.mark.parametrize("name", [d.name for d in CATALOGUE])
def test_every_state_has_somebody_to_wait_for_or_says_why_it_has_nobody(name: str) -> None:
    definition = CATALOGUE[name]
    for state in definition.type.states:
        acts = [t for t in definition.type.transitions if not t.consequence]
        leads_on = any(state.name in t.from_ or "*" in t.from_ for t in acts)
        told = (
            any(True for _ in waiting.acts(definition, state.name))
            or elsewhere.by_itself(definition, state.name)
            or elsewhere.movers(CATALOGUE, definition, state.name)
            or at_rest(definition, state.name)
        )
        resting = state.resting or state.terminal or not leads_on
        assert told or resting, f"{name} {state.name}"


def test_a_run_in_review_leads_to_its_review_case(lab: Lab, submitted: tuple[str, str]) -> None:
    run, case = submitted
    said = strip(Reader(lab, "alan").get(f"/runs/{run}"))
    assert f'href="/review/{case}"' in said
    assert "Waited for: Technical reviewer (REV)" in said
    assert "Nobody is waited for" not in said


def test_who_can_go_on_there_is_told_so(lab: Lab, submitted: tuple[str, str]) -> None:
    run, case = submitted
    said = strip(Reader(lab, "rita").get(f"/runs/{run}"))
    assert f'href="/review/{case}"' in said
    assert "You can do this now" in said


def test_results_under_review_lead_through_their_run_to_the_case(
    lab: Lab, submitted: tuple[str, str]
) -> None:
    run, case = submitted
    results = str(lab.row(run).fields["results"]["number"])
    assert f'href="/review/{case}"' in strip(Reader(lab, "rita").get(f"/r/{results}"))


def test_a_queued_run_is_started_by_itself(lab: Lab) -> None:
    said = strip(Reader(lab, "alan").get(f"/runs/{lab.new_run()}"))
    assert "start, by itself" in said
    assert "nobody has to" in said


def test_who_lacks_the_role_is_told_which_role_is_waited_for(lab: Lab) -> None:
    said = strip(Reader(lab, "rita").get(f"/documents/{lab.new_sop()}v1"))
    assert "Waited for: Author (AUT)" in said
    assert "You hold: Technical reviewer" in said


def test_what_is_in_force_says_how_it_changes() -> None:
    said = at_rest(CATALOGUE["document_sop"], "effective")
    assert said == "It is in force. It changes by a new version."
