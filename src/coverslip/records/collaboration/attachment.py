"""Attachment: a file that belongs to a record, and what it is (DOMAIN 1.3, 11: attachments are events).

Rules kept here:

* The file is in the vault before it can be named, with size and hashes as recorded; it never changes.
* Attaching and withdrawing are entries; a withdrawn file stays in the vault and in every copy.
* One file is bounded, and so is what one record gathers: originals of instruments come as images.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, void
from coverslip.records.collaboration._about import KEPT_WITH, UNREGULATED, subject

MAX_BYTES = 512 * 1024**2
MAX_TOTAL_BYTES = 4 * 1024**3
MAX_FILES = 500
_EVER = ("attached", "withdrawn", "voided")


@rule("attachment_within_limits", 1)
def attachment_within_limits(inp: RuleInput) -> str | None:
    """Ask that the file, and all files of the record together, stay within what a record may gather."""
    size = int((inp.fields.get("file") or {}).get("size", 0))
    if not size:
        return "The file has content."
    if size > MAX_BYTES:
        return f"An attached file has at most {MAX_BYTES} bytes (it has {size})."
    others = [row for row in inp.children["attached"] if row.state == "attached"]
    if len(others) >= MAX_FILES:
        return f"A record has at most {MAX_FILES} attached files."
    total = size + sum(int(row.fields["file"]["size"]) for row in others)
    if total > MAX_TOTAL_BYTES:
        return f"All files of a record have at most {MAX_TOTAL_BYTES} bytes (they would have {total})."
    return None


TYPE = w.Type(
    name="attachment",
    title="Attachment",
    version=1,
    purpose="A file that belongs to a record, and what it is.",
    number=w.Number("ATT", 5, yearly=True),
    gxp=REGULATED,
    title_field="what",
    fields={
        "subject": subject(_EVER),
        "what": w.Field(w.Text(300, 3), "What it is", required=True, immutable_at=_EVER),
        "file": w.Field(w.File(), "File", required=True, immutable_at=_EVER, critical=True),
    },
    states=(
        w.State("attached", locked=True, resting=True),
        w.State("withdrawn", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "attached",
        requires=(
            w.Rule(
                "attachment_within_limits", 1,
                children={"attached": (("subject",), "attachment", "subject")},
                message="The file is within the limits of attachments.",
            ),
        ),
    ),
    persons={"author": w.Actor("create")},
    transitions=(
        w.Transition(
            "withdraw", "Withdraw", ("attached",), "withdrawn", ("QA",), ("author",), reason=w.Reason()
        , aside=True),
        void(("attached",)),
    ),
    retention=KEPT_WITH,
    summary=("subject", "what", "file"),
    predicate_rules=("21 CFR 11.10(c)", "21 CFR 11.10(e)"),
    sandbox=UNREGULATED,
)  # fmt: skip
