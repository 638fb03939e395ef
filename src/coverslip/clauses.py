"""The clauses of 21 CFR Part 11 that rules, errors and tests of Coverslip cite by a stable id.

Rules kept here:

* An id is never renumbered and never reused. ``P11-10-e`` is the control for 11.10(e);
  ``P11-10-e.3`` is the third acceptance criterion of that control and exists if the control does.
* A citation is to the Code of Federal Regulations; titles paraphrase, the controlling text is the CFR.
* ``verified`` says whether the paraphrase was checked against a copy of the public text.
* No clause makes a system fit for an inspection by being listed here: a deployment meets a clause, with its
  procedures, its people and its evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

ControlClass = Literal["TECH", "PROC", "BOTH"]
"""TECH: software must enforce it. PROC: a procedure does, software keeps the record. BOTH: both."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One control: its id, what it asks in a few words, where it stands, and who must do it."""

    rule_id: str
    title: str
    citation: str
    control: ControlClass
    verified: bool = True


def _clauses(control: ControlClass, *rows: tuple[str, str, str]) -> tuple[Clause, ...]:
    return tuple(Clause(rule_id, title, f"21 CFR {section}", control) for rule_id, section, title in rows)


_EXCLUDED_LETTERS = "fghijklmnop"

_ALL = (
    # --- Subpart A: general provisions ---------------------------------------------------------------
    *_clauses(
        "BOTH",
        ("P11-1-a", "11.1(a)", "purpose: records trustworthy, reliable, equivalent to paper"),
        ("P11-1-b", "11.1(b)", "scope: every record a regulation asks for, in electronic form"),
        ("P11-1-c", "11.1(c)", "signatures equivalent to handwritten ones"),
        ("P11-1-e", "11.1(e)", "the system itself is open to inspection"),
    ),
    *_clauses("PROC", ("P11-1-d", "11.1(d)", "electronic records in place of paper")),
    *_clauses("PROC", *((f"P11-1-{x}", f"11.1({x})", "records excluded") for x in _EXCLUDED_LETTERS)),
    *_clauses(
        "PROC",
        ("P11-2-a", "11.2(a)", "records kept and not submitted"),
        ("P11-2-b", "11.2(b)", "records submitted to the agency"),
    ),
    *_clauses("TECH", ("P11-3", "11.3", "definitions")),
    # --- Subpart B: electronic records ---------------------------------------------------------------
    *_clauses(
        "BOTH",
        ("P11-10", "11.10", "authenticity, integrity, confidentiality; not readily repudiated"),
        ("P11-10-a", "11.10(a)", "validation; altered and invalid records can be discerned"),
        ("P11-10-c", "11.10(c)", "protection and ready retrieval for the whole retention period"),
        ("P11-10-d", "11.10(d)", "access limited to authorised people"),
        ("P11-10-h", "11.10(h)", "device checks on the source of data and instructions"),
        ("P11-10-k", "11.10(k)", "control of system documentation"),
        ("P11-30", "11.30", "controls for open systems"),
    ),
    *_clauses(
        "TECH",
        ("P11-10-b", "11.10(b)", "accurate and complete copies, readable by people and by machines"),
        ("P11-10-e", "11.10(e)", "secure, computer-generated, time-stamped audit trail"),
        ("P11-10-f", "11.10(f)", "operational checks of the permitted sequence"),
        ("P11-10-g", "11.10(g)", "authority checks"),
        ("P11-50-a1", "11.50(a)(1)", "printed name of the signer"),
        ("P11-50-a2", "11.50(a)(2)", "date and time of the signature"),
        ("P11-50-a3", "11.50(a)(3)", "meaning of the signature"),
        ("P11-50-b", "11.50(b)", "signature manifestation wherever the record is shown or printed"),
        ("P11-70", "11.70", "signature linked to its record"),
    ),
    *_clauses(
        "PROC",
        ("P11-10-i", "11.10(i)", "education, training and experience"),
        ("P11-10-j", "11.10(j)", "written policy of accountability for signatures"),
    ),
    # --- Subpart C: electronic signatures ------------------------------------------------------------
    *_clauses(
        "TECH",
        ("P11-100-a", "11.100(a)", "a signature is unique to one person and never reused"),
        ("P11-200-a1", "11.200(a)(1)", "two distinct identification components"),
        ("P11-200-a1i", "11.200(a)(1)(i)", "series of signings in one continuous period"),
        ("P11-200-a1ii", "11.200(a)(1)(ii)", "signings outside one continuous period"),
        ("P11-200-a3", "11.200(a)(3)", "use by another needs the collaboration of two people"),
        ("P11-200-b", "11.200(b)", "biometric signatures"),
        ("P11-300-a", "11.300(a)", "combination of identifier and password is unique"),
        ("P11-300-d", "11.300(d)", "safeguards, detection and immediate reporting of attempts"),
    ),
    *_clauses(
        "PROC",
        ("P11-100-b", "11.100(b)", "identity verified before a signature is established"),
        ("P11-100-c", "11.100(c)", "certification to the agency that signatures are binding"),
        ("P11-300-e", "11.300(e)", "testing of tokens and cards"),
    ),
    *_clauses(
        "BOTH",
        ("P11-200-a2", "11.200(a)(2)", "used only by the genuine owner"),
        ("P11-300", "11.300", "security and integrity of identifiers and passwords"),
        ("P11-300-b", "11.300(b)", "issuance periodically checked, recalled or revised"),
        ("P11-300-c", "11.300(c)", "loss management"),
    ),
)

CATALOGUE: MappingProxyType[str, Clause] = MappingProxyType({clause.rule_id: clause for clause in _ALL})
"""All controls by id, in the order of the regulation's subparts."""

RULE_ID = re.compile(r"P11-\d+(?:-[a-z]\d?(?:i{1,3})?)?(?:\.[1-9]\d?)?")
"""What an id looks like: a control, or a control followed by a dot and the number of a criterion."""


def control_of(rule_id: str) -> Clause:
    """Return the control behind ``rule_id``, which names a control or one of its criteria.

    Raises ``KeyError`` where the id has another form or its control is not catalogued.
    """
    if RULE_ID.fullmatch(rule_id) is None:
        raise KeyError(rule_id)
    return CATALOGUE[rule_id.partition(".")[0]]


def known(rule_id: str) -> bool:
    """Say whether ``rule_id`` names a catalogued control or a criterion of one."""
    return RULE_ID.fullmatch(rule_id) is not None and rule_id.partition(".")[0] in CATALOGUE
