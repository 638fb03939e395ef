"""Before the 11.100(c) certification is on its way nobody signs, and no site is active."""

from __future__ import annotations

from coverslip.kernel.change import Context
from coverslip.kernel.clock import ClockState
from coverslip.kernel.genesis import Founder, Genesis
from coverslip.kernel.rows import NIL
from fix_lab import TODAY, Lab, refused


def test_nobody_signs_before_the_certification_and_does_after(bare_lab: Lab) -> None:
    lab = bare_lab
    grant = lab.ada.create(
        "role_grant", person=lab.number_of("aurel"), role="ROLE-QAL", justification="Needed here."
    )
    with refused("AUTH_ORG"):
        lab.quinn.do(grant, "approve", sign=True)
    assert lab.row(grant).state == "requested"
    with refused("SEQ_PRE") as caught:
        lab.quinn.do("SITE-01", "activate", sign=True)
    assert "11.100(c)" in caught[0].message
    assert lab.row("SITE-01").state == "planned"
    letter = lab.quinn.create(
        "certification_letter",
        organisation="Test Lab",
        sites=["SITE-01"],
        statement="Our signatures bind.",
        signed_by="Q",
        addressee="FDA",
        channel="electronic",
        covers_from=TODAY.isoformat(),
    )
    lab.quinn.do(letter, "sign_on_paper")
    with refused("VAL_REQ"):
        lab.quinn.do(letter, "send", sent_on=TODAY.isoformat())
    lab.quinn.do(letter, "send", sent_on=TODAY.isoformat(), handwritten_scan=lab.attach())
    lab.quinn.do("SITE-01", "activate", sign=True)
    assert lab.row("SITE-01").state == "active"
    lab.quinn.do(grant, "approve", sign=True)
    assert lab.row(grant).state == "active"


def test_founders_can_neither_be_founded_again_nor_verify_themselves(bare_lab: Lab) -> None:
    for username in ("ada", "quinn", "aurel"):
        number = bare_lab.number_of(username)
        people = bare_lab.row(number).people
        assert getattr(bare_lab, username).uid not in people["activate"]
        entries = bare_lab.history(number)
        assert {e["type"] for e in entries} == {"genesis"}
    founders = tuple(
        Founder(f"f{r}", r, "f@lab.example", (r,), "walnut harbour lantern") for r in ("ADM", "QA", "AUT")
    )
    genesis = Genesis(bare_lab.door.catalogue, bare_lab.store, bare_lab.accounts)
    with refused("SEQ_STATE"):
        genesis.run(founders, lambda _: (), Context(NIL, NIL, "password"), ClockState().value())
