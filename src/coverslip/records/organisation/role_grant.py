"""Role grant: who holds a role, from when to when (DOMAIN 3.4).

Rules kept here: nobody grants to themselves; an administrator holds none of OPR, ANL, REV, QA, and
no exception exists, be it lent; an inspector's grant ends within 90 days.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void

INSPECTOR_DAYS = 90
APART_FROM_ADM = ("OPR", "ANL", "REV", "QA")


def _code(grant_fields: object) -> str:
    link = grant_fields.get("role") if isinstance(grant_fields, dict) else None
    return str(link["number"]).split("-", 1)[-1] if isinstance(link, dict) else ""


@rule("no_role_conflict", 2)
def no_role_conflict(inp: RuleInput) -> str | None:
    """Refuse a grant that would make one person administrator and operator, analyst, reviewer or QA.

    What is lent to the person counts as what they hold.
    """
    wanted = {str(row.fields.get("code", "")) for row in inp.reads["role"]}
    own = inp.record.uid if inp.record is not None else ""
    held = {
        _code(row.fields)
        for row in (*inp.children["grants"], *inp.children["lent"])
        if row.state == "active" and row.uid != own and str(row.fields.get("end", "9999-12-31")) >= inp.today
    }
    if "ADM" in wanted:
        clash = sorted(held & set(APART_FROM_ADM))
    else:
        clash = sorted(wanted & set(APART_FROM_ADM)) if "ADM" in held else []
    if not clash:
        return None
    return f"Administrator cannot also hold {', '.join(clash)} (segregation of duties)."


@rule("not_for_oneself", 2)
def not_for_oneself(inp: RuleInput) -> str | None:
    """Refuse a request that the future holder makes, or somebody for them."""
    link = inp.fields.get("person") or {}
    return "A role is requested by someone other than its holder." if link.get("uid") in inp.people else None


@rule("end_reached", 1)
def end_reached(inp: RuleInput) -> str | None:
    """Ask that the last day of the grant is over."""
    end = str(inp.fields.get("end", ""))
    return None if end and end < inp.today else f"The grant runs until {end or 'it is revoked'}."


@rule("inspector_grant_short", 1)
def inspector_grant_short(inp: RuleInput) -> str | None:
    """Ask that a grant ends within 90 days of its first day, or of today where none is given."""
    end = str(inp.fields.get("end", ""))
    if not end:
        return None
    start = max(str(inp.fields.get("start", "")), inp.today)
    days = (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days
    if 0 <= days <= INSPECTOR_DAYS:
        return None
    return f"An inspector's grant ends within {INSPECTOR_DAYS} days and not in the past (it ends on {end})."


_NO_CONFLICT = w.Rule(
    "no_role_conflict",
    2,
    {"role": ("role",)},
    {"grants": (("person",), "role_grant", "person"), "lent": (("person",), "delegation", "taker")},
    message="Administrator cannot also hold operating roles (segregation of duties).",
)
_LIVING = w.InState(
    ("person",), ("invited", "enrolled", "active", "locked"), message="{number} is not disabled."
)
_INSPECTOR_ENDS = w.When(
    w.Compare(("role", "code"), "eq", "INS"),
    (
        w.Compare(("end",), "present", message="The end date is required for an inspector.", code="VAL_REQ"),
        w.Rule(
            "inspector_grant_short", 1, message="An inspector's grant ends within 90 days.", code="VAL_RANGE"
        ),
    ),
)

TYPE = w.Type(
    name="role_grant",
    title="Role grant",
    version=2,
    migration_note="Version 2: a grant of the inspector's role ends within 90 days; a request may be voided;"
    " what is lent to a person counts where roles exclude each other. Nothing in earlier records changes.",
    purpose="Who may do what, from when to when, and who said so.",
    number=w.Number("GRT", 5),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "person": w.Field(w.Link(("user",), "none"), "Person", required=True, critical=True),
        "role": w.Field(w.Link(("role",), "none", ("effective",)), "Role", required=True, critical=True),
        "site": w.Field(w.Link(("site",), "none"), "Site"),
        "start": w.Field(w.Date(), "First day"),
        "end": w.Field(w.Date(), "Last day", critical=True),
        "justification": w.Field(w.Rich(2000), "Why", required=True),
    },
    states=(
        w.State("requested"),
        w.State("active", locked=True, resting=True),
        w.State("revoked", terminal=True, locked=True),
        w.State("expired", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("ADM", "QA", "SEC"),
        "requested",
        requires=(
            _LIVING,
            w.Rule(
                "not_for_oneself",
                2,
                message="A role is requested by someone other than its holder.",
                code="AUTH_SELF",
            ),
            _NO_CONFLICT,
            _INSPECTOR_ENDS,
        ),
        effects=(computed_title(person=("person",), role=("role",)),),
    ),
    persons={"grantee": w.PersonAt(("person",)), "requester": w.Actor("create")},
    transitions=(
        w.Transition(
            "approve",
            "Approve",
            ("requested",),
            "active",
            ("QA",),
            requires=(_LIVING, _NO_CONFLICT, _INSPECTOR_ENDS),
            signature=signing(
                "approved", "I approve that this person holds this role.", ("QA",), ("grantee", "requester")
            ),
        ),
        w.Transition(
            "reject",
            "Refuse",
            ("requested",),
            "rejected",
            ("QA",),
            signature=signing("rejected", "I refuse this grant.", ("QA",)),
            reason=w.Reason(),
            aside=True,
        ),
        w.Transition(
            "revoke",
            "Revoke",
            ("active",),
            "revoked",
            ("QA", "SEC"),
            signature=signing("closed", "I revoke this grant now.", ("QA", "SEC"), ("grantee",)),
            reason=w.Reason(),
        ),
        w.Transition(
            "expire",
            "Expire",
            ("active",),
            "expired",
            ("SVC",),
            at="end",
            requires=(w.Rule("end_reached", 1, message="The last day is over."),),
        ),
        void(("requested",)),
    ),
    provides=(w.GrantsRole(("active",), "person", "role", "start", "end"),),
    retention=w.Retention("PERS"),
    summary=("person", "role", "start", "end"),
    predicate_rules=("21 CFR 11.10(d)", "21 CFR 11.10(g)"),
)
