"""Certification letter: the 11.100(c) statement that electronic signatures bind (DOMAIN 3.8).

Rules kept here: it is signed by hand, so no electronic signature precedes it; it is not sent without
the scan of that signature. FDA takes it in electronic or paper form since March 2023.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, signing

_SENT = ("sent", "acknowledged_on_file")

TYPE = w.Type(
    name="certification_letter",
    title="Certification letter",
    version=2,
    purpose="The organisation's statement to the agency that its electronic signatures bind.",
    number=w.Number("CERT", 2),
    gxp=REGULATED,
    title_field="organisation",
    fields={
        "organisation": w.Field(w.Text(300), "Organisation", required=True),
        "sites": w.Field(w.Link(("site",), "none"), "Sites covered", required=True, many=True),
        "statement": w.Field(w.Rich(20_000), "Statement", required=True, critical=True),
        "signed_by": w.Field(w.Text(200), "Signed by", required=True),
        "addressee": w.Field(w.Rich(2000), "Addressee", required=True),
        "channel": w.Field(w.Enum(("paper", "electronic")), "Sent as", required=True),
        "covers_from": w.Field(w.Date(), "Covers signatures from", required=True, critical=True),
        "handwritten_scan": w.Field(
            w.File(),
            "Scan with handwritten signature",
            required_at=("sent",),
            critical=True,
            immutable_at=_SENT,
        ),
        "sent_on": w.Field(w.Date(), "Sent on", required_at=("sent",)),
        "proof_of_delivery": w.Field(w.File(), "Proof of delivery"),
    },
    states=(
        w.State("draft"),
        w.State("signed_on_paper"),
        w.State("sent"),
        w.State("acknowledged_on_file", locked=True, resting=True),
        w.State("superseded", terminal=True, locked=True),
    ),
    create=w.Making(("QA",), "draft"),
    edit=w.Editing(("QA",), ("draft",)),
    persons={"author": w.Actor("create")},
    transitions=(
        w.Transition(
            "sign_on_paper",
            "Record handwritten signature",
            ("draft",),
            "signed_on_paper",
            ("QA",),
            fields=("handwritten_scan",),
        ),
        w.Transition(
            "send",
            "Record as sent",
            ("signed_on_paper",),
            "sent",
            ("QA",),
            fields=("handwritten_scan", "sent_on", "channel", "proof_of_delivery"),
        ),
        w.Transition(
            "acknowledge",
            "Record on file",
            ("sent",),
            "acknowledged_on_file",
            ("QA",),
            fields=("proof_of_delivery",),
            signature=signing(
                "accepted_responsibility", "The letter is on file with the agency; I answer for it.", ("QA",)
            ),
        ),
        w.Transition(
            "supersede",
            "Supersede",
            ("acknowledged_on_file",),
            "superseded",
            ("QA",),
            signature=signing("closed", "A later letter stands in place of this one.", ("QA",)),
            reason=w.Reason(),
        ),
    ),
    provides=(w.Certifies(_SENT),),
    migration_note="Nobody is waited for once the answer is on file.",
    retention=w.Retention("SYS"),
    summary=("organisation", "channel", "sent_on"),
    predicate_rules=("21 CFR 11.100(c)",),
)
