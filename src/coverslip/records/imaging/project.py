"""Project: groups studies, says who works on them and what they are for (DOMAIN 4.6).

Rules kept here: a project closes only when its studies are reported or ended, and is archived only
when they are archived or ended.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_MEMBERS = w.Table(
    {
        "person": w.Column(w.Link(("user",), "none")),
        "role": w.Column(w.Text(100)),
    },
    max_rows=500,
)

TYPE = w.Type(
    name="project",
    title="Project",
    version=1,
    purpose="Studies that belong together, who works on them and for whom.",
    number=w.Number("PRJ"),
    gxp=REGULATED,
    title_field="name",
    fields={
        "name": w.Field(w.Text(300), "Name", required=True),
        "sponsor": w.Field(w.Text(300), "Sponsor", required=True),
        "confidentiality": w.Field(
            w.Enum(("open", "restricted")), "Confidentiality", required=True, critical=True
        ),
        "members": w.Field(_MEMBERS, "Members", required_at=("active",)),
        "objectives": w.Field(w.Rich(20_000), "Objectives"),
        "owner": w.Field(w.Link(("user",), "none"), "Responsible", critical=True),
        "closed_on": w.Field(w.Date(), "Closed on", source="computed"),
        "ends_on": w.Field(w.Date(), "Planned end"),
    },
    states=(
        w.State("planned"),
        w.State("active", resting=True),
        w.State("closed", locked=True),
        w.State("archived", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("SDR", "QA", "AUT"), "planned"),
    edit=w.Editing(("SDR", "QA", "AUT"), ("planned", "active")),
    transitions=(
        w.Transition("activate", "Activate", ("planned",), "active", ("SDR", "QA"), fields=("members",)),
        w.Transition(
            "close",
            "Close",
            ("active",),
            "closed",
            ("SDR", "QA"),
            requires=(
                w.NoOpen(
                    (),
                    "study",
                    "project",
                    ("reported",),
                    "Study {number} is reported or ended (it is {state}).",
                ),
            ),
            effects=(w.Set("closed_on", w.Value("today")),),
            signature=signing("closed", "The work of this project is done.", ("SDR", "QA")),
        ),
        w.Transition("reopen", "Reopen", ("closed",), "active", ("QA",), reason=w.Reason(20)),
        w.Transition(
            "archive",
            "Archive",
            ("closed",),
            "archived",
            ("QA",),
            requires=(
                w.NoOpen((), "study", "project", (), "Study {number} is archived or ended (it is {state})."),
            ),
            signature=signing("closed", "The records of this project are archived.", ("QA",)),
        ),
        void(("planned", "active")),
    ),
    retention=w.Retention("GLP", events={"completion": "closed_on"}),
    summary=("name", "sponsor", "confidentiality", "owner"),
    predicate_rules=("21 CFR 58.33", "21 CFR 58.130"),
    due="ends_on",
)
