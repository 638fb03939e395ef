"""A record that many others name: its pages show the newest, say how many there are and where the rest is."""

from __future__ import annotations

import html
import re

import pytest

from coverslip.exports import service as exporting
from coverslip.kernel.change import Change
from coverslip.kernel.facts import SOME, Plan
from coverslip.web.lineage import DOWN
from coverslip.web.routes import records
from coverslip.web.routes.records import BESIDE, COUNTED, EACH, LINKED
from fix_lab import Lab, refused
from fix_pages import sequencing
from fix_reader import Reader

MANY = LINKED + 30
SEVERAL = BESIDE + 5


@pytest.fixture(scope="module")
def study(lab: Lab) -> str:
    """A study of this module, under way, that many specimens and a few sessions and comments name."""
    number = lab.new_study()
    lab.start_study(number)
    specimen = {"title": "Section", "kind": "tissue", "unit": "mL", "study": number}
    lab.door.submit_all(
        [Change("create", "specimen", fields=dict(specimen)) for _ in range(MANY)], lab.alan.context
    )
    for _ in range(3):
        lab.new_session(study=number)
    comment = {"subject": number, "text": "Seen at the bench."}
    lab.door.submit_all(
        [Change("create", "comment", fields=comment | {"text": f"Seen {n}."}) for n in range(SEVERAL)],
        lab.alan.context,
    )
    return number


@pytest.fixture
def alan(lab: Lab) -> Reader:
    return Reader(lab, "alan")


def _numbers(page: str, prefix: str) -> set[str]:
    return set(re.findall(rf'href="/r/({prefix}-[0-9-]+)"', page))


def _specimens(lab: Lab, study: str) -> list[str]:
    found = lab.ask(
        "select r.number from projection.link l join projection.record r on r.uid = l.from_uid"
        " and r.type = l.from_type where l.to_uid = %s and l.from_type = 'specimen' order by r.uid desc",
        lab.row(study).uid,
    )
    return [str(number) for (number,) in found]


def test_related_shows_the_newest_of_each_type_and_how_many_there_are(
    lab: Lab, alan: Reader, study: str
) -> None:
    page = alan.get(f"/r/{study}/related")
    newest = _specimens(lab, study)
    assert len(newest) == MANY
    assert _numbers(page, "SMP") == set(newest[:EACH])
    assert len(_numbers(page, "ACQ")) == 3, "the few are all there"
    assert re.search(rf'related\?type=specimen">Specimen</a> {MANY}\b', page)
    assert f'<span class="sub">{SEVERAL}</span>' in page, "comments"
    assert f"the newest {BESIDE} are here" in page


def test_every_record_that_names_one_is_on_a_page_of_its_type_once(
    lab: Lab, alan: Reader, study: str
) -> None:
    first = alan.get(f"/r/{study}/related?type=specimen")
    older = re.search(r'href="(/r/[^"]+related\?type=specimen&amp;before=[0-9a-f-]{36})"', first)
    assert older is not None
    second = alan.get(older[1].replace("&amp;", "&"))
    assert "these are the oldest" in second and "before=" not in second.split("these are the oldest")[1]
    one, two = _numbers(first, "SMP"), _numbers(second, "SMP")
    assert (len(one), len(two)) == (LINKED, MANY - LINKED)
    assert one | two == set(_specimens(lab, study)) and not one & two


def test_a_type_there_is_not_is_refused_and_one_that_names_nothing_is_empty(alan: Reader, study: str) -> None:
    alan.get(f"/r/{study}/related?type=nonsense", 404)
    alan.get(f"/r/{study}/related?type=specimen&before=nonsense", 422)
    assert "No record names it." in alan.get(f"/r/{study}/related?type=capa")


def test_where_little_names_a_record_all_of_it_is_on_one_page(lab: Lab, alan: Reader) -> None:
    number = lab.new_study()
    made = {lab.new_session(study=number) for _ in range(EACH + 2)}
    assert _numbers(alan.get(f"/r/{number}/related"), "ACQ") == made


def test_counts_are_exact_up_to_their_limit(lab: Lab, study: str) -> None:
    uid = lab.row(study).uid
    assert lab.reading.linked_counts(uid, COUNTED + 1)["specimen"] == MANY
    assert lab.reading.linked_counts(uid, 7)["specimen"] == 7
    assert lab.reading.linked_counts(lab.row(lab.new_study()).uid, 7) == {}


def test_lineage_names_what_it_leaves_out(lab: Lab, alan: Reader, study: str) -> None:
    page = alan.get(f"/r/{study}/lineage?show=table")
    assert _numbers(page, "SMP") == set(_specimens(lab, study)[: DOWN[0]])
    assert "there are more than these" in page
    assert f'<a href="/r/{study}/related?type=specimen">specimen on {study}</a>' in page
    graph = alan.get(f"/r/{study}/lineage?show=graph")
    assert f"newest {DOWN[0]} records" in graph


def test_the_record_says_how_many_comments_there_are(alan: Reader, study: str) -> None:
    assert f"{SEVERAL} comments" in alan.get(f"/r/{study}/record")


def test_what_is_open_is_refused_by_name_up_to_fifty_and_the_others_are_told_of(lab: Lab, study: str) -> None:
    with refused("SEQ_PRE") as caught:
        lab.sam.do(study, "complete_data")
    unmet = [str(one) for one in caught[0].values["unmet"]]
    named = [one for one in unmet if one.startswith("Specimen SMP")]
    assert len(named) == SOME - 1
    assert "no other specimen is open (more than these 50 are)" in unmet
    assert sum(one.startswith("Session ACQ") for one in unmet) == 3


def test_how_long_it_is_kept_is_worked_out_for_who_asks_where_much_is_built_on_it(
    lab: Lab, alan: Reader, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "BUILT_ON", 100)
    page = alan.get(f"/r/{study}/retention")
    assert "More than 100 records are built on this one" in page and "Open" not in page
    whole = lab.services().retaining.one(lab.row(study))["sentence"]
    assert whole[:40] in html.unescape(alan.get(f"/r/{study}/retention?whole=true"))


def test_one_of_many_is_as_soon_known_as_ever(lab: Lab, study: str) -> None:
    retaining = lab.services().retaining
    one = lab.row(_specimens(lab, study)[0])
    assert retaining.soon(one, 100) == retaining.one(one), "what its study has besides is not read"
    assert retaining.soon(lab.row(study), 100) is None


def test_a_bundle_of_more_than_it_can_hold_is_refused_and_not_cut(
    lab: Lab, alan: Reader, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MAX_RECORDS", 100)
    with sequencing(lab):
        answer = alan.post(f"/r/{study}/export")
    assert answer.status_code == 503
    assert "at most 100 records" in answer.text


def test_of_two_who_ask_for_the_same_neither_is_given_too_little() -> None:
    plan = Plan()
    plan.children("self", (), "specimen", "study", ("closed", "voided"))
    name = plan.children("self", (), "specimen", "study", ("voided", "closed"))
    assert plan.reads[name]["closed"] == ["closed", "voided"] and plan.reads[name]["limit"] == SOME
    plan.children("self", (), "specimen", "study", ("voided", "stored"))
    assert plan.reads[name]["closed"] == ["voided"] and "limit" not in plan.reads[name]
    plan.children("self", (), "specimen", "study")
    assert not {"closed", "limit"} & plan.reads[name].keys()
    plan.children("self", (), "specimen", "study", ("voided",))
    assert not {"closed", "limit"} & plan.reads[name].keys()
