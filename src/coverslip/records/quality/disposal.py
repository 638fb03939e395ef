"""Disposal after retention: what is let go, why it may be, who decided, and what stays known (DOMAIN 8.24).

Rules kept here:

* How long each record is kept is gathered from the ledger when the list is proposed, and again at every
  approval and at execution. A record that must be kept, or that changed since, stops the act.
* The owner and quality approve, two people; a third signature says that it was done, a fourth person's that
  it was seen.
* No entry is ever removed. What was disposed of stays known by number, hash, metadata and signers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_FIXED = ("proposed", "owner_approved", "approved", "executed", "closed", "rejected", "voided")
_SAME = ("keep_until", "because")
EXECUTED = ("executed", "closed")
"""States in which the records of the list are disposed of."""


def _listed(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = fields.get("candidates")
    return list(found) if isinstance(found, list | tuple) else []


@rule("disposal_retention_over", 1)
def disposal_retention_over(inp: RuleInput) -> Refusal | str | None:
    """Refuse while any record of the list must be kept; what was gathered for this act is looked at."""
    for row in _listed(inp.fields):
        if not row["due"]:
            number, until, because = str(row["number"]), str(row["keep_until"]), str(row["because"])
            values = {"record": number, "until": until, "because": because}
            return Refusal("RETENTION", f"{number} must be kept until {until}, because {because}", values)
    return None


@rule("disposal_not_preserved", 1)
def disposal_not_preserved(inp: RuleInput) -> Refusal | None:
    """Refuse while a legal hold names a record of the list itself; asked again under lock."""
    for hold in (*inp.children["subjects"], *inp.children["scopes"]):
        if hold.state in ("active", "release_proposed"):
            named = {link["uid"] for name in ("subjects", "scope") for link in hold.fields.get(name, ())}
            number = next((r.label for r in inp.reads["records"] if r.uid in named), "A record of this list")
            values = {
                "record": number,
                "until": f"{hold.number} is released",
                "because": "a legal hold preserves it",
            }
            return Refusal("RETENTION", f"{number} is preserved by {hold.number}", values)
    return None


@rule("disposal_unchanged", 1)
def disposal_unchanged(inp: RuleInput) -> str | None:
    """Ask that every record, its keep-until and the reason are what was listed before.

    The record itself is read again under lock, so that none changes between the look and the act.
    """
    before = inp.record.fields if inp.record is not None else {}
    now = {row.uid: row.leaf_hash for row in inp.reads["records"]}
    moved = {
        str(row["number"])
        for row in _listed(inp.fields)
        if now.get(row["record"]["uid"]) != row["record"]["hash"]
    }
    if not _listed(inp.fields) or (_told(before) == _told(inp.fields) and not moved):
        return None
    changed = sorted(moved | {number for number, *_ in _told(before) ^ _told(inp.fields)})
    return f"{', '.join(changed[:5])} changed since the list was proposed; propose it anew."


def _told(fields: Mapping[str, Any]) -> set[tuple[str, ...]]:
    return {
        (str(row["number"]), str(row["record"]["hash"]), *(str(row[name]) for name in _SAME))
        for row in _listed(fields)
    }


@rule("disposal_once", 1)
def disposal_once(inp: RuleInput) -> str | None:
    """Ask that no record of the list was disposed of under another number."""
    own = inp.record.uid if inp.record is not None else ""
    for number, other in _elsewhere(inp, own):
        return f"{number} was disposed of under {other}."
    return None


def _elsewhere(inp: RuleInput, own: str) -> Iterator[tuple[str, str]]:
    names = {row.uid: row.label for row in inp.reads["records"]}
    for other in inp.children["disposals"]:
        if other.uid != own and other.state in EXECUTED:
            for link in other.fields.get("records", ()):
                if link["uid"] in names:
                    yield names[link["uid"]], other.number


_RECORDS: w.Path = ("records",)
_MAY_GO: tuple[w.Guard, ...] = (
    w.NotOnHold(_RECORDS, "The records are not on hold."),
    w.Rule(
        "disposal_not_preserved",
        1,
        {"records": _RECORDS},
        {
            "subjects": (_RECORDS, "legal_hold", "subjects"),
            "scopes": (_RECORDS, "legal_hold", "scope"),
        },
        "No legal hold preserves them.",
    ),
    w.Rule("disposal_retention_over", 1, message="The retention of every record is over."),
    w.Rule(
        "disposal_once",
        1,
        {"records": _RECORDS},
        {"disposals": (_RECORDS, "disposal", "records")},
        "None was disposed of before.",
    ),
)
_AS_LISTED = (
    *_MAY_GO,
    w.Rule("disposal_unchanged", 1, {"records": _RECORDS}, message="Nothing changed since it was listed."),
)
_LOOK = w.Gather("candidates", "disposal_candidates", 1)

_CANDIDATES = w.Table(
    {
        "record": w.Column(w.Link((), "version")),
        "number": w.Column(w.Text(120)),
        "keep_until": w.Column(w.Text(500)),
        "because": w.Column(w.Text(1000)),
        "due": w.Column(w.Bool()),
        "rule_version": w.Column(w.Text(20)),
        "tree_size": w.Column(w.Int(0)),
    },
    max_rows=2000,
)

TYPE = w.Type(
    name="disposal",
    title="Disposal",
    version=1,
    purpose="Lets records go after their retention, with two approvals, and keeps what they were known by.",
    number=w.Number("DSP"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "basis": w.Field(w.Rich(20_000), "Basis", required=True, help="Procedure and grounds of disposal."),
        "owner": w.Field(
            w.Link(("user",), "none"),
            "Owner of the records",
            required=True,
            immutable_at=_FIXED,
            critical=True,
        ),
        "records": w.Field(
            w.Link((), "version"), "Records", required=True, many=True, immutable_at=_FIXED, critical=True
        ),
        "archive_check": w.Field(
            w.Rich(20_000),
            "How the archive was verified",
            required_at=("proposed",),
            immutable_at=_FIXED,
            help="Bundles taken, where they are kept, and by which report they verify.",
        ),
        "candidates": w.Field(
            _CANDIDATES,
            "Retention of each record",
            source="computed",
            critical=True,
            help="Gathered from the ledger: until when, by which rule, at which size of the tree.",
        ),
        "method": w.Field(
            w.Enum(("media_destroyed", "media_returned", "none")), "What was done to other media"
        ),
        "certificate": w.Field(w.File(), "Certificate of destruction", required_at=("executed",)),
        "tombstone": w.Field(
            w.Json(4_000_000),
            "What stays known",
            source="computed",
            critical=True,
            help="Number, type, hash and files of each record, and who signed it.",
        ),
    },
    states=(
        w.State("draft"),
        w.State("proposed"),
        w.State("owner_approved"),
        w.State("approved", locked=True),
        w.State("executed", locked=True),
        w.State("closed", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("QA", "QAL", "SDR"), "draft"),
    edit=w.Editing(("QA", "QAL", "SDR"), ("draft",)),
    persons={
        "owner": w.PersonAt(("owner",)),
        "owner_signer": w.Signer("approved"),
        "proposer": w.Actor("propose"),
        "executor": w.Signer("executed"),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "propose",
            "Propose",
            ("draft",),
            "proposed",
            ("QA", "QAL", "SDR"),
            requires=_MAY_GO,
            effects=(_LOOK,),
        ),
        w.Transition(
            "return",
            "Send back",
            ("proposed", "owner_approved", "approved"),
            "draft",
            ("QA", "QAL", "SDR"),
            reason=w.Reason(),
            clears=("approved", "approve_as_owner", "approve", "propose"),
        ),
        w.Transition(
            "approve_as_owner",
            "Approve as owner",
            ("proposed",),
            "owner_approved",
            persons=("owner",),
            independent_of=("proposer",),
            requires=_AS_LISTED,
            effects=(_LOOK,),
            signature=w.Signature(
                "approved",
                "As owner of these records I approve that they are disposed of.",
                independent_of=("proposer",),
                delegable=False,
            ),
        ),
        w.Transition(
            "approve",
            "Approve for quality",
            ("owner_approved",),
            "approved",
            ("QA",),
            requires=_AS_LISTED,
            effects=(_LOOK,),
            signature=signing(
                "approved",
                "I approve for quality that these records are disposed of; their retention is over.",
                ("QA",),
                ("owner", "owner_signer", "proposer", "editors"),
            ),
        ),
        w.Transition(
            "execute",
            "Execute",
            ("approved",),
            "executed",
            ("SEC", "QA"),
            fields=("method", "certificate"),
            requires=_AS_LISTED,
            effects=(_LOOK, w.Gather("tombstone", "disposal_tombstone", 1)),
            signature=signing("executed", "I disposed of these records as approved.", ("SEC", "QA")),
        ),
        w.Transition(
            "witness",
            "Witness",
            ("executed",),
            "closed",
            ("QA", "QAL", "REV", "SEC"),
            signature=signing(
                "witnessed",
                "I saw that these records were disposed of, and the certificate.",
                ("QA", "QAL", "REV", "SEC"),
                ("executor",),
            ),
        ),
        w.Transition(
            "reject",
            "Reject",
            ("proposed", "owner_approved"),
            "rejected",
            ("QA",),
            persons=("owner",),
            signature=w.Signature("rejected", "These records are not disposed of."),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("draft", "proposed", "owner_approved", "approved")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "owner", "records"),
    predicate_rules=("21 CFR 11.10(c)", "21 CFR 58.195", "21 CFR 211.180"),
)
