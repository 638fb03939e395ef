"""Policy notice: one person is to acknowledge one version of the signature policy (DOMAIN 3.7).

Rules kept here: it is opened by the installation for every active person, once the version is approved;
acknowledging answers it; a version out of force closes what was not answered. Signing itself hangs on the
acknowledgement, never on this notice.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, void

DAYS = 30
"""How long people have to acknowledge a new version before they are reminded as late."""

TYPE = w.Type(
    name="policy_notice",
    title="Policy to acknowledge",
    version=1,
    purpose="Tells a person which version of the signature policy waits for their acknowledgement.",
    number=w.Number("PNT", 5),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "person": w.Field(
            w.Link(("user",), "none", ("invited", "enrolled", "active", "locked")),
            "Person",
            required=True,
            immutable_at=("open", "answered"),
        ),
        "policy": w.Field(
            w.Link(("document_policy",), "version", ("approved", "effective")),
            "Policy",
            required=True,
            immutable_at=("open", "answered"),
            critical=True,
        ),
        "due": w.Field(w.Date(), "To be acknowledged by", required=True),
    },
    states=(
        w.State("open"),
        w.State("answered", terminal=True, locked=True),
        w.State("superseded", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("SVC", "QA"), "open", effects=(computed_title(person=("person",), policy=("policy",)),)),
    transitions=(
        w.Transition("answer", "Acknowledged", ("open",), "answered", consequence=True),
        w.Transition("supersede", "Closed with its policy", ("open",), "superseded", consequence=True),
        void(("open",)),
    ),
    retention=w.Retention("PERS"),
    summary=("person", "policy", "due"),
    predicate_rules=("21 CFR 11.10(j)",),
    due="due",
)
