"""Somebody is to acknowledge a policy that is approved."""

from __future__ import annotations

from fix_world import Example, World


def _answered(w: World) -> str:
    policy = w.row(w.new("document_policy", "approved", governs_signatures=True)).label
    person = w.number_of("maker1")
    notice = w.new("policy_notice", policy=policy, person=person)
    w.create_only(
        "esign_acknowledgement",
        by="maker1",
        person=person,
        policy=policy,
        statement="I have read this policy.",
    )
    return notice


def _superseded(w: World) -> str:
    policy = w.new("document_policy", "effective")
    notice = w.new("policy_notice", policy=f"{policy} v1")
    w.do(policy, "obsolete")
    return notice


EXAMPLE = Example(
    create=lambda w: {
        "person": w.any("user"),
        "policy": w.row(w.new("document_policy", "approved")).label,
        "due": w.day(30),
    },
    consequences={"answer": _answered, "supersede": _superseded},
)
