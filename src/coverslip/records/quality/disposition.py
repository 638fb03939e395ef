"""Disposition: a board decides what becomes of what does not conform (DOMAIN 8.7).

Rules kept here: every seat votes by an act and a signature of its own, and nobody takes two; whoever
worked on what is judged takes none; the lines add up to what does not conform; use as it is needs an
engineer's justification and never touches a safety characteristic; rework follows an approved
instruction and is inspected again; what is destroyed, somebody watched.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, computed_title, signing
from coverslip.records.quality.ncr import pieces

ACTIONS = ("use_as_is", "rework", "reprocess", "regrade", "scrap", "return_to_supplier", "sort")
_REWORK = ("rework", "reprocess")
_LIVE = ("proposed", "voting")
_EVER = ("proposed", "voting", "decided", "executed", "withdrawn")
_SEATS = ("seat_qa", "seat_eng", "seat_opr", "seat_qal")


def _actions(inp: RuleInput) -> set[str]:
    return {str(row["action"]) for row in inp.fields.get("lines", ())}


@rule("lines_cover_the_ncr", 1)
def lines_cover_the_ncr(inp: RuleInput) -> str | None:
    """Ask that the lines add up to what does not conform and was not decided before."""
    here = pieces(inp.fields.get("lines"))
    for ncr in inp.reads["ncr"]:
        total = pieces(ncr.fields.get("quantities"))
        own = inp.record.uid if inp.record is not None else ""
        before = sum(
            pieces(row.fields.get("lines"))
            for row in inp.children["others"]
            if row.uid != own and row.state in ("decided", "executed")
        )
        if here != total - before:
            return f"The lines cover {here} of {total - before} pieces of {ncr.number}."
    return None


@rule("use_as_is_justified", 1)
def use_as_is_justified(inp: RuleInput) -> str | None:
    """Ask, for use as it is, for an engineer's signed justification, and that no safety is concerned."""
    if "use_as_is" not in _actions(inp):
        return None
    for ncr in inp.reads["ncr"]:
        if ncr.fields.get("safety_characteristic") is True:
            return "Use as it is is never decided on a safety characteristic."
        if ncr.fields.get("medical_device") is True and not inp.fields.get("risk_file"):
            return "Use as it is of a device names its risk file."
    if inp.record is None or not inp.record.people.get("justify"):
        return "An engineer justified the use as it is, and signed."
    return None


@rule("rework_instructed", 1)
def rework_instructed(inp: RuleInput) -> str | None:
    """Ask for an approved instruction where something is reworked or reprocessed."""
    if not _actions(inp) & set(_REWORK):
        return None
    bad = [r for r in inp.reads["instruction"] if r.state not in ("approved", "effective")]
    if not inp.reads["instruction"] or bad:
        return "Rework follows an approved instruction."
    return None


@rule("carried_out", 1)
def carried_out(inp: RuleInput) -> str | None:
    """Ask that rework was inspected and accepted, scrap witnessed, and a return shipped."""
    wanted: list[str] = []
    actions = _actions(inp)
    people = inp.record.people if inp.record is not None else {}
    if actions & set(_REWORK) and [r.state for r in inp.reads["reinspection"]] != ["accepted"]:
        wanted.append("what was reworked was inspected again and accepted")
    if "scrap" in actions and not people.get("witness"):
        wanted.append("somebody witnessed the destruction")
    if "return_to_supplier" in actions and not inp.fields.get("shipment"):
        wanted.append("the return shipment is named")
    return "; ".join(wanted)[:1].upper() + "; ".join(wanted)[1:] + "." if wanted else None


_COVER = w.Rule(
    "lines_cover_the_ncr",
    1,
    {"ncr": ("ncr",)},
    {"others": (("ncr",), "disposition", "ncr")},
    message="The lines add up to what does not conform.",
    code="VAL_RANGE",
)
_JUSTIFIED = w.Rule(
    "use_as_is_justified", 1, {"ncr": ("ncr",)}, message="Use as it is is justified by an engineer."
)
_INSTRUCTED = w.Rule(
    "rework_instructed", 1, {"instruction": ("rework_instruction",)}, message="Rework is instructed."
)
_CARRIED_OUT = w.Rule(
    "carried_out", 1, {"reinspection": ("reinspection",)}, message="What was decided was carried out."
)


def _vote(name: str, role: str, seat: str) -> w.Transition:
    others = tuple(s for s in _SEATS if s != f"seat_{name}")
    return w.Transition(
        f"vote_{name}",
        f"Vote for {seat}",
        ("voting",),
        "",
        (role,),
        signature=signing(
            "dispositioned",
            f"For {seat} I agree to this disposition.",
            (role,),
            (*others, "executors", "executors_too"),
        ),
    )


def _voted(name: str, seat: str) -> w.Signed:
    return w.Signed("dispositioned", act=f"vote_{name}", message=f"The seat of {seat} agreed to {{number}}.")


def _for(severity: str, *guards: w.Guard) -> w.When:
    return w.When(w.Compare(("ncr", "severity"), "eq", severity), guards)


_BOARD = (_voted("eng", "engineering"), _voted("opr", "operations"))

TYPE = w.Type(
    name="disposition",
    title="Disposition",
    version=1,
    purpose="What becomes of every piece that does not conform, and who agreed to it.",
    number=w.Number("MRB", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "ncr": w.Field(
            w.Link(("ncr",), "none"), "Nonconformity", required=True, critical=True, immutable_at=_EVER
        ),
        "lines": w.Field(
            w.Table(
                {
                    "item": w.Column(w.Text(200)),
                    "quantity": w.Column(w.Int(1, 10_000_000)),
                    "action": w.Column(w.Enum(ACTIONS)),
                },
                max_rows=500,
                min_rows=1,
            ),
            "Lines",
            required=True,
            critical=True,
            immutable_at=_EVER[1:],
        ),
        "justification": w.Field(
            w.Rich(20_000), "Justification", required=True, critical=True, immutable_at=_EVER[1:]
        ),
        "engineering_justification": w.Field(
            w.Rich(20_000), "Engineering justification of use as it is", critical=True, immutable_at=_EVER[2:]
        ),
        "risk_file": w.Field(w.Text(300), "Risk file", immutable_at=_EVER[2:]),
        "concession": w.Field(w.Text(300), "Concession of a customer or authority"),
        "rework_instruction": w.Field(
            w.Link((), "version"), "Rework instruction", critical=True, immutable_at=_EVER[1:]
        ),
        "reinspection": w.Field(w.Link(("inspection",), "none"), "Inspection after rework", critical=True),
        "shipment": w.Field(w.Text(300), "Return shipment"),
    },
    states=(
        w.State("proposed"),
        w.State("voting"),
        w.State("decided"),
        w.State("executed", terminal=True, locked=True),
        w.State("withdrawn", terminal=True, locked=True),
    ),
    create=w.Making(
        ("QA", "QAL", "ENG"),
        "proposed",
        requires=(_COVER,),
        effects=(computed_title(ncr=("ncr",)), w.Do(("ncr",), "propose_disposition")),
    ),
    edit=w.Editing(("QA", "QAL", "ENG"), ("proposed", "decided")),
    persons={
        "proposer": w.Actor("create"),
        "seat_qa": w.Actor("vote_qa"),
        "seat_eng": w.Actor("vote_eng"),
        "seat_opr": w.Actor("vote_opr"),
        "seat_qal": w.Actor("vote_qal"),
        "executors": w.Touched(("ncr", "subject")),
        "executors_too": w.Touched(("ncr", "also_affected")),
        "witness": w.Actor("witness"),
    },
    transitions=(
        w.Transition(
            "open_vote",
            "Open the vote",
            ("proposed",),
            "voting",
            ("QA", "QAL", "ENG"),
            requires=(_COVER, _INSTRUCTED),
        ),
        w.Transition(
            "justify",
            "Justify use as it is",
            ("voting",),
            "",
            ("ENG",),
            fields=("engineering_justification", "risk_file"),
            requires=(
                w.Compare(("engineering_justification",), "present", message="The justification is written."),
            ),
            signature=signing(
                "authored",
                "I justify the use of what does not conform as it is.",
                ("ENG",),
                ("executors", "executors_too"),
            ),
        ),
        _vote("qa", "QA", "quality"),
        _vote("eng", "ENG", "engineering"),
        _vote("opr", "OPR", "operations"),
        _vote("qal", "QAL", "the quality lead"),
        w.Transition(
            "decide",
            "Decide",
            ("voting",),
            "decided",
            ("QA", "QAL"),
            requires=(
                _COVER,
                _JUSTIFIED,
                _INSTRUCTED,
                _voted("qa", "quality"),
                _for("major", *_BOARD),
                _for("critical", *_BOARD, _voted("qal", "the quality lead")),
            ),
            effects=(w.Do(("ncr",), "accept_disposition"),),
        ),
        w.Transition(
            "witness",
            "Witness destruction",
            ("decided",),
            "",
            ("QA", "OPR", "WHS", "ENG"),
            signature=signing(
                "witnessed", "I saw what was to be scrapped destroyed.", ("QA", "OPR", "WHS", "ENG")
            ),
        ),
        w.Transition(
            "execute",
            "Record as executed",
            ("decided",),
            "executed",
            ("OPR", "WHS", "ENG", "QA"),
            requires=(_CARRIED_OUT,),
            effects=(w.Do(("ncr",), "execute_disposition"),),
            signature=signing(
                "executed", "What was decided was carried out.", ("OPR", "WHS", "ENG", "QA"), ("witness",)
            ),
        ),
        w.Transition(
            "withdraw",
            "Withdraw",
            _LIVE,
            "withdrawn",
            ("QA", "QAL"),
            effects=(w.Do(("ncr",), "take_back_disposition"),),
            signature=signing("rejected", "I withdraw this proposal.", ("QA", "QAL")),
            reason=w.Reason(20),
            aside=True,
        ),
    ),
    retention=w.Retention(longest_of=("ncr",)),
    summary=("title", "ncr"),
    predicate_rules=("ISO 13485 8.3.2", "ISO 13485 8.3.4", "21 CFR 211.115", "21 CFR 211.165(f)"),
)
