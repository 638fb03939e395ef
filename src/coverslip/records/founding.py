"""Founding: what genesis writes, in the words of the shipped types (DOMAIN 3.11).

Rules kept here: founders enrol keys of their own and verify each other in a circle; policy 1 is
authored by AUT and approved by QA; everybody signs its acknowledgement. What signatures may mean is a
controlled list from the first entry on, authored and approved likewise. Roles, grants, the site and the
scheduler's account come with the same command and are listed apart as genesis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel import roles, words as w
from coverslip.kernel.genesis import Founder, Step
from coverslip.kernel.keys import Enrolment
from coverslip.records.documents import document_policy, esign_acknowledgement
from coverslip.records.organisation import user, vocabulary

SCHEDULER = "scheduler"
_DUTIES: Mapping[str, str] = {
    "ADM": "Keeps accounts and configuration; never works with records.",
    "QA": "Approves, holds, dispositions and releases.",
    "QAL": "Closes, waives and extends.",
    "AUT": "Writes documents and masters; never approves their own.",
    "REV": "Reviews as a second person what others made.",
    "ANL": "Analyses images and submits results.",
    "OPR": "Runs instruments at the bench.",
    "SDR": "Answers for a study.",
    "ENG": "Owns processes, equipment and their risk analysis.",
    "WHS": "Receives, stores and hands over; never changes quality status.",
    "PUR": "Keeps suppliers and their qualification.",
    "MET": "Keeps instruments calibrated.",
    "TRN": "Assigns and assesses training of others.",
    "SEC": "Verifies identities and watches accounts.",
    "INS": "Reads everything, writes nothing, for a limited time.",
    "SVC": "Devices and the scheduler: acts, never signs.",
}
ROLES: Mapping[str, tuple[str, str]] = {code: (roles.TITLES[code], duty) for code, duty in _DUTIES.items()}
"""Title and duty of every role there is from the first entry on."""
MEANINGS: Mapping[str, str] = {
    "authored": "I wrote this and answer for what it says.",
    "executed": "I did this as recorded.",
    "witnessed": "I was there and saw it done.",
    "verified": "I checked this entry as a second person.",
    "reviewed": "I reviewed this technically and find it right.",
    "qa_reviewed": "I reviewed this for the quality unit.",
    "approved": "I approve this for use.",
    "released": "I release this.",
    "rejected": "I reject this for the reason given.",
    "dispositioned": "I decide what becomes of this.",
    "acknowledged": "I read and understood this.",
    "assessed": "I assessed the person named and what they showed.",
    "accepted_responsibility": "I answer for this as study director or management.",
    "closed": "I close this; nothing is left to be done.",
    "voided": "I void this for the reason given; it stays in every search and export.",
    "extended": "I extend the due date for the reason given.",
    "waived": "I let this pass for the reason given.",
}
"""What signatures may mean (DOMAIN 1.2), each in the signer's words."""
POLICY = """\
1. My electronic signature is the legally binding equal of my handwritten signature.
2. I sign only what I have read, in my own session, with my own user name and password.
3. I never share my password, and I never sign for another person.
4. I answer for every act recorded under my signature.
5. I report a lost or suspected secret at once; my key is then withdrawn and enrolled anew.
"""
STATEMENT = "I have read this policy. I hold my electronic signature equal to my handwritten signature."


def _signature(declared: w.Type, act: str) -> w.Signature:
    found = next(t.signature for t in declared.transitions if t.name == act)
    assert found is not None  # noqa: S101 -- the shipped declarations sign these acts
    return found


@dataclass(frozen=True, slots=True)
class ToSign:
    """One signature of genesis as its signer reads it before: over what, its meaning, its declared text."""

    over: str
    meaning: str
    text: str


def to_sign(verifies: str, *, author: bool, approver: bool) -> tuple[ToSign, ...]:
    """Return what a founder signs at genesis, in order; ``verifies`` is whose identity they answer for."""
    policy, meanings = "POL-0001 v1", "what signatures may mean"
    acknowledged = esign_acknowledgement.TYPE.create.signature
    assert acknowledged is not None  # noqa: S101 -- the shipped declaration signs it
    asked = [
        ("one's own account", _signature(user.TYPE, "enrol")),
        (f"the account of {verifies}", _signature(user.TYPE, "activate")),
    ]
    if author:
        asked.append((policy, _signature(document_policy.TYPE, "submit")))
    if approver:
        asked.append((policy, _signature(document_policy.TYPE, "approve")))
    if author:
        asked.append((meanings, _signature(vocabulary.TYPE, "submit")))
    if approver:
        asked.append((meanings, _signature(vocabulary.TYPE, "approve")))
    asked.append((policy, acknowledged))
    return tuple(ToSign(over, found.meaning, found.text) for over, found in asked)


def charter(
    founders: tuple[Founder, ...], site: Mapping[str, Any]
) -> Callable[[Mapping[str, Enrolment]], tuple[Step, ...]]:
    """Return the steps of genesis for these founders and this site."""
    names = [f.username for f in founders]
    holder = {role: f.username for f in reversed(founders) for role in f.roles}

    def steps(keys: Mapping[str, Enrolment]) -> tuple[Step, ...]:
        found: list[Step] = []
        for f in founders:
            found += _enrolled(f, names, keys[f.username], holder["ADM"])
        for f in founders:
            found.append(_verified(f, names, keys[f.username]))
        found.append(Step("site", "site", "create", "planned", holder["ADM"], dict(site)))
        found += [_role(code, holder["QA"]) for code in ROLES]
        for f in founders:
            found += [_grant(f.username, role, _other(f.username, names)) for role in f.roles]
        found += _scheduler(holder["ADM"], _other(holder["ADM"], names))
        found += _policy(holder)
        found += _meanings(holder)
        found += [_acknowledgement(f) for f in founders]
        return tuple(found)

    return steps


def _other(name: str, names: list[str]) -> str:
    return names[(names.index(name) + 1) % len(names)]


def _enrolled(founder: Founder, names: list[str], key: Enrolment, admin: str) -> list[Step]:
    creator = admin if founder.username != admin else _other(founder.username, names)
    enrolled = {"kid": key.kid, "scheme": key.wrapped["scheme"], "public": key.public}
    fields = {
        "username": founder.username,
        "printed_name": founder.name,
        "kind": "person",
        "email": founder.email,
    }
    return [
        Step(founder.username, "user", "create", "invited", creator, fields),
        Step(
            founder.username,
            "user",
            "enrol",
            "enrolled",
            founder.username,
            {"signing_keys": [enrolled | {"enrolled_at": key.wrapped["enrolled_at"]}]},
            _signature(user.TYPE, "enrol"),
        ),
    ]


def _verified(founder: Founder, names: list[str], key: Enrolment) -> Step:
    """Everybody has proven their key by now, so that each can verify the next."""
    check = {
        "document_kind": founder.document or "founder, known in person",
        "manner": "in person at genesis",
        "on": key.wrapped["enrolled_at"][:10],
    }
    return Step(
        founder.username,
        "user",
        "activate",
        "active",
        _other(founder.username, names),
        {"identity_check": [check]},
        _signature(user.TYPE, "activate"),
    )


def _role(code: str, by: str) -> Step:
    title, description = ROLES[code]
    return Step(
        f"role/{code}",
        "role",
        "create",
        "effective",
        by,
        {"code": code, "title": title, "description": description},
        number=f"ROLE-{code}",
    )


def _grant(username: str, role: str, by: str) -> Step:
    fields = {
        "title": f"{username} · {ROLES[role][0]}",
        "person": {"$": username},
        "role": {"$": f"role/{role}"},
        "justification": "Founder of this installation.",
    }
    return Step(f"grant/{username}/{role}", "role_grant", "create", "active", by, fields)


def _scheduler(admin: str, by: str) -> list[Step]:
    fields = {
        "username": SCHEDULER,
        "printed_name": "Scheduler of this installation",
        "kind": "service",
        "responsible": {"$": admin},
    }
    return [Step(SCHEDULER, "user", "create", "active", admin, fields), _grant(SCHEDULER, "SVC", by)]


def _policy(holder: Mapping[str, str]) -> list[Step]:
    fields = {
        "title": "Electronic signatures and accountability",
        "body": POLICY,
        "criticality": "gxp_critical",
        "change_summary": "First version.",
        "training_depth": "read_understood",
        "governs_signatures": True,
        "audience": [],
    }
    author, approver = holder["AUT"], holder["QA"]
    return [
        Step("policy", "document_policy", "create", "draft", author, fields),
        Step(
            "policy",
            "document_policy",
            "submit",
            "in_approval",
            author,
            {},
            _signature(document_policy.TYPE, "submit"),
        ),
        Step(
            "policy",
            "document_policy",
            "approve",
            "effective",
            approver,
            {},
            _signature(document_policy.TYPE, "approve"),
        ),
    ]


def meanings_fields() -> dict[str, Any]:
    """Return the fields of the controlled list of what signatures may mean, in its first version."""
    return {
        "code": vocabulary.SIGNATURE_MEANINGS,
        "title": "What a signature may mean",
        "entries": [{"value": v, "meaning": said, "retired": False} for v, said in MEANINGS.items()],
    }


def _meanings(holder: Mapping[str, str]) -> list[Step]:
    author, approver = holder["AUT"], holder["QA"]
    kind, submit = "vocabulary", _signature(vocabulary.TYPE, "submit")
    return [
        Step("meanings", kind, "create", "draft", author, meanings_fields()),
        Step("meanings", kind, "submit", "in_approval", author, {}, submit),
        Step("meanings", kind, "approve", "effective", approver, {}, _signature(vocabulary.TYPE, "approve")),
    ]


def _acknowledgement(founder: Founder) -> Step:
    fields = {
        "title": f"{founder.name} · Electronic signatures and accountability",
        "person": {"$": founder.username},
        "policy": {"$": "policy"},
        "statement": STATEMENT,
    }
    return Step(
        f"acknowledgement/{founder.username}",
        "esign_acknowledgement",
        "create",
        "signed",
        founder.username,
        fields,
        esign_acknowledgement.TYPE.create.signature,
    )
