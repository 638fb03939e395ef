"""One person acknowledges a policy that is approved; once it is out of force, that is over."""

from __future__ import annotations

from fix_world import Example, World

SAID = "I have read this policy."


def _superseded(w: World) -> str:
    """Bring the policy into force and out of it again; who does that has acknowledged it."""
    mine = w.new("esign_acknowledgement")
    policy = w.row(str(w.row(mine).fields["policy"]["number"]))
    w.create_only(
        "esign_acknowledgement",
        by="quality2",
        person=w.number_of("quality2"),
        policy=policy.label,
        statement=SAID,
    )
    w.do(policy.number, "make_effective")
    w.do(policy.number, "obsolete", by="quality2")
    return mine


EXAMPLE = Example(
    create=lambda w: {
        "person": w.any("user"),
        "policy": w.row(w.new("document_policy", "approved", governs_signatures=True)).label,
        "statement": SAID,
    },
    consequences={"supersede": _superseded},
)
