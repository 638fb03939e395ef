"""User: a person, an inspector or a service; never reused, never deleted (DOMAIN 3.3).

Rules kept here: signing keys enter only by their owner's enrolment and count only after a second
person verified who the owner is (11.100(b)); earlier keys stay listed, so that old signatures can be
checked; who was locked is let in again by somebody else. A passkey is added by its owner, who signs with
it, and counts only after a second person verified identity anew; it leaves with a reset or when it is
withdrawn. A reset destroys the wrapped key, and whoever reset the credentials or made the enrolment code does
not verify whose key it became: one person alone never comes to sign as another (11.200(a)(3)).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.keys import PASSKEY
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing

_EVER = ("invited", "enrolled", "active", "locked", "disabled")
_ENROLLED = ("enrolled", "active", "locked", "disabled")
_ENDED = ("disabled",)


@rule("identity_untouched", 3)
def identity_untouched(inp: RuleInput) -> str | None:
    """Refuse an edit that changes signing keys, the identity check, or what is written beside them."""
    before = inp.record.fields if inp.record is not None else {}
    kept = ("signing_keys", "passkeys_waiting", "identity_check", "code_by", "sessions_ended_at")
    if any(before.get(name) != inp.fields.get(name) for name in kept):
        return "Signing keys and the identity check change only by enrolment and activation."
    return None


def _keys(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(fields.get("signing_keys", ()))


def _before(inp: RuleInput) -> list[dict[str, Any]]:
    return _keys(inp.record.fields) if inp.record is not None else []


@rule("keys_kept", 2)
def keys_kept(inp: RuleInput) -> str | None:
    """Ask an enrolment to keep every earlier key as it was and to bring exactly one new one, no passkey."""
    before, after = _before(inp), _keys(inp.fields)
    if any(row["scheme"] == PASSKEY for row in after[len(before) :]):
        return "An enrolment makes a key under a password; a passkey is added afterwards."
    return _one_more(before, after)


def _one_more(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> str | None:
    if after[: len(before)] != before:
        return "Earlier signing keys stay listed as they were; add the new one after them."
    if len(after) != len(before) + 1:
        return "An enrolment adds exactly one signing key."
    if len({row["kid"] for row in after}) != len(after):
        return "This signing key is already listed; enrol a new one."
    return None


@rule("passkey_added", 1)
def passkey_added(inp: RuleInput) -> str | None:
    """Ask that earlier keys stay and that exactly one passkey is new."""
    before, after = _before(inp), _keys(inp.fields)
    if any(row["scheme"] != PASSKEY for row in after[len(before) :]):
        return "Only a passkey is added this way; another key needs a new enrolment."
    return _one_more(before, after)


@rule("passkey_withdrawn", 1)
def passkey_withdrawn(inp: RuleInput) -> str | None:
    """Ask that exactly one passkey leaves and everything else stays as it was."""
    before, after = _before(inp), _keys(inp.fields)
    gone = [row for row in before if row not in after]
    if len(gone) == 1 and gone[0]["scheme"] == PASSKEY and after == [r for r in before if r not in gone]:
        return None
    return "Exactly one passkey is withdrawn; every other key stays as it is."


@rule("passkeys_waiting", 1)
def passkeys_waiting(inp: RuleInput) -> list[str]:
    """Return the passkeys listed that nobody has verified: new ones, and those that waited before."""
    before = {row["kid"] for row in _before(inp)}
    waiting = set(inp.record.fields.get("passkeys_waiting", ())) if inp.record is not None else set()
    listed = [row["kid"] for row in _keys(inp.fields) if row["scheme"] == PASSKEY]
    return [kid for kid in listed if kid in waiting or kid not in before]


@rule("no_passkey_waiting", 1)
def no_passkey_waiting(inp: RuleInput) -> list[str] | None:
    """Return that no passkey waits any more; nothing where none did."""
    return [] if inp.fields.get("passkeys_waiting") else None


@rule("keys_without_passkeys", 1)
def keys_without_passkeys(inp: RuleInput) -> list[dict[str, Any]] | None:
    """Return the keys that stay when every credential goes: a passkey that left counts no more."""
    keys = _keys(inp.fields)
    stay = [row for row in keys if row["scheme"] != PASSKEY]
    return None if stay == keys else stay


@rule("checks_kept", 1)
def checks_kept(inp: RuleInput) -> str | None:
    """Ask that earlier identity checks stay as they were and exactly one is new."""
    before = list(inp.record.fields.get("identity_check", ())) if inp.record is not None else []
    after = list(inp.fields.get("identity_check", ()))
    if after[: len(before)] == before and len(after) == len(before) + 1:
        return None
    return "Add one identity check; earlier ones stay as they were."


@rule("checked_anew", 1)
def checked_anew(inp: RuleInput) -> str | None:
    """Ask that identity was checked after the newest key was enrolled; a day more for zones behind UTC."""
    keys, checks = inp.fields.get("signing_keys", ()), inp.fields.get("identity_check", ())
    newest = max((str(key["enrolled_at"])[:10] for key in keys), default="")
    earliest = (dt.date.fromisoformat(newest) - dt.timedelta(days=1)).isoformat() if newest else ""
    if checks and str(checks[-1]["on"]) >= earliest:
        return None
    return "Identity is checked again after a new key was enrolled; an earlier check does not count."


_KEYS = w.Table(
    {
        "kid": w.Column(w.Text(32, 32, "[0-9a-f]{32}")),
        "scheme": w.Column(w.Enum(("ed25519-wrapped", "p256-wrapped", "webauthn-p256"))),
        "public": w.Column(w.Text(500, 64, "[0-9a-f]+")),
        "enrolled_at": w.Column(w.Instant()),
    },
    max_rows=100,
)
_CHECK = w.Table(
    {
        "document_kind": w.Column(w.Text(100)),
        "manner": w.Column(w.Text(200)),
        "checked_by_name": w.Column(w.Text(200), required=False),
        "on": w.Column(w.Date()),
    },
    max_rows=20,
    min_rows=1,
)
_PERSON = w.Compare(
    ("kind",), "ne", "service", message="Only people enrol; a service is activated without keys."
)

_WAITING = w.Compute("passkeys_waiting", w.Rule("passkeys_waiting", 1))
_LOST = (
    w.Compute("signing_keys", w.Rule("keys_without_passkeys", 1)),
    w.Compute("passkeys_waiting", w.Rule("no_passkey_waiting", 1)),
)
"""A reset or a loss ends every passkey, too."""

_INSPECTOR_ENDS = w.When(
    w.Compare(("kind",), "eq", "inspector"),
    (w.Compare(("valid_to",), "present", message="Valid to is required for an inspector.", code="VAL_REQ"),),
)

TYPE = w.Type(
    name="user",
    title="User",
    version=4,
    migration_note="Version 4: a person adds passkeys to sign in and to sign with, and withdraws them; each"
    " counts after a second person verified it. Version 3: an inspector's account names its last day and"
    " reads only; a service is activated only where a person answers for it. Version 2: who made the"
    " enrolment code or reset the credentials does not verify the key; owner and security end sessions and"
    " report credentials lost."
    " Nothing in earlier records changes.",
    purpose="Who acts: one account, one person, for ever.",
    number=w.Number("USR"),
    gxp=REGULATED,
    title_field="printed_name",
    fields={
        "username": w.Field(
            w.Text(64, 2, "[a-z][a-z0-9._-]*"),
            "User name",
            required=True,
            unique="forever",
            immutable_at=_EVER,
            help="User names are never reused.",
        ),
        "printed_name": w.Field(w.Text(200), "Printed name", required=True, critical=True),
        "kind": w.Field(
            w.Enum(("person", "service", "inspector")),
            "Kind",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "job_title": w.Field(w.Text(200), "Title"),
        "email": w.Field(w.Text(320, 3, "[^@ ]+@[^@ ]+"), "E-mail", personal=True),
        "employee_ref": w.Field(w.Text(100), "Employee reference", personal=True),
        "org_unit": w.Field(w.Text(200), "Unit"),
        "manager": w.Field(w.Link(("user",), "none"), "Manager"),
        "responsible": w.Field(w.Link(("user",), "none"), "Person answering for this service"),
        "valid_from": w.Field(w.Date(), "Valid from"),
        "valid_to": w.Field(w.Date(), "Valid to"),
        "signing_keys": w.Field(_KEYS, "Signing keys", critical=True, immutable_at=_ENDED),
        "passkeys_waiting": w.Field(
            w.Text(32, 32, "[0-9a-f]{32}"),
            "Passkeys nobody has verified",
            many=True,
            source="computed",
            help="They open and sign nothing until a second person has verified identity anew.",
        ),
        "identity_check": w.Field(
            _CHECK, "Identity check (11.100(b))", critical=True, immutable_at=("locked", "disabled")
        ),
        "code_by": w.Field(
            w.Link(("user",), "none"),
            "Enrolment code made by",
            immutable_at=_ENROLLED,
            help="Filled at enrolment.",
        ),
        "sessions_ended_at": w.Field(
            w.Instant(), "Sessions ended", source="computed", help="No session from before this lives."
        ),
    },
    states=(
        w.State("invited"),
        w.State("enrolled"),
        w.State("active", resting=True),
        w.State("locked"),
        w.State("disabled", terminal=True, locked=True),
    ),
    create=w.Making(
        ("ADM",),
        "invited",
        requires=(
            w.Compare(("signing_keys",), "absent", message="The person enrols the signing key themselves."),
            w.Compare(("identity_check",), "absent", message="Identity is checked after enrolment."),
            w.Compare(("code_by",), "absent", message="The enrolment says who made its code."),
            _INSPECTOR_ENDS,
        ),
    ),
    edit=w.Editing(
        ("ADM",),
        ("invited", "enrolled", "active"),
        requires=(
            w.Rule("identity_untouched", 3, message="Keys and identity check are as they were."),
            _INSPECTOR_ENDS,
        ),
    ),
    persons={
        "holder": w.PersonAt(()),
        "creator": w.Actor("create"),
        "editors": w.Touched(),
        "locker": w.Actor("lock"),
        "resetter": w.Actor("reset"),
        "reporter": w.Actor("report_lost"),
        "inviter": w.PersonAt(("code_by",)),
    },
    transitions=(
        w.Transition(
            "enrol",
            "Enrol signing key",
            ("invited",),
            "enrolled",
            persons=("holder",),
            fields=("signing_keys", "code_by"),
            requires=(_PERSON, w.Rule("keys_kept", 2, message="Earlier keys stay listed.")),
            signature=w.Signature(
                "acknowledged",
                "This signing key is mine. My electronic signature binds me as my handwriting does.",
                stage="before_verification",
            ),
        ),
        w.Transition(
            "activate",
            "Verify identity and activate",
            ("enrolled",),
            "active",
            ("SEC",),
            fields=("identity_check",),
            requires=(
                w.Compare(("identity_check",), "present", message="The identity check is recorded."),
                w.Rule("checked_anew", 1, message="Identity was checked after the newest key was enrolled."),
            ),
            signature=signing(
                "verified",
                "I verified this person's identity by the document named.",
                ("SEC",),
                ("creator", "holder", "resetter", "reporter", "inviter"),
            ),
        ),
        w.Transition(
            "add_passkey",
            "Add passkey",
            ("active",),
            persons=("holder",),
            fields=("signing_keys",),
            requires=(_PERSON, w.Rule("passkey_added", 1, message="One passkey is added; other keys stay.")),
            effects=(_WAITING,),
            signature=w.Signature(
                "acknowledged",
                "This passkey is mine alone. What I sign with it binds me as my handwriting does.",
                stage="before_verification",
            ),
        ),
        w.Transition(
            "verify_passkey",
            "Verify identity for passkey",
            ("active",),
            "",
            ("SEC",),
            fields=("identity_check",),
            requires=(
                w.Compare(("passkeys_waiting",), "present", message="A passkey waits to be verified."),
                w.Rule("checks_kept", 1, message="The identity check is added to the earlier ones."),
                w.Rule("checked_anew", 1, message="Identity was checked after the passkey was added."),
            ),
            effects=(w.Compute("passkeys_waiting", w.Rule("no_passkey_waiting", 1)),),
            signature=signing(
                "verified",
                "I verified this person's identity by the document named, and that the passkey is theirs.",
                ("SEC",),
                ("creator", "holder", "resetter", "reporter", "inviter"),
            ),
        ),
        w.Transition(
            "withdraw_passkey",
            "Withdraw passkey",
            ("active", "locked"),
            "",
            ("SEC",),
            persons=("holder",),
            fields=("signing_keys",),
            requires=(w.Rule("passkey_withdrawn", 1, message="One passkey leaves; other keys stay."),),
            effects=(_WAITING,),
            reason=w.Reason(),
        ),
        w.Transition(
            "activate_service",
            "Activate service",
            ("invited",),
            "active",
            ("SEC",),
            requires=(
                w.Compare(("kind",), "eq", "service", message="Only a service is activated without keys."),
                w.Compare(("responsible",), "present", message="A person answers for this service."),
            ),
            signature=signing(
                "verified",
                "I verified what this service is for and who answers for it.",
                ("SEC",),
                ("creator",),
            ),
        ),
        w.Transition("lock", "Lock", ("active",), "locked", ("SEC", "ADM", "SVC"), reason=w.Reason()),
        w.Transition(
            "unlock",
            "Unlock",
            ("locked",),
            "active",
            ("SEC", "ADM"),
            independent_of=("holder", "locker"),
            requires=(
                w.When(
                    w.Compare(("kind",), "ne", "service"),
                    (w.Compare(("identity_check",), "present", message="The identity check is recorded."),),
                ),
            ),
            reason=w.Reason(),
        ),
        w.Transition(
            "reset",
            "Reset credentials",
            ("enrolled", "active", "locked"),
            "invited",
            ("ADM", "SEC"),
            independent_of=("holder",),
            requires=(_PERSON,),
            effects=_LOST,
            reason=w.Reason(),
        ),
        w.Transition(
            "report_lost",
            "Report credentials lost",
            ("enrolled", "active", "locked"),
            "invited",
            ("SEC",),
            persons=("holder",),
            requires=(_PERSON,),
            effects=_LOST,
            reason=w.Reason(),
        ),
        w.Transition(
            "end_sessions",
            "End all sessions",
            ("active",),
            who=("SEC",),
            persons=("holder",),
            effects=(w.Set("sessions_ended_at", w.Value("now")),),
            reason=w.Reason(),
        ),
        w.Transition(
            "disable",
            "Disable",
            ("invited", "enrolled", "active", "locked"),
            "disabled",
            ("SEC",),
            signature=signing("closed", "This account ends. It is never used again.", ("SEC",), ("holder",)),
            reason=w.Reason(),
        ),
    ),
    provides=(
        w.Account(
            ("active",),
            "username",
            "printed_name",
            "signing_keys",
            ("invited",),
            "sessions_ended_at",
            "valid_from",
            "valid_to",
            ("kind", "inspector"),
            "passkeys_waiting",
        ),
    ),
    retention=w.Retention("PERS"),
    summary=("username", "printed_name", "kind"),
    predicate_rules=("21 CFR 11.10(d)", "21 CFR 11.100(a)", "21 CFR 11.100(b)", "21 CFR 11.300(a)"),
)
