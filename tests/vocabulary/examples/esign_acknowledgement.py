"""One person acknowledges a policy that is approved; once it is out of force, that is over."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _out_of_force(w: World, row: Row) -> None:
    """Bring the policy into force and out of it again; who does that has acknowledged it."""
    policy = w.row(str(row.fields["policy"]["number"]))
    if policy.state != "approved":
        return
    w.create_only(
        "esign_acknowledgement",
        by="quality2",
        person=w.number_of("quality2"),
        policy=policy.label,
        statement="I have read this policy.",
    )
    w.do(policy.number, "make_effective")
    w.do(policy.number, "obsolete", by="quality2")


EXAMPLE = Example(
    create=lambda w: {
        "person": w.any("user"),
        "policy": w.row(w.new("document_policy", "approved", governs_signatures=True)).label,
        "statement": "I have read this policy.",
    },
    before={"supersede": _out_of_force},
)
