"""Supplier of material, services, calibration or computing (DOMAIN 8.13).

Rules kept here: a supplier is approved, restricted and disapproved by the signed decision on its
qualification and by nothing else; quality may suspend it at any time.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, signing, void

USABLE = ("approved", "conditional")
_LIVE = ("proposed", "assessing", "approved", "conditional", "suspended", "disapproved")


def usable_supplier(*path: str) -> w.InState:
    """Return the guard "the supplier at ``path``, where one is named, may be used"."""
    return w.InState(path, USABLE, "{number} is an approved supplier (it is {state}).", True, "HOLD")


def _decided(name: str, label: str, to: str) -> w.Transition:
    """Return an act that only the decision on a qualification brings about."""
    return w.Transition(name, label, tuple(s for s in _LIVE if s != to), to, consequence=True)


TYPE = w.Type(
    name="supplier",
    title="Supplier",
    version=1,
    purpose="Who delivers what matters, and whether they may.",
    number=w.Number("SUP"),
    gxp=REGULATED,
    title_field="name",
    fields={
        "name": w.Field(w.Text(300), "Name", required=True, unique="type"),
        "kind": w.Field(
            w.Enum(
                ("material", "service", "calibration", "cloud_it", "contract_lab", "contract_manufacturer")
            ),
            "Kind",
            required=True,
            critical=True,
        ),
        "sites": w.Field(
            w.Text(500), "Sites", required=True, many=True, help="Each place that delivers to you."
        ),
        "contact": w.Field(w.Text(300), "Person to talk to", personal=True),
        "deliveries": w.Field(w.Text(1000), "What they deliver"),
    },
    states=(
        w.State("proposed"),
        w.State("assessing"),
        w.State("approved", resting=True),
        w.State("conditional"),
        w.State("suspended", resting=True),
        w.State("disapproved", resting=True),
        w.State("retired", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("PUR", "ENG", "QA"), "proposed"),
    edit=w.Editing(("PUR",), _LIVE),
    persons={"proposer": w.Actor("create")},
    transitions=(
        w.Transition(
            "assess", "Assess", ("proposed", "suspended", "disapproved"), "assessing", ("PUR", "QA")
        ),
        _decided("approve", "Approve", "approved"),
        _decided("restrict", "Restrict", "conditional"),
        _decided("disapprove", "Disapprove", "disapproved"),
        _decided("lapse", "Suspend as its condition ran out", "suspended"),
        w.Transition(
            "suspend",
            "Suspend",
            USABLE,
            "suspended",
            ("QA",),
            signature=signing(
                "rejected", "Nothing is taken from this supplier until it is assessed.", ("QA",)
            ),
            reason=w.Reason(20),
            aside=True,
        ),
        w.Transition(
            "retire",
            "Retire",
            _LIVE,
            "retired",
            ("QA",),
            signature=signing("closed", "This supplier is not used any more.", ("QA",)),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("proposed", "assessing")),
    ),
    retention=w.Retention("DOC"),
    summary=("name", "kind"),
    predicate_rules=("ISO 13485 7.4.1", "21 CFR 211.84(d)(2)", "21 CFR 211.80", "EU GMP Annex 11 §3"),
)
