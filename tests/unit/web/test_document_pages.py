"""Documents and training on pages: what is in force, what is on the way, and who lacks which training."""

from __future__ import annotations

import pytest

from fix_lab import Lab
from fix_reader import Reader


@pytest.fixture
def quinn(lab: Lab) -> Reader:
    return Reader(lab, "quinn")


def test_documents_in_force_are_shown_and_those_on_the_way_apart(lab: Lab, quinn: Reader) -> None:
    draft = lab.new_sop("A draft of its own")
    shown = quinn.get("/documents")
    assert "POL-0001" in shown
    assert draft not in shown
    assert draft in quinn.get("/documents?show=on_the_way")
    assert draft in quinn.get("/documents?show=all")


def test_the_training_matrix_says_who_lacks_what_in_words(lab: Lab, quinn: Reader) -> None:
    page = quinn.get("/training")
    assert "Training matrix" in page
    for cell in lab.services().teaching.show()["gaps"][:5]:
        assert cell["name"] in page
