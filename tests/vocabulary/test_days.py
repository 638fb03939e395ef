"""What happens by itself on its day: reviews open, delegations end, training runs out and is opened again."""

from __future__ import annotations

from coverslip.kernel.dates import later_by
from coverslip.training import Assignments
from fix_lab import refused
from fix_world import World


def test_a_periodic_review_opens_sixty_days_before_it_is_due(world: World) -> None:
    number = world.new("document_sop", "effective", review_months=3)
    review = world.linked(number, "periodic_review")[0]
    assert review.state == "scheduled"
    assert review.fields["due"] == later_by(str(world.row(number).fields["effective_date"]), months=3)
    world.pass_days(27)
    world.lab.work().due()
    assert world.row(review.number).state == "scheduled"
    world.pass_days(10)
    world.lab.work().due()
    assert world.row(review.number).state == "due"


def test_a_delegation_ends_the_day_after_its_last_and_its_taker_is_refused(world: World) -> None:
    nora = world.number_of("nora")
    number = world.new("delegation", "active", taker=nora, end=world.day(2))
    draft = world.new("document_sop", "in_review")
    with refused("AUTH_ROLE"):
        world.do(draft, "review", by="alan")
    world.do(draft, "review", by="nora")
    entry = [e for e in world.lab.reading.history(world.row(draft).uid) if e["act"] == "review"][-1]
    giver = world.named("checker1").uid
    assert (entry["actor"], entry["behalf"]) == (world.named("nora").uid, giver)
    world.pass_days(3)
    late = world.new("document_sop", "in_review")
    with refused("AUTH_ROLE"):
        world.do(late, "review", by="nora")
    world.lab.work().due()
    assert world.row(number).state == "ended"


def test_training_about_to_run_out_is_opened_again_and_runs_out_on_its_day(world: World) -> None:
    document = world.new("document_sop", "effective", training_depth="read_understood")
    role = world.new("role", "effective")
    person = world.number_of("nora")
    world.new("role_grant", "active", role=role, person=person, end=None)
    items = [{"document": document, "depth": "read_understood", "grace_days": 0, "refresh_months": 2}]
    world.new("curriculum", "effective", role=role, items=items)
    duty = Assignments(world.lab.door, world.lab.reading, world.lab.service, world.lab.accounts.now)
    duty.do()
    first = world.linked(document, "training_record")
    assert [r.fields["person"]["number"] for r in first] == [person]
    world.do(first[0].number, "complete")
    duty.do()
    assert len(world.linked(document, "training_record")) == 1
    world.pass_days(35)
    duty.do()
    opened = [r for r in world.linked(document, "training_record") if r.number != first[0].number]
    assert [(r.state, r.fields["due"]) for r in opened] == [
        ("assigned", world.row(first[0].number).fields["expires"])
    ]
    world.pass_days(30)
    world.lab.work().due()
    assert world.row(first[0].number).state == "expired"
