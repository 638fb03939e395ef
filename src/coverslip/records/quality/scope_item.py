"""Scope item: a system or a kind of record, the rules that ask for it, and what follows (DOMAIN 8.21).

Rules kept here (P11-1-b): whether Part 11 and Annex 11 apply is computed from the rules named, with its
reason; what a rule names is taken out of scope by quality with a reason only; a changed scope is a new
decision of quality, and what was made before keeps the scope of its time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_EXEMPT_PARTS = {"112": "11.1(k)", "117": "11.1(i)", "121": "11.1(o)", "507": "11.1(j)"}
"""Parts of 21 CFR whose records Part 11 leaves out, and the paragraph that says so."""
_EXEMPT_SECTIONS = (
    ("1", 326, 368, "11.1(f)"),
    ("1", 500, 514, "11.1(l)"),
    ("1", 600, 695, "11.1(m)"),
    ("1", 900, 934, "11.1(n)"),
    ("1", 1101, 1201, "11.1(p)"),
    ("101", 8, 8, "11.1(h)"),
    ("101", 11, 11, "11.1(g)"),
)
"""Part, first and last section of the subparts that it leaves out."""
_FDA = re.compile(r"21 CFR (\d+)(?:\.(\d+))?")
_ITSELF = "21 CFR 11."
_EU = ("EU GMP", "ANNEX 11", "EUDRALEX", "DIR. (EU)", "REG. (EU)", "2003/94", "2017/1572", "2017/1569")


def part11_exemption(citation: str) -> str | None:
    """Return the paragraph of 11.1 that leaves records of ``citation`` out, or ``None`` where none does."""
    found = _FDA.match(citation)
    if found is None:
        return None
    part, section = found[1], int(found[2] or 0)
    listed = (why for p, first, last, why in _EXEMPT_SECTIONS if p == part and first <= section <= last)
    return _EXEMPT_PARTS.get(part) or next(listed, None)


def part11(rules: Iterable[str], fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return whether Part 11 applies (``applies``, ``exempt``, ``not_required``, ``paper``) and why."""
    rules = list(rules)
    named = [r for r in rules if _FDA.match(r) and not r.startswith(_ITSELF)]
    in_scope = [r for r in named if part11_exemption(r) is None]
    if fields.get("predominant_copy") == "paper" and not fields.get("used_electronically"):
        return "paper", "The paper copy is the record and the electronic one is not relied upon."
    if in_scope:
        return "applies", f"Required by {', '.join(in_scope)} and kept electronically."
    if fields.get("submitted_to_fda"):
        return "applies", "Submitted to FDA under the Act although no regulation names it (11.1(b))."
    controls = [r for r in rules if r.startswith(_ITSELF)]
    if controls:
        return "applies", f"Kept as a control that Part 11 itself asks for ({', '.join(controls)})."
    if named:
        why = ", ".join(f"{r} by {part11_exemption(r)}" for r in named)
        return "exempt", f"Part 11 exempt ({why}); controls applied by policy."
    return "not_required", "No FDA rule is named: not a required record; it gets the same trail."


def annex11(rules: Iterable[str], fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return whether EU GMP Annex 11 applies (``applies``, ``does_not_apply``) and why."""
    named = [r for r in rules if any(mark in r.upper() for mark in _EU)]
    if named:
        return "applies", f"Named by {', '.join(named)}."
    if fields.get("kind") == "system" and fields.get("eu_gmp"):
        return "applies", "A computerised system used as part of activities under EU GMP."
    return "does_not_apply", "No EU GMP rule is named and it serves no activity under EU GMP."


def _rules(inp: RuleInput) -> list[str]:
    return [str(r) for r in inp.fields.get("predicate_rules") or ()]


@rule("part11_decision", 1)
def part11_decision(inp: RuleInput) -> str:
    """Return whether Part 11 applies."""
    return part11(_rules(inp), inp.fields)[0]


@rule("part11_reason", 1)
def part11_reason(inp: RuleInput) -> str:
    """Return why Part 11 applies or not."""
    return part11(_rules(inp), inp.fields)[1][:1000]


@rule("annex11_decision", 1)
def annex11_decision(inp: RuleInput) -> str:
    """Return whether Annex 11 applies."""
    return annex11(_rules(inp), inp.fields)[0]


@rule("annex11_reason", 1)
def annex11_reason(inp: RuleInput) -> str:
    """Return why Annex 11 applies or not."""
    return annex11(_rules(inp), inp.fields)[1][:1000]


@rule("rule_named_if_required", 1)
def rule_named_if_required(inp: RuleInput) -> str | None:
    """Ask that "required by a rule" and the rules named say the same."""
    named = bool(_rules(inp))
    if named == bool(inp.fields.get("required_by_rule")):
        return None
    if named:
        return "A rule is named, so the item is required by a rule; take the rule away or say so."
    return "The item is required by a rule, so the rule is named."


_EXCLUDED = w.When(
    w.Compare(("predicate_rules",), "present"),
    (
        w.Compare(
            ("out_of_scope_because",),
            "present",
            message="Say why. A rule is named, so out of scope needs a reason that stays on the record.",
            code="REASON",
        ),
    ),
)
_CONSISTENT = w.Rule("rule_named_if_required", 1, message="The rules named and the answer say the same.")
_DECIDE = tuple(
    w.Compute(name, w.Rule(name if name.endswith("reason") else f"{name}_decision", 1))
    for name in ("part11", "part11_reason", "annex11", "annex11_reason")
)
_FIXED = ("assessed", "in_scope", "out_of_scope", "retired", "voided")
_OWNERS = ("QA", "ENG", "SEC", "ADM")


def _asked(kind: w.Kind, label: str, *, required: bool = True, many: bool = False, help: str = "") -> w.Field:
    return w.Field(kind, label, help, required=required, many=many, immutable_at=_FIXED, critical=True)


def _computed(kind: w.Kind, label: str) -> w.Field:
    return w.Field(kind, label, source="computed", critical=True)


TYPE = w.Type(
    name="scope_item",
    title="Scope item",
    version=1,
    purpose="A system or kind of record: which rules ask for it, and which controls follow.",
    number=w.Number("SCO"),
    gxp=REGULATED,
    title_field="name",
    fields={
        "kind": _asked(w.Enum(("system", "record_type", "signature")), "Kind"),
        "name": w.Field(w.Text(300), "Name", required=True, unique="type", immutable_at=_FIXED),
        "record_type": _asked(
            w.Text(60, 2, "[a-z][a-z0-9_]*"),
            "Record type here",
            required=False,
            help="As the record types of this installation are called, such as calibration.",
        ),
        "signature_point": _asked(
            w.Text(200), "Signature", required=False, help="Which act is signed, and which rule asks for it."
        ),
        "predicate_rules": _asked(
            w.Text(100), "Rules that ask for it", required=False, many=True, help="Such as 21 CFR 211.68."
        ),
        "required_by_rule": _asked(w.Bool(), "Required by a rule"),
        "used_electronically": _asked(w.Bool(), "Used electronically"),
        "submitted_to_fda": _asked(w.Bool(), "Submitted to FDA", required=False),
        "eu_gmp": _asked(w.Bool(), "Used under EU GMP", required=False),
        "predominant_copy": _asked(w.Enum(("electronic", "paper", "hybrid")), "The record is"),
        "gamp_category": _asked(w.Enum(("1", "3", "4", "5")), "GAMP category", required=False),
        "risk": _asked(w.Enum(("H", "M", "L")), "Risk"),
        "owner": w.Field(w.Link(("user",), "none"), "Owner", required=True),
        "validated_status": w.Field(
            w.Enum(("validated", "in_validation", "not_validated", "not_needed")), "Validation"
        ),
        "system_class": _asked(w.Enum(("closed", "open")), "Closed or open system", required=False),
        "supplier": w.Field(w.Link(("supplier",), "none"), "Supplier"),
        "part11": _computed(w.Enum(("applies", "exempt", "not_required", "paper")), "21 CFR Part 11"),
        "part11_reason": _computed(w.Text(1000), "Why"),
        "annex11": _computed(w.Enum(("applies", "does_not_apply")), "EU GMP Annex 11"),
        "annex11_reason": _computed(w.Text(1000), "Why"),
        "out_of_scope_because": w.Field(w.Text(2000, 10), "Out of scope because", critical=True),
        "decided_on": w.Field(w.Date(), "Scope decided on", source="computed"),
    },
    states=(
        w.State("identified"),
        w.State("assessed"),
        w.State("in_scope", locked=True, resting=True),
        w.State("out_of_scope", locked=True, resting=True),
        w.State("retired", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(_OWNERS, "identified"),
    edit=w.Editing(_OWNERS, ("identified",)),
    persons={"assessor": w.Actor("assess"), "editors": w.Touched(), "author": w.Actor("create")},
    transitions=(
        w.Transition(
            "assess",
            "Assess",
            ("identified",),
            "assessed",
            ("QA", "ENG", "SEC"),
            requires=(_CONSISTENT,),
            effects=_DECIDE,
        ),
        w.Transition("return", "Send back", ("assessed",), "identified", ("QA",), reason=w.Reason()),
        w.Transition(
            "include",
            "Take into scope",
            ("assessed",),
            "in_scope",
            ("QA",),
            requires=(_CONSISTENT,),
            effects=(w.Set("decided_on", w.Value("today")),),
            signature=signing(
                "approved",
                "I decide that this is in scope, as computed from the rules named.",
                ("QA",),
                ("assessor", "author", "editors"),
            ),
        ),
        w.Transition(
            "exclude",
            "Leave out of scope",
            ("assessed",),
            "out_of_scope",
            ("QA",),
            fields=("out_of_scope_because",),
            requires=(_EXCLUDED,),
            effects=(w.Set("decided_on", w.Value("today")),),
            signature=signing(
                "approved",
                "I decide that this is out of scope, for the reason given.",
                ("QA",),
                ("assessor", "author", "editors"),
            ),
            reason=w.Reason(20),
        ),
        w.Transition(
            "change_scope",
            "Change the scope",
            ("in_scope", "out_of_scope"),
            "identified",
            ("QA",),
            signature=signing(
                "accepted_responsibility",
                "The scope is decided anew; what was made before keeps the scope of its time.",
                ("QA",),
            ),
            reason=w.Reason(20),
            clears=("approved",),
        ),
        w.Transition(
            "retire",
            "Retire",
            ("in_scope", "out_of_scope"),
            "retired",
            ("QA",),
            signature=signing("closed", "This is not in use any more; its records are kept.", ("QA",)),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("identified", "assessed")),
    ),
    retention=w.Retention("SYS"),
    summary=("name", "kind", "risk", "part11", "annex11"),
    predicate_rules=("21 CFR 11.1(b)", "EU GMP Annex 11 §4.3"),
)
