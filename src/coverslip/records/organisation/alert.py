"""Alert: something that people must look at now, raised by the installation itself (11.300(d)).

Rules kept here: only the installation's own service raises one; a person acknowledges it with what was
done, and never one that concerns themselves; unacknowledged it goes to more people, and is never lost.
``bucket`` names what happened: the same happening raises one alert, however often it is looked at.
"""

from __future__ import annotations

import functools

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, fixed, signing

KINDS = (
    # attempts at unauthorised use
    "account_locked",
    "wrong_signing_secret",
    "disabled_account_use",
    "retired_device_use",
    "two_places",
    "denial_burst",
    "sign_in_flood",
    # credentials
    "credentials_reset",
    "key_enrolled",
    "account_changed",
    "access_review_overdue",
    # evidence
    "ledger_alarm",
    "trail_verification",
    "fixity",
    "backup",
    "schema",
    # work
    "overdue",
    "certificate_expired",
    # the ground it stands on
    "clock",
    "anchor",
    "key",
    "environment",
)
SEVERITIES = ("notice", "warning", "critical")
RESPONSIBLE = ("SEC", "QA")
_EVER = ("open", "escalated", "acknowledged", "closed")


_fixed = functools.partial(fixed, states=_EVER)

TYPE = w.Type(
    name="alert",
    title="Alert",
    version=2,
    purpose="What people must look at now, who looked, and what they did.",
    number=w.Number("ALR", yearly=True, width=5),
    gxp=REGULATED,
    title_field="what",
    fields={
        "kind": _fixed(w.Enum(KINDS), "Kind", required=True),
        "severity": _fixed(w.Enum(SEVERITIES), "Severity", required=True),
        "what": _fixed(w.Text(1000, 5), "What happened", required=True),
        "about": _fixed(w.Link((), "none"), "Records concerned", many=True),
        "concerns": _fixed(w.Link(("user",), "none"), "People concerned", many=True),
        "places": _fixed(w.Text(100), "Addresses", many=True, personal=True),
        "evidence": _fixed(w.Json(20_000), "Evidence"),
        "bucket": _fixed(w.Text(200, 3), "What it stands for", required=True, unique="type"),
        "raised_at": _fixed(w.Instant(), "Raised", required=True),
        "escalate_at": _fixed(w.Instant(), "To be acknowledged by", required=True),
        "recipients": w.Field(
            w.Text(10, 2, "[A-Z]+"), "Told to", required=True, many=True, source="computed"
        ),
        "action": w.Field(
            w.Text(2000, 10),
            "What was found and done",
            required_at=("acknowledged",),
            immutable_at=("acknowledged", "closed"),
        ),
        "owner_says": w.Field(w.Enum(("it_was_me", "it_was_not_me")), "Answer of the person concerned"),
    },
    states=(
        w.State("open"),
        w.State("escalated"),
        w.State("acknowledged"),
        w.State("closed", terminal=True, locked=True),
    ),
    create=w.Making(("SVC",), "open"),
    persons={"concerned": w.PersonAt(("concerns",))},
    transitions=(
        w.Transition(
            "acknowledge",
            "Acknowledge",
            ("open", "escalated"),
            "acknowledged",
            RESPONSIBLE,
            independent_of=("concerned",),
            fields=("action",),
        ),
        w.Transition("escalate", "Escalate", ("open",), "escalated", ("SVC",), fields=("recipients",)),
        w.Transition(
            "answer",
            "Answer",
            ("open", "escalated", "acknowledged"),
            persons=("concerned",),
            fields=("owner_says",),
        ),
        w.Transition(
            "close",
            "Close",
            ("acknowledged",),
            "closed",
            RESPONSIBLE,
            independent_of=("concerned",),
            signature=signing("closed", "What was done about this is enough.", RESPONSIBLE, ("concerned",)),
            reason=w.Reason(),
        ),
    ),
    migration_note="Records whose due date has passed raise one too.",
    retention=w.Retention("SYS"),
    summary=("kind", "severity", "what"),
    predicate_rules=("21 CFR 11.300(d)",),
)
