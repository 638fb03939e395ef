"""Access review: every account, role, last use, training and credential, looked at each quarter.

Rules kept here: it is the periodic check of 21 CFR 11.300(b) and the access review of 11.10(d) in one
signed record; what is looked at is gathered by the installation and typed by nobody; every account has
one decision, on the account or on a grant it held as of the snapshot; nobody decides on their own account,
nor approves what they decided; it closes when what was to be revoked is revoked.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing

_AFTER = ("reviewed", "executed", "closed")


def _uid(row: object, name: str) -> str:
    link = row.get(name) if isinstance(row, dict) else None
    return str(link.get("uid", "")) if isinstance(link, dict) else ""


@rule("decides_for_others", 2)
def decides_for_others(inp: RuleInput) -> str | None:
    """Ask that whoever adds or takes away a decision is the one it names, and not the one it is about."""
    before = list(inp.record.fields.get("decisions", ())) if inp.record is not None else []
    after = list(inp.fields.get("decisions", ()))
    moved = [row for row in after if row not in before] + [row for row in before if row not in after]
    if any(_uid(row, "decided_by") != inp.actor for row in moved):
        return "Each person enters and withdraws their own decisions only."
    if any(_uid(row, "user") in inp.people for row in moved):
        return "Nobody decides on their own account."
    return None


@rule("every_account_decided", 1)
def every_account_decided(inp: RuleInput) -> str | None:
    """Ask for exactly one decision on every account of the snapshot."""
    wanted = {_uid(row, "user"): str(row.get("username", "")) for row in inp.fields.get("accounts", ())}
    decided = [_uid(row, "user") for row in inp.fields.get("decisions", ())]
    missing = sorted(name for uid, name in wanted.items() if uid not in decided)
    if missing:
        return f"Not decided yet: {', '.join(missing[:10])}{' and more' if len(missing) > 10 else ''}."
    if len(decided) != len(set(decided)) or set(decided) - set(wanted):
        return "One decision for each account of the snapshot, and none for others."
    return None


@rule("grants_are_of_their_accounts", 1)
def grants_are_of_their_accounts(inp: RuleInput) -> str | None:
    """Ask that a grant a decision names is of the account it names, and was in force as of the snapshot."""
    grants = {row.uid: row for row in inp.reads["grants"]}
    as_of = str(inp.fields.get("as_of", ""))
    for row in inp.fields.get("decisions", ()):
        if not isinstance(row.get("grant"), dict):
            continue
        number, user = str(row["grant"].get("number", "")), str(row["user"].get("number", ""))
        grant = grants.get(_uid(row, "grant"))
        if grant is None or _uid(grant.fields, "person") != _uid(row, "user"):
            return f"{number} is not a grant of {user}."
        # An active grant is changed by its end alone: it changed last when it came into force.
        since = grant.state == "active" and grant.changed_at <= as_of
        until = grant.state in ("revoked", "expired") and grant.created_at <= as_of < grant.changed_at
        if not since and not until:
            return f"{number} was not in force as of this review ({grant.state})."
    return None


@rule("revocations_done", 1)
def revocations_done(inp: RuleInput) -> str | None:
    """Ask that every account to be revoked is disabled, and every grant to be revoked has ended.

    The end of a grant of somebody else counts for nothing.
    """
    users = {row.uid: row for row in inp.reads["users"]}
    grants = {row.uid: row for row in inp.reads["grants"]}
    left = []
    for row in inp.fields.get("decisions", ()):
        if row.get("decision") != "revoke":
            continue
        user, grant = users.get(_uid(row, "user")), grants.get(_uid(row, "grant"))
        disabled = user is not None and user.state == "disabled"
        ended = (
            grant is not None
            and grant.state in ("revoked", "expired")
            and _uid(grant.fields, "person") == _uid(row, "user")
        )
        if not disabled and not ended:
            left.append(str((row.get("grant") or row["user"]).get("number", "")))
    return f"Still to be revoked: {', '.join(sorted(left)[:10])}." if left else None


_ACCOUNTS = w.Table(
    {
        "user": w.Column(w.Link(("user",), "none")),
        "username": w.Column(w.Text(64)),
        "name": w.Column(w.Text(200)),
        "kind": w.Column(w.Text(20)),
        "state": w.Column(w.Text(20)),
        "roles": w.Column(w.Text(500), required=False),
        "last_use": w.Column(w.Instant(), required=False),
        "training": w.Column(w.Text(500)),
        "credential": w.Column(w.Text(100)),
        "credential_since": w.Column(w.Instant(), required=False),
        "screened": w.Column(w.Text(100), required=False),
        "flags": w.Column(w.Text(300), required=False),
    }
)
_DECISIONS = w.Table(
    {
        "user": w.Column(w.Link(("user",), "none")),
        "grant": w.Column(w.Link(("role_grant",), "none"), required=False),
        "decision": w.Column(w.Enum(("keep", "revoke", "change"))),
        "reason": w.Column(w.Text(500, 10)),
        "decided_by": w.Column(w.Link(("user",), "none")),
    }
)
_DECIDERS = ("SEC", "QA", "QAL")
_THEIR_OWN = w.Rule(
    "grants_are_of_their_accounts",
    1,
    {"grants": ("decisions.grant",)},
    message="A decision names a grant that its account held as of the snapshot.",
)

TYPE = w.Type(
    name="access_review",
    title="Access review",
    version=1,
    purpose="Every account and credential looked at and decided on, each quarter.",
    number=w.Number("ACR", yearly=True, width=3),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "period": w.Field(
            w.Text(40, 4),
            "Period",
            required=True,
            unique="type",
            immutable_at=("due", "collecting", *_AFTER),
            help="Such as 2026-Q4.",
        ),
        "due_on": w.Field(w.Date(), "To be closed by", required=True, immutable_at=("collecting", *_AFTER)),
        "as_of": w.Field(w.Instant(), "As of", source="computed"),
        "accounts": w.Field(_ACCOUNTS, "Accounts", source="computed", critical=True),
        "decisions": w.Field(_DECISIONS, "Decisions", required_at=_AFTER, immutable_at=_AFTER, critical=True),
        "conclusion": w.Field(w.Text(2000, 10), "Conclusion", required_at=_AFTER, immutable_at=_AFTER),
    },
    states=(
        w.State("due"),
        w.State("collecting"),
        w.State("reviewed"),
        w.State("executed"),
        w.State("closed", terminal=True, locked=True),
    ),
    create=w.Making(("SVC", "SEC"), "due"),
    persons={
        "opener": w.Actor("create"),
        "reviewer": w.Signer("reviewed"),
        "deciders": w.Actor("decide"),
    },
    transitions=(
        w.Transition(
            "collect",
            "Collect",
            ("due", "collecting"),
            "collecting",
            ("SVC", "SEC"),
            effects=(
                w.Set("as_of", w.Value("now")),
                w.Gather("accounts", "access_snapshot", 1),
            ),
        ),
        w.Transition(
            "decide",
            "Decide",
            ("collecting",),
            who=_DECIDERS,
            fields=("decisions",),
            requires=(w.Rule("decides_for_others", 2, message="Nobody decides on themselves."), _THEIR_OWN),
        ),
        w.Transition(
            "review",
            "Review",
            ("collecting",),
            "reviewed",
            ("QA", "QAL"),
            independent_of=("opener",),
            fields=("conclusion",),
            requires=(
                w.Rule("every_account_decided", 1, message="Every account has one decision."),
                _THEIR_OWN,
            ),
            signature=signing(
                "reviewed",
                "I reviewed every account, its roles, last use, training and credential, and each decision.",
                ("QA", "QAL"),
                ("opener",),
            ),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("reviewed",),
            "executed",
            ("SEC",),
            independent_of=("reviewer", "deciders"),
            signature=signing(
                "approved",
                "I approve these decisions; they are carried out now.",
                ("SEC",),
                ("reviewer", "deciders"),
            ),
        ),
        w.Transition(
            "close",
            "Close",
            ("executed",),
            "closed",
            ("SEC",),
            requires=(
                w.Rule(
                    "revocations_done",
                    1,
                    {"users": ("decisions.user",), "grants": ("decisions.grant",)},
                    message="Everything to be revoked is revoked.",
                ),
            ),
            signature=signing(
                "closed", "Every decision of this review has been carried out.", ("SEC",), ("reviewer",)
            ),
            reason=w.Reason(),
        ),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "period", "due_on"),
    predicate_rules=("21 CFR 11.10(d)", "21 CFR 11.300(b)"),
)
