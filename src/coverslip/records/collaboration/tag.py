"""Tag: one word on a record, by which it is found again.

Rules kept here: the word is kept in one form (NFC, folded, single spaces), and a record carries it once; it
is taken off by an act, and who put it there and who took it off stays on the ledger.
"""

from __future__ import annotations

import unicodedata

import msgspec

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import VOIDED, void
from coverslip.records.collaboration._about import KEPT_WITH, UNREGULATED, subject

_EVER = ("tagged", "removed", "voided")


def folded(word: str) -> str:
    """Return a word in the form in which it is kept and looked for."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold()).split())


@rule("tag_word", 1)
def tag_word(inp: RuleInput) -> str | None:
    """Return the word in the form in which it is kept; none where none is given."""
    return folded(str(inp.fields["word"])) if "word" in inp.fields else None


@rule("tag_mark", 1)
def tag_mark(inp: RuleInput) -> str:
    """Return what no second living tag may have: the record and the word."""
    label = next((row.label for row in inp.reads["subject"]), "")
    return f"{label} {folded(str(inp.fields.get('word', '')))}"


@rule("tag_unmark", 1)
def tag_unmark(inp: RuleInput) -> str:
    """Return a mark that is this tag's alone, so that the word is free for the record again."""
    return f"removed {inp.record.number if inp.record else ''}"


_FREE = w.Compute("mark", w.Rule("tag_unmark", 1))

TYPE = w.Type(
    name="tag",
    title="Tag",
    version=1,
    purpose="A word on a record by which it is found again.",
    number=w.Number("TAG", 5, yearly=True),
    gxp="none",
    title_field="word",
    fields={
        "subject": subject(_EVER),
        "word": w.Field(
            w.Text(60, 1, r"[^,;\"'/\\]+"), "Word", required=True, immutable_at=_EVER,
            help="Capitals and spaces at its ends make no difference.",
        ),
        "mark": w.Field(w.Text(200), "Record and word", unique="type", source="computed"),
    },
    states=(
        w.State("tagged", locked=True, resting=True),
        w.State("removed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "tagged",
        effects=(
            w.Compute("word", w.Rule("tag_word", 1)),
            w.Compute("mark", w.Rule("tag_mark", 1, {"subject": ("subject",)})),
        ),
    ),
    transitions=(
        w.Transition(
            "remove", "Take off", ("tagged",), "removed", ("*",), reason=w.Reason(), effects=(_FREE,)
        ),
        msgspec.structs.replace(void(("tagged",)), effects=(_FREE,)),
    ),
    retention=KEPT_WITH,
    summary=("word", "subject"),
    predicate_rules=("21 CFR 11.10(e)",),
    sandbox=UNREGULATED,
)  # fmt: skip
