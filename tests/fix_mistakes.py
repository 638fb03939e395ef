"""Mistakes that people make, as DOMAIN names them: how to get there, what is tried, and how it is refused.

Rules kept here: a mistake is one row; what brings the record there is asked to succeed, only what is tried is
refused; a record that several rows look at is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.change import Change
from coverslip.kernel.rows import Row
from fix_world import SHOWN, WHY, World, example


@dataclass(frozen=True)
class Mistake:
    """One mistake: the type it is about, the code and distinctive words of its refusal, and what is tried.

    ``given`` brings the record there and returns its number; without it ``tried`` begins from nothing.
    """

    type: str
    code: str
    words: str
    tried: Callable[[World, str], Any]
    given: Callable[[World], str] = lambda w: ""


_MADE: dict[tuple[int, str], str] = {}


def once(name: str, make: Callable[[World], str]) -> Callable[[World], str]:
    """Return what makes a record at its first use in a world and names it again after."""

    def given(w: World) -> str:
        key = (id(w), name)
        if key not in _MADE:
            _MADE[key] = make(w)
        return _MADE[key]

    return given


def created(type_: str, by: str = "", **fields: Callable[[World], Any]) -> Callable[[World, str], Any]:
    """Return the attempt to create a record with these fields in place of its example's."""
    return lambda w, _: w.create(type_, by=by or None, **{n: value(w) for n, value in fields.items()})


def done(act: str, by: str = "", reason: str = WHY, **fields: Any) -> Callable[[World, str], Any]:
    """Return the attempt to do an act on the record given; a field may be computed from the world."""
    return lambda w, number: w.do(
        number, act, by or None, reason, **{n: v(w) if callable(v) else v for n, v in fields.items()}
    )


def new(type_: str, state: str = "", **fields: Any) -> Callable[[World], str]:
    """Return what makes a fresh record in a state; a field may be computed from the world."""
    return lambda w: w.new(type_, state, **{n: v(w) if callable(v) else v for n, v in fields.items()})


def broken(type_: str, act: str, words: str) -> Callable[[World, str], Any]:
    """Return the attempt at an act after what the type's example does so that a guard of it fails."""

    def tried(w: World, number: str) -> Any:
        answer = example(type_).breaks[act][words](w, w.row(number))
        return w.do(number, act, **(answer if isinstance(answer, dict) else {}))

    return tried


def always(value: Any) -> Callable[[World], Any]:
    """Return a field's value that depends on nothing."""
    return lambda w: value


# --- people and documents --------------------------------------------------------------------------


def _served(w: World, number: str) -> Any:
    change = Change("close", number=number, reason=WHY, expected_version=w.row(number).version, shown=SHOWN)
    return w.lab.door.submit(change, w.lab.service())


def _authored_by_otto(w: World) -> str:
    number = w.create("document_sop", by="otto")
    w.do(number, "submit", by="otto")
    w.do(number, "review", by="checker1")
    return number


def _still_valid(w: World) -> str:
    number = w.new("periodic_review", "reviewed")
    document = w.row(number).fields["document"]
    w.new("change", affected=[f"{document['number']} v{document['revision']}"])
    return number


def _retiring(w: World) -> str:
    """Return the next version of the list of meanings, with one retired that record types sign with."""
    row = w.row("VOC-SIGNATURE-MEANING")
    entries = [e | {"retired": e["value"] == "approved"} for e in row.fields["entries"]]
    return w.revise(row.number, code=row.fields["code"], title=row.title, previous=row.label, entries=entries)


def _newcomer_signs(w: World, number: str) -> Any:
    """Let somebody sign who holds the role and has not acknowledged the policy."""
    name = w.unique("newcomer")
    w.lab.invite(name, "New Comer", ("QA",))
    w.lab.train(name, f"{w.lab.n['required']} v1")
    return w.do(number, "reject", by=name)


PEOPLE = (
    Mistake("site", "LOCKED", "cannot be edited", done("edit", tz="Europe/Rome"), always("SITE-01")),
    Mistake(
        "site", "SEQ_PRE", "An open system needs encryption in transit and digital signatures (11.30)",
        done("amend", system_class="open"), always("SITE-01"),
    ),
    Mistake("user", "DUP", "is already used by", created("user", username=always("maker1"))),
    Mistake(
        "user", "SEQ_STATE", "the act does not exist",
        done("void", by="quality1"), lambda w: w.number_of("maker1"),
    ),
    Mistake("user", "AUTH_ROLE", "You need the role", _served, always("SITE-01")),
    Mistake(
        "role_grant", "AUTH_SELF", "someone other than its holder",
        created("role_grant", by="quality1", person=lambda w: w.number_of("quality1")),
    ),
    Mistake(
        "role_grant", "SEQ_PRE", "Administrator cannot also hold QA (segregation of duties)",
        created(
            "role_grant", by="admin2", person=lambda w: w.number_of("admin1"), role=always("ROLE-QA")
        ),
    ),
    Mistake(
        "role_grant", "VAL_REQ", "end date is required for an inspector",
        created("role_grant", role=always("ROLE-INS"), end=always(None)),
    ),
    Mistake(
        "training_record", "AUTH_SELF", "must be done by someone other than",
        done("assess", by="otto"),
        new("training_record", "acknowledged", person=lambda w: w.number_of("otto")),
    ),
    Mistake(
        "training_record", "LINK_VER", "only approved or effective versions may be used",
        created("training_record", document=lambda w: w.row(w.new("document_sop")).label),
    ),
    Mistake(
        "esign_acknowledgement", "AUTH_SELF", "only acknowledge for yourself",
        created("esign_acknowledgement", by="maker2"),
    ),
    Mistake(
        "esign_acknowledgement", "AUTH_ESIGN", "have not acknowledged the electronic-signature policy",
        _newcomer_signs, new("role_grant"),
    ),
    Mistake("vocabulary", "SEQ_PRE", "Record types sign with approved", done("submit"), _retiring),
    Mistake(
        "certification_letter", "VAL_REQ", "required before sent", done("send"),
        lambda w: _unscanned(w),
    ),
    Mistake(
        "delegation", "AUTH_SELF", "to another person",
        created("delegation", taker=lambda w: w.number_of("checker1")),
    ),
    Mistake(
        "document_sop", "AUTH_SELF", "must be done by someone other than",
        done("approve", by="otto"), _authored_by_otto,
    ),
    Mistake(
        "document_sop", "VAL_RANGE", "Effective date must be after approval", done("approve"),
        new("document_sop", "in_approval", effective_date=lambda w: w.day(-1)),
    ),
    Mistake(
        "document_sop", "LINK_VER", "only effective versions may be used",
        created(
            "acquisition_session",
            method=lambda w: w.row(w.new("document_sop", "obsolete")).label,
        ),
    ),
    Mistake(
        "document_sop", "LOCKED", "cannot be edited",
        done("edit", by="maker1", title="Another title"), lambda w: w.any("document_sop"),
    ),
    Mistake(
        "periodic_review", "SEQ_PRE", "a change that touches the document", done("confirm"), _still_valid
    ),
    Mistake(
        "controlled_copy", "REASON", "'print' is not a reason",
        created("controlled_copy", purpose=always("print")),
    ),
    Mistake(
        "form_record", "VAL_REQ", "Attach the original file; its hash is kept",
        created("form_record", values=always([{"name": "ph", "value": "7.1", "source": "spreadsheet"}])),
    ),
    Mistake(
        "document_external", "LINK_VER", "is withdrawn; only",
        created("controlled_copy", document=lambda w: w.row(w.new("document_external", "withdrawn")).label),
    ),
)  # fmt: skip


def _unscanned(w: World) -> str:
    number = w.new("certification_letter")
    w.do(number, "sign_on_paper", handwritten_scan=None)
    return number


# --- the laboratory --------------------------------------------------------------------------------


def _with_open_study(w: World) -> str:
    number = w.new("project", "active")
    w.new("study", project=number)
    return number


def _blinded(w: World) -> str:
    return w.new("study", "in_progress", blinding="full", unblinding_rule="the end of scoring")


def _expired_instrument(w: World) -> str:
    number = w.new("instrument", "installed")
    w.new("calibration", "accepted", instrument=number, next_due=w.day(1))
    w.pass_days(2)
    return number


def _other_firmware(w: World) -> str:
    qualification = w.row(w.new("qualification", "approved", software_versions="Firmware 6.1"))
    number = str(qualification.fields["subject"]["number"])
    w.do(number, "install", firmware="7.0")
    w.new("calibration", "accepted", instrument=number)
    return number


def _result_again(w: World, number: str) -> Any:
    kept = w.row(number).fields["test_cases"]
    return w.do(number, "record", test_cases=[kept[0] | {"actual": "It is off."}])


def _recorded(w: World) -> str:
    number = w.new("qualification", "executing")
    w.do(number, "record")
    return number


def _same_pixels(w: World, number: str) -> Any:
    read = example("image").acts["accept"](w, w.row(number))
    for image in (number, w.new("image")):
        w.do(image, "verify_import")
        w.do(image, "accept", **read)
    return None


def _analysed(w: World) -> str:
    image = w.new("image", "available")
    images = w.new("image_set", "frozen", members=[image])
    w.new("analysis_run", "running", image_set=images)
    return image


def _derived(w: World) -> str:
    return w.new("image", "available", name="S.tif", kind="derived", parents=[w.any("image", "available")])


def _runs(w: World, number: str) -> Any:
    return [w.create("analysis_run", image_set=number) for _ in range(3)]


_VALUE = {"kind": "average", "position": "A01", "quantity_name": "count", "value": "12", "unit": "1"}
_open_oos = once("oos", new("oos"))
_final = once("results", lambda w: str(_results_of(w).number))


def _results_of(w: World) -> Row:
    return w.along(w.row(w.any("analysis_run", "accepted")), ("results",))[0]


def _report_with_deviation(w: World) -> str:
    number = w.new("report", "approved")
    w.new("deviation", affected=[w.row(number).fields["subject"]["number"]])
    return number


LABORATORY = (
    Mistake("project", "SEQ_PRE", "is reported or ended", done("close"), _with_open_study),
    Mistake("study", "SEQ_STATE", "only allowed from approved", done("start"), new("study")),
    Mistake(
        "study", "REASON", "'bad' is not a reason",
        done("exclude", reason="bad"), lambda w: w.any("image", "available"),
    ),
    Mistake(
        "study", "SEQ_PRE", "Unblinding needs the end of scoring and two signatures",
        done("amend", blinding="none"), _blinded,
    ),
    Mistake(
        "study", "LINK_VER", "a sandbox record", created("ncr", subject=new("study", kind="sandbox"))
    ),
    Mistake(
        "specimen", "VAL_RANGE", "Specimen expired", done("receive"),
        new("specimen", expires=lambda w: w.day(-1)),
    ),
    Mistake(
        "specimen", "SEQ_PRE", "Nothing was recorded as done",
        done("receive", scanned_label="SMP-0"), new("specimen"),
    ),
    Mistake(
        "specimen", "VAL_RANGE", "no quantity falls below zero",
        done("take_aliquot", taken="5.1"), new("specimen", "received"),
    ),
    Mistake(
        "container", "DUP", "is given once",
        lambda w, _: w.create("container", **example("container").breaks["create"]["is given once"](w, _row)),
    ),
    Mistake(
        "container", "SEQ_PRE", "1 pos control",
        broken("container", "qc_check", "1 pos control"), new("container"),
    ),
    Mistake(
        "container", "LOCKED", "cannot be edited",
        done("edit", by="maker1", layout=[{"position": "A01", "role": "empty"}]),
        lambda w: w.any("container", "imaged"),
    ),
    Mistake(
        "instrument", "SEQ_PRE", "is not the qualified", done("put_in_service"), _other_firmware
    ),
    Mistake(
        "qualification", "VAL_REQ", "required before a case passes",
        broken("qualification", "record", "before a case passes"), new("qualification", "executing"),
    ),
    Mistake("qualification", "LOCKED", "was recorded and is locked", _result_again, _recorded),
    Mistake(
        "calibration", "LINK_VER", "standard was in date",
        created("calibration", standard_expires=lambda w: w.day(-1)),
    ),
    Mistake(
        "calibration", "VAL_RANGE", "Next calibration is due after",
        created("calibration", next_due=lambda w: w.day(700)),
    ),
    Mistake(
        "acquisition_session", "SEQ_STATE", "is in progress (it is draft)", done("start"),
        new("acquisition_session", study=new("study")),
    ),
    Mistake("image", "DUP", "is already used by", _same_pixels, new("image")),
    Mistake(
        "image", "LOCKED", "cannot be edited",
        done("edit", by="maker1", name="B.tif"), lambda w: w.any("image", "available"),
    ),
    Mistake(
        "image_set", "LOCKED", "cannot be edited",
        done("edit", by="maker1", members=[]), new("image_set", "frozen"),
    ),
    Mistake("image_set", "SEQ_PRE", "Exclude through a reprocessing request", done("exclude"), _analysed),
    Mistake("annotation", "VAL_REQ", "Raw image is required", created("annotation", image=_derived)),
    Mistake(
        "annotation", "SEQ_STATE", "the act does not exist",
        done("delete", by="quality1"), new("annotation"),
    ),
    Mistake(
        "algorithm", "LINK_VER", "only effective versions may be used",
        created("parameter_set", algorithm=lambda w: w.row(w.new("algorithm")).label),
    ),
    Mistake("algorithm", "VAL_VOCAB", "Choose one of", created("algorithm", kind=always("online_learning"))),
    Mistake(
        "parameter_set", "VAL_RANGE", "sigma: 9 is outside 1–4", done("submit"),
        new("parameter_set", values=[{"name": "sigma", "value": "9", "allowed_lo": "1", "allowed_hi": "4"}]),
    ),
    Mistake(
        "analysis_run", "SEQ_PRE", "Request reprocessing with a reason", _runs, new("image_set", "frozen")
    ),
    Mistake(
        "analysis_run", "SEQ_PRE", "request is named", created("analysis_run", reason=always("reprocess"))
    ),
    Mistake(
        "analysis_run", "SEQ_STATE", "the act does not exist",
        done("void", by="quality1"), new("analysis_run", "failed"),
    ),
    Mistake("result_set", "LOCKED", "cannot be edited", done("edit", by="maker1", rows=[]), _final),
    Mistake(
        "result_set", "SEQ_PRE", "Averaging hides an OOS; report individual values",
        done("edit", individual_results=[_VALUE]), _open_oos,
    ),
    Mistake(
        "reprocessing_request", "REASON", "'segmentation error' is not a reason",
        created("reprocessing_request", reason=always("segmentation error")),
    ),
    Mistake("report", "SEQ_PRE", "Deviation", done("issue"), _report_with_deviation),
    Mistake(
        "report", "LOCKED", "cannot be edited",
        done("edit", by="maker1", conclusion="Otherwise."), lambda w: w.any("report", "approved"),
    ),
)  # fmt: skip
_row = Row("", "", "", 0, 0, 0, "", "", "", "", "", {})

EXPIRED = (
    Mistake("instrument", "SEQ_PRE", "calibration expired", done("put_in_service"), _expired_instrument),
)
"""What is tried only once days have passed."""
