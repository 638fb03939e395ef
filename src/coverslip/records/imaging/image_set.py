"""Image set: which images a run looks at, decided before its results (DOMAIN 4.15).

Rules kept here: the list is frozen under signature; every member belongs to the set's study, is
available, and is there once.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, sandbox, signing

_FROZEN = ("frozen", "used", "cancelled")


@rule("members_belong", 1)
def members_belong(inp: RuleInput) -> str | None:
    """Refuse a member named twice or from another study."""
    uids = [str(link["uid"]) for link in inp.fields.get("members", ())]
    if len(uids) != len(set(uids)):
        return "Every image is in the set once."
    study = inp.fields["study"]["uid"]
    strange = [row.number for row in inp.reads["members"] if row.fields["study"]["uid"] != study]
    return (
        f"Every image belongs to the set's study ({', '.join(strange[:10])} does not)." if strange else None
    )


_BELONG = w.Rule("members_belong", 1, {"members": ("members",)}, message="Every image belongs to the study.")

TYPE = w.Type(
    name="image_set",
    title="Image set",
    version=1,
    purpose="The frozen list of images an analysis looks at, and what was left out and why.",
    number=w.Number("SET"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Purpose", required=True, immutable_at=_FROZEN),
        "study": w.Field(w.Link(("study",), "none"), "Study", required=True, immutable_at=("open", *_FROZEN)),
        "members": w.Field(
            w.Link(("image",), "version", ("available",)),
            "Images",
            many=True,
            required_at=("frozen",),
            immutable_at=_FROZEN,
            critical=True,
        ),
        "exclusions": w.Field(
            w.Table(
                {
                    "image": w.Column(w.Link(("image",), "none")),
                    "reason": w.Column(w.Text(1000, 10)),
                },
                max_rows=5000,
            ),
            "Left out",
            immutable_at=_FROZEN,
            critical=True,
        ),
        "selection_rule": w.Field(
            w.Rich(5000), "How images were chosen", immutable_at=_FROZEN, critical=True
        ),
        "frozen_at": w.Field(w.Instant(), "Frozen", source="computed"),
    },
    states=(
        w.State("open"),
        w.State("frozen", locked=True),
        w.State("used", locked=True),
        w.State("cancelled", terminal=True, locked=True),
    ),
    create=w.Making(("ANL",), "open", requires=(_BELONG,)),
    edit=w.Editing(("ANL",), ("open",), requires=(_BELONG,)),
    persons={"selector": w.Signer("executed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "freeze",
            "Freeze",
            ("open",),
            "frozen",
            ("ANL",),
            requires=(
                w.InState(("members",), ("available",), "The set has images, and every one is available."),
                _BELONG,
            ),
            effects=(w.Set("frozen_at", w.Value("now")),),
            signature=signing("executed", "I chose these images before seeing any result.", ("ANL",)),
        ),
        w.Transition("use", "Use", ("frozen",), "used", consequence=True),
        w.Transition("cancel", "Cancel", ("open",), "cancelled", ("ANL",), reason=w.Reason(), aside=True),
    ),
    retention=w.Retention(longest_of=("study",)),
    summary=("title", "study", "frozen_at"),
    predicate_rules=("21 CFR 211.194", "21 CFR 58.130"),
    sandbox=sandbox("study"),
)
