"""Delegation: a duty lent to somebody else for a time (DOMAIN 3.9).

Rules kept here: who gives and who takes both sign for it, quality approves where its own duties are lent;
never longer than 90 days; only what the giver holds, to somebody trained for it and whose own roles allow it;
administration, inspection and the service's role are not lent. Signatures name both, and independence
counts both.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.documents._governing import TRAINED_STATES, holders, uid_at
from coverslip.records.organisation.role_grant import APART_FROM_ADM

LONGEST_DAYS = 90
NOT_LENT = ("ADM", "INS", "SVC", "DEV")
_EVER = ("requested", "accepted", "active", "ended", "declined")
_LIVING = ("active",)


@rule("delegation_span", 1)
def delegation_span(inp: RuleInput) -> str | None:
    """Ask that the last day is not before the first, not past, and within 90 days."""
    start, end = str(inp.fields.get("start", "")), str(inp.fields.get("end", ""))
    if not start or not end or end < start or end < inp.today:
        return "The last day is on or after the first, and not past."
    days = (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days + 1
    return (
        None if days <= LONGEST_DAYS else f"A delegation lasts {LONGEST_DAYS} days at most (this is {days})."
    )


@rule("another_person", 1)
def another_person(inp: RuleInput) -> str | None:
    """Refuse a delegation to oneself."""
    same = uid_at(inp.fields, "giver") == uid_at(inp.fields, "taker")
    return "A duty is delegated to another person." if same else None


def _code(grant: Row) -> str:
    return str(grant.fields["role"]["number"]).split("-", 1)[-1]


def _codes(grants: tuple[Row, ...], today: str) -> set[str]:
    return {_code(g) for g in grants if holders((g,), today)}


@rule("giver_holds_role", 1)
def giver_holds_role(inp: RuleInput) -> str | None:
    """Ask that the giver holds the role now."""
    role = next(iter(inp.reads["role"]), None)
    code = str(role.fields.get("code", "")) if role else ""
    if code in _codes(inp.children["grants"], inp.today):
        return None
    return f"Who delegates holds the role {code or 'named'}."


@rule("taker_unconflicted", 1)
def taker_unconflicted(inp: RuleInput) -> str | None:
    """Refuse a taker who would be administrator and operator, analyst, reviewer or QA at once."""
    role = next(iter(inp.reads["role"]), None)
    code = str(role.fields.get("code", "")) if role else ""
    # One that has not begun yet counts too: it would begin while the duty is lent.
    living = tuple(g for g in inp.children["grants"] if str(g.fields.get("start", "")) > inp.today)
    held = _codes(inp.children["grants"], inp.today) | {_code(g) for g in living if g.state == "active"}
    if "ADM" in held and code in APART_FROM_ADM:
        return f"Administrator cannot also hold {code} (segregation of duties)."
    return None


@rule("taker_trained", 1)
def taker_trained(inp: RuleInput) -> str | None:
    """Ask that the taker is trained on every document the role requires, on a version not superseded."""
    needed = {str(link["number"]) for r in inp.reads["role"] for link in r.fields.get("documents") or ()} | {
        str(item["document"]["number"])
        for c in inp.children["curricula"]
        if c.state == "effective"
        for item in c.fields.get("items") or ()
    }
    done = {
        str(t.fields["document"]["number"]) for t in inp.children["training"] if t.state in TRAINED_STATES
    }
    left = sorted(needed - done)
    return f"Who takes the duty is trained for it; missing: {', '.join(left)}." if left else None


@rule("delegation_over", 1)
def delegation_over(inp: RuleInput) -> str | None:
    """Ask that the last day is over."""
    end = str(inp.fields.get("end", ""))
    return None if end and end < inp.today else f"The delegation runs until {end or 'it is ended'}."


_ROLE: dict[str, w.Path] = {"role": ("role",)}
_MAY_BE_LENT = tuple(
    w.Compare(("role", "code"), "ne", code, message=f"The role {code} is not delegated.") for code in NOT_LENT
)
_OTHER = w.Rule("another_person", 1, message="A duty is delegated to another person.", code="AUTH_SELF")
_SPAN = w.Rule(
    "delegation_span", 1, message=f"A delegation lasts {LONGEST_DAYS} days at most.", code="VAL_RANGE"
)
_HELD = w.Rule(
    "giver_holds_role",
    1,
    _ROLE,
    {"grants": (("giver",), "role_grant", "person")},
    message="Who delegates holds the role.",
)
_FIT = (
    w.Rule(
        "taker_unconflicted",
        1,
        _ROLE,
        {"grants": (("taker",), "role_grant", "person")},
        message="The duty and the taker's own roles go together.",
    ),
    w.Rule(
        "taker_trained",
        1,
        _ROLE,
        {
            "curricula": (("role",), "curriculum", "role"),
            "training": (("taker",), "training_record", "person"),
        },
        message="Who takes the duty is trained for it.",
    ),
)
_QUALITY = tuple(
    w.When(
        w.Compare(("role", "code"), "eq", code, message=f"The role is {code}."),
        (w.Signed("", act="approve", message="Quality approved the delegation of its duties."),),
    )
    for code in ("QA", "QAL")
)
_BOTH_SIGN = w.Signed("", act="give", message="Who delegates has signed for it.")

TYPE = w.Type(
    name="delegation",
    title="Delegation",
    version=1,
    purpose="A duty lent to another person for a time, both answering for it.",
    number=w.Number("DLG"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "giver": w.Field(
            w.Link(("user",), "none", _LIVING), "From", required=True, immutable_at=_EVER, critical=True
        ),
        "taker": w.Field(
            w.Link(("user",), "none", _LIVING), "To", required=True, immutable_at=_EVER, critical=True
        ),
        "role": w.Field(
            w.Link(("role",), "none", ("effective",)),
            "Duty",
            required=True,
            immutable_at=_EVER,
            critical=True,
            help="Delegate the duty instead of sharing a password; accounts are personal.",
        ),
        "scope": w.Field(w.Rich(2000), "What it covers"),
        "start": w.Field(w.Date(), "First day", required=True, immutable_at=_EVER),
        "end": w.Field(w.Date(), "Last day", required=True, immutable_at=_EVER, critical=True),
        "reason": w.Field(w.Text(500, 10), "Why", required=True),
    },
    states=(
        w.State("requested"),
        w.State("accepted"),
        w.State("active", locked=True, resting=True),
        w.State("ended", terminal=True, locked=True),
        w.State("declined", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "requested",
        requires=(_OTHER, _SPAN, *_MAY_BE_LENT, _HELD),
        effects=(computed_title(giver=("giver",), taker=("taker",), role=("role",)),),
    ),
    persons={
        "giver": w.PersonAt(("giver",)),
        "taker": w.PersonAt(("taker",)),
    },
    transitions=(
        w.Transition(
            "give",
            "Sign as who delegates",
            ("requested",),
            "",
            persons=("giver",),
            signature=w.Signature(
                "accepted_responsibility",
                "I delegate this duty for this time and go on answering for it.",
                delegable=False,
            ),
        ),
        w.Transition(
            "accept",
            "Accept",
            ("requested",),
            "accepted",
            persons=("taker",),
            requires=(_BOTH_SIGN, *_FIT),
            signature=w.Signature(
                "accepted_responsibility",
                "I take on this duty for this time and answer for what I do under it.",
                delegable=False,
            ),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("requested", "accepted"),
            "",
            ("QA",),
            requires=_FIT,
            signature=w.Signature(
                "approved",
                "I approve that this duty is delegated.",
                ("QA",),
                ("giver", "taker"),
                delegable=False,
            ),
        ),
        w.Transition(
            "begin",
            "Begin",
            ("accepted",),
            "active",
            ("SVC",),
            at="start",
            requires=(
                w.Reached(("start",), message="The first day has come."),
                _HELD,
                *_QUALITY,
                *_FIT,
            ),
        ),
        w.Transition(
            "expire",
            "End on its day",
            ("requested", "accepted", "active"),
            "ended",
            ("SVC",),
            at="end",
            requires=(w.Rule("delegation_over", 1, message="The last day is over."),),
        ),
        w.Transition(
            "end_early",
            "End before its day",
            ("accepted", "active"),
            "ended",
            ("QA", "SEC"),
            persons=("giver", "taker"),
            signature=signing("closed", "I end this delegation now."),
            reason=w.Reason(),
        ),
        w.Transition(
            "decline",
            "Decline",
            ("requested",),
            "declined",
            persons=("taker",),
            signature=signing("rejected", "I do not take on this duty."),
            reason=w.Reason(),
        ),
        void(("requested", "accepted")),
    ),
    provides=(w.Delegates(("active",), "giver", "taker", "role", "start", "end"),),
    retention=w.Retention("PERS"),
    summary=("giver", "taker", "role", "start", "end"),
    predicate_rules=("21 CFR 11.10(g)", "21 CFR 11.10(j)", "ISO 13485 5.5.1"),
    due="start",
)
