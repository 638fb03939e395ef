"""The training matrix at the interface: everybody with an account reads it, nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]


@pytest.fixture(scope="module")
def sop(lab: Lab) -> str:
    """A procedure that custodians are asked to know; Mia is not trained on it, Nora is."""
    number = lab.new_sop("Calibrating", training_depth="none")
    lab.approve_sop(number)
    lab.work().due()
    lab.aurel.do("ROLE-MET", "propose_documents", why="They work by it.", proposed_documents=[number])
    lab.quinn.do("ROLE-MET", "approve_documents", sign=True)
    lab.grant(lab.number_of("nora"), "MET")
    lab.train("nora", f"{number} v1")
    return number


def test_the_matrix_names_who_is_trained_and_who_would_be_refused(lab: Lab, api: Api, sop: str) -> None:
    found = api("olga").get("/training/matrix?role=MET")
    cells = {c["name"]: (c["document"], c["state"], c["why"]) for c in found["cells"]}
    assert cells == {
        "Mia Metrology": (f"{sop} v1", "red", "not trained, not assigned"),
        "Nora Nobody": (f"{sop} v1", "green", f"trained on {sop} v1"),
    }
    assert found["counts"] == {"green": 1, "amber": 0, "red": 1}
    assert [gap["name"] for gap in found["gaps"]] == ["Mia Metrology"]
    assert found["as_of"][:10] == lab.accounts.now()[:10]
    assert api("olga").get("/training/matrix")["cells"] == found["cells"], "no other role asks for training"
    assert api("olga").get("/training/matrix?role=REV")["cells"] == []


def test_nobody_reads_the_matrix_without_a_session_or_by_something_that_is_no_role(api: Api) -> None:
    assert api("").request("GET", "/training/matrix").status_code == 401
    assert api("olga").request("GET", "/training/matrix?role=met;--").status_code == 422
