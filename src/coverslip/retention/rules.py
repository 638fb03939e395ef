"""The rule table of REGULATION 3.2 as data, and which class of DOMAIN 1.5 each rule belongs to.

Rules kept here:

* A rule names events, never a default number of years: what has not happened leaves it open.
* ``all``: every term that applies is needed, the latest counts. ``latest``: the latest of what is known.
  ``shortest``: the shortest of what is known; 58.195(b) alone says so.
* A class has rules that always apply and rules that apply where a circumstance is stated (``where``).
* A change of this table is a new ``VERSION``; every answer names the version it was computed with.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

VERSION = "1"
Combine = Literal["all", "latest", "shortest"]


@dataclass(frozen=True, slots=True)
class Term:
    """A period from an event: the latest of ``events`` that is known, then years and months.

    ``lifetime`` names an event whose value is a number of months to add. Applies only where all of
    ``needs`` and none of ``unless`` are stated. ``for_ever``: no event ends it.
    """

    events: tuple[str, ...] = ()
    years: int = 0
    months: int = 0
    lifetime: str = ""
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    for_ever: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: id, citation as shown, what it is about, its terms, and how they combine."""

    id: str
    citation: str
    about: str
    terms: tuple[Term, ...]
    combine: Combine = "all"
    where: tuple[str, ...] = ()
    note: str = ""
    waits: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What an open rule is said to wait for: the first text none of whose events has happened."""


EVENTS = MappingProxyType(
    {
        "administration": "date of administration",
        "application_support_ended": "date no longer needed to support an application",
        "approval": "approval date",
        "authorisation_end": "end of the marketing authorisation",
        "certification": "QP certification date",
        "completion": "completion date",
        "creation": "creation date",
        "device_lifetime": "the firm's device lifetime",
        "discontinued": "date the investigation was discontinued",
        "disposition": "date of disposition",
        "distribution": "date of distribution",
        "employment_end": "end of employment",
        "event": "event date",
        "expected_life_end": "end of the device's expected life",
        "expiry": "expiry",
        "fda_notified": "date FDA was notified",
        "last_distribution": "last distribution date",
        "last_placed_on_market": "date the last device was placed on the market",
        "last_trial_ended": "end of the last trial using the batch",
        "marketing_end": "end of marketing",
        "national_period_end": "end of the period the national authority sets",
        "no_submission": "decision that the study is not submitted",
        "obsolescence": "date it became obsolete",
        "block": "block date",
        "cytology_slide": "cytology slide date",
        "histology_slide": "histology slide date",
        "procedure_discontinued": "date the procedure was discontinued",
        "processing_completed": "date processing was completed",
        "release": "release date",
        "report": "report date",
        "shelf_life": "shelf-life date",
        "submission": "date of submission to FDA",
        "system_retirement": "system retirement",
        "termination": "termination date",
        "test": "test date",
        "transaction": "transaction date",
        "trial_end": "end of trial",
        "use_discontinued": "date use was discontinued",
        "useful_life_end": "end of the device's useful life",
    }
)
"""Events in the words people read; an event not listed is shown by its name."""

_SHORTEST = (
    Term(("approval",), 2, unless=("ind_ide",)),
    Term(("submission",), 5),
    Term(("completion", "termination"), 2, needs=("no_submission",), unless=("submission",)),
)
_GLP_WAITS = (
    ("completion date", ("completion", "termination")),
    ("date of submission to FDA, or the decision that there is none", ("submission", "no_submission")),
)
_IND = (
    Term(("approval",), 2, needs=("approval",)),
    Term(("approval",), 2, unless=("approval", "discontinued")),
    Term(("discontinued",), 2, needs=("discontinued",), unless=("approval",)),
    Term(("fda_notified",), 2, needs=("discontinued",), unless=("approval",)),
)

_ROWS = (
    Rule(
        "RET-211-a",
        "211.180(a)",
        "batch production, control and distribution",
        (
            Term(("expiry",), 1, unless=("expiry_exempt",)),
            Term(("last_distribution",), 3, needs=("expiry_exempt",)),
        ),
        note="Exempt: certain OTC products, 211.137.",
    ),
    Rule(
        "RET-211-b",
        "211.180(b)",
        "components, containers, closures, labelling",
        (
            Term(("expiry",), 1, unless=("expiry_exempt",)),
            Term(("last_distribution",), 3, needs=("expiry_exempt",)),
        ),
        where=("component",),
        note="Of the last lot using it. 'Life of product + 1 year' is wrong.",
    ),
    Rule("RET-212", "212.110", "PET drugs", (Term(("release",), 1),), where=("pet",)),
    Rule(
        "RET-600",
        "600.12(b)",
        "biologics manufacture",
        (Term(("completion",), 5), Term(("expiry",), 0, 6)),
        where=("biologic",),
    ),
    Rule(
        "RET-606",
        "606.160(d)",
        "blood",
        (
            Term(("processing_completed",), 10),
            Term(("expiry",), 0, 6, unless=("no_expiry",)),
            Term(for_ever=True, needs=("no_expiry",)),
        ),
        note="No expiry date: kept indefinitely.",
    ),
    Rule(
        "RET-1271",
        "1271.270(d)",
        "HCT/P",
        (Term(("creation",), 10), Term(("administration", "distribution", "disposition", "expiry"), 10)),
        where=("hctp",),
    ),
    Rule(
        "RET-820",
        "820.35, ISO 13485 4.2.5",
        "device quality and production records",
        (Term(("release",), lifetime="device_lifetime"), Term(("release",), 2)),
        note="The lifetime is the firm's own. Former 820.180(b) is gone.",
    ),
    Rule(
        "RET-820-doc",
        "ISO 13485 4.2.4",
        "obsolete controlled documents",
        (Term(("obsolescence",)),),
        note="And not less than any record made under it.",
    ),
    Rule(
        "RET-803",
        "803.18(c)",
        "MDR event file",
        (Term(("event",), 2), Term(("expected_life_end",))),
        where=("mdr_event",),
    ),
    Rule(
        "RET-806",
        "806.20(c)",
        "unreported correction or removal",
        (Term(("expected_life_end",), 2),),
        where=("correction_removal",),
    ),
    Rule("RET-821", "821.60", "tracking", (Term(("useful_life_end",)),), where=("tracked",)),
    Rule("RET-830", "830.360", "UDI list and records", (Term(("marketing_end",), 3),), where=("udi",)),
    Rule(
        "RET-111",
        "111.605(a)",
        "dietary supplements",
        (
            Term(("shelf_life",), 1, unless=("no_shelf_life",)),
            Term(("last_distribution",), 2, needs=("no_shelf_life",)),
        ),
    ),
    Rule("RET-117-a", "117.315(a)", "food safety records", (Term(("creation",), 2),)),
    Rule(
        "RET-117-b",
        "117.315(b)",
        "adequacy of equipment and processes",
        (Term(("use_discontinued",), 2),),
        where=("equipment_or_process",),
    ),
    Rule(
        "RET-58-1",
        "58.195(b)",
        "GLP documentation, raw data, specimens",
        _SHORTEST,
        "shortest",
        waits=_GLP_WAITS,
        note="Approval does not count where the study supports an IND or IDE; other rules still apply.",
    ),
    Rule(
        "RET-58-2",
        "58.195(c)",
        "wet specimens, fragile preparations",
        _SHORTEST,
        "shortest",
        waits=_GLP_WAITS,
        where=("wet_specimen",),
        note="While quality affords evaluation, never beyond 58.195(b): disposal needs an evaluation.",
    ),
    Rule(
        "RET-58-3",
        "58.195(d)-(f)",
        "schedule, protocols, inspections, training, maintenance",
        _SHORTEST,
        "shortest",
        waits=_GLP_WAITS,
        where=("glp_facility",),
    ),
    Rule("RET-312-s", "312.57(c)", "sponsor IND records", _IND),
    Rule("RET-312-i", "312.62(c)", "investigator records", _IND, where=("investigator",)),
    Rule(
        "RET-312-b",
        "312.57(d), 320.38",
        "reserve samples",
        (
            Term(("approval",), 5, unless=("not_approved",)),
            Term(("completion",), 5, needs=("not_approved",)),
        ),
        where=("reserve_sample",),
        note="Material, not records.",
    ),
    Rule(
        "RET-812",
        "812.140(d)",
        "IDE sponsor and investigator",
        (Term(("termination", "completion"), 2), Term(("application_support_ended",), 2)),
        where=("ide",),
    ),
    Rule(
        "RET-493",
        "42 CFR 493.1105",
        "clinical pathology",
        (
            Term(("report",), 10),
            Term(("histology_slide",), 10),
            Term(("cytology_slide",), 5),
            Term(("block",), 2),
            Term(("test",), 2),
            Term(("procedure_discontinued",), 2),
        ),
        "latest",
        note="Remnant tissue until diagnosis.",
    ),
    Rule(
        "RET-EU-b",
        "Dir. (EU) 2017/1572 Art. 9",
        "batch documentation",
        (Term(("expiry",), 1), Term(("certification",), 5)),
        where=("eu", "certification"),
    ),
    Rule(
        "RET-EU-imp",
        "Reg. (EU) 2017/1569 Art. 8",
        "investigational product batch documents",
        (Term(("last_trial_ended",), 5),),
        where=("imp",),
    ),
    Rule(
        "RET-EU-ma",
        "EU GMP ch. 4",
        "critical documents supporting the authorisation",
        (Term(("authorisation_end",)),),
        where=("supports_authorisation",),
    ),
    Rule(
        "RET-EU-ctr",
        "Reg. (EU) 536/2014 Art. 58",
        "trial master file",
        (Term(("trial_end",), 25),),
        where=("eu", "trial_end"),
    ),
    Rule(
        "RET-EU-mdr",
        "Reg. (EU) 2017/745 Art. 10(8)",
        "technical documentation",
        (
            Term(("last_placed_on_market",), 10, unless=("implantable",)),
            Term(("last_placed_on_market",), 15, needs=("implantable",)),
        ),
        where=("eu", "last_placed_on_market"),
    ),
    Rule(
        "RET-OECD",
        "OECD GLP Principles 10",
        "study records",
        (Term(("national_period_end",)),),
        where=("oecd",),
    ),
    Rule(
        "RET-1-S",
        "21 CFR 1.1455",
        "traceability records",
        (Term(("creation",), 0, 24),),
        where=("traceability",),
    ),
    Rule(
        "RET-FDC-582",
        "FD&C 582",
        "transaction information and statements",
        (Term(("transaction",), 6),),
    ),
    Rule(
        "RET-FDC-605",
        "FD&C 605",
        "cosmetic adverse event records",
        (
            Term(("report",), 6, unless=("small_business",)),
            Term(("report",), 3, needs=("small_business",)),
        ),
    ),
    Rule("RET-11", "11.10(e)", "trail and signatures", (Term(("system_retirement",)),)),
    Rule(
        "RET-E3",
        "11.10(e)",
        "what people did and signed",
        (Term(("employment_end",)), Term(("system_retirement",))),
        note="As long as any record the person made or signed.",
    ),
)
TABLE = MappingProxyType({row.id: row for row in _ROWS})

CLASSES = MappingProxyType(
    {
        "DRUG": ("RET-211-a", "RET-211-b", "RET-212", "RET-EU-b", "RET-EU-imp", "RET-EU-ma"),
        "SUPP": ("RET-111",),
        "DEVICE": ("RET-820", "RET-803", "RET-806", "RET-821", "RET-830", "RET-EU-mdr"),
        "GLP": ("RET-58-1", "RET-58-2", "RET-58-3", "RET-OECD"),
        "CLIN": ("RET-312-s", "RET-312-i", "RET-312-b", "RET-812", "RET-EU-ctr", "RET-EU-imp"),
        "FOOD": ("RET-117-a", "RET-117-b", "RET-1-S"),
        "DSCSA": ("RET-FDC-582",),
        "COSM": ("RET-FDC-605",),
        "BLOOD": ("RET-606", "RET-600", "RET-1271"),
        "PATH": ("RET-493",),
        "DOC": ("RET-820-doc", "RET-EU-ma"),
        "PERS": ("RET-E3",),
        "SYS": ("RET-11",),
    }
)
FOLLOWERS = frozenset({"DOC", "PERS", "SYS"})
"""Classes that last as long as other records do; they lengthen nobody else's period."""
ENGINE = frozenset(("RET-E1", "RET-E2", "RET-E3", "RET-E4", "RET-E5", "RET-E6", "RET-E7", "RET-E8"))
"""What the computation itself keeps: latest of all, open, inheritance, legal hold, words, calendar."""
