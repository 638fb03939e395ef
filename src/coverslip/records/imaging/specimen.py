"""Specimen: the thing examined, and who held it from arrival to disposal (DOMAIN 4.8).

Rules kept here: a specimen is received only under the label that is expected; every hand-over is
accepted by its receiver and stays in the chain; what is taken as an aliquot is taken from its parent
in the same act and never more than there is; one that expired, is quarantined or rejected is not used;
two people dispose of it.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, sandbox, signing, void
from coverslip.records.imaging import _specimen_rules as _specimen_rules

_HELD = ("received", "in_storage", "in_use")
_ONCE_RECEIVED = (*_HELD, "quarantined", "disposing", "consumed", "disposed", "returned", "rejected")
_HANDLERS = ("WHS", "OPR", "ANL")
_KINDS = (
    "tissue",
    "cells",
    "swab",
    "device_surface",
    "drug_product",
    "particulate",
    "control",
    "blank",
    "reference",
    "other",
)
UNEXPIRED = w.When(
    w.Compare(("expires",), "present"), (w.InDate(("expires",), "Specimen expired {date}.", "VAL_RANGE"),)
)
_NOT_OFFERED = w.Compare(
    ("handover",), "ne", "offered", message="The hand-over that is under way is accepted or withdrawn first."
)
_OFFERED = w.Compare(("handover",), "eq", "offered", message="The specimen is being handed over.")
_NOT_STATED = "not_stated"
_CUSTODY = w.Table(
    {
        "giver": w.Column(w.Link(("user",), "none"), required=False),
        "receiver": w.Column(w.Link(("user",), "none")),
        "place": w.Column(w.Text(200)),
        "condition": w.Column(w.Text(30)),
        "at": w.Column(w.Instant()),
        "temperature": w.Column(w.Quantity("Cel", "-273.15", "200"), required=False),
        "temperature_log": w.Column(w.File(), required=False),
    },
    max_rows=2000,
)
_STORAGE = w.Table(
    {
        "location": w.Column(w.Text(200)),
        "temperature": w.Column(w.Text(100), required=False),
        "since": w.Column(w.Instant()),
        "by": w.Column(w.Link(("user",), "none")),
    },
    max_rows=2000,
)
_INHERITED = ("kind", "study", "unit", "expires", "hazard", "collected_at", "source")


def _path(name: str) -> w.Value:
    return w.Value("path", path=(name,))


_ALIQUOT = w.Create(
    "specimen",
    "aliquot_of",
    {name: _path(name) for name in _INHERITED}
    | {"title": _path("aliquot_title"), "quantity": _path("aliquot_quantity"), "custodian": w.Value("actor")},
)
_CHAIN = {
    "receiver": w.Value("actor"),
    "place": _path("place"),
    "condition": _path("condition_at_handover"),
    "at": w.Value("now"),
    "temperature_log": _path("temperature_log"),
}
_FIELDS = {
    "title": w.Field(w.Text(300), "What it is", required=True),
    "external_id": w.Field(
        w.Text(100), "Label it comes with", unique="type", immutable_at=_ONCE_RECEIVED, critical=True
    ),
    "kind": w.Field(w.Enum(_KINDS), "Kind", required=True, immutable_at=_ONCE_RECEIVED, critical=True),
    "study": w.Field(w.Link(("study",), "none"), "Study", immutable_at=_ONCE_RECEIVED, critical=True),
    "source": w.Field(w.Text(300), "Taken from (lot, subject)", critical=True),
    "collected_at": w.Field(w.Instant(), "Collected", critical=True),
    "quantity": w.Field(
        w.Decimal("0"),
        "Quantity",
        immutable_at=_ONCE_RECEIVED,
        critical=True,
        help="What is there now; aliquots are taken from it.",
    ),
    "unit": w.Field(w.Text(30), "Unit", immutable_at=_ONCE_RECEIVED),
    "expires": w.Field(w.Date(), "Expires", critical=True),
    "keep_until": w.Field(
        w.Date(),
        "Kept until",
        required_at=("disposing",),
        critical=True,
        help="Nobody disposes of it before: reserve and retention samples included.",
    ),
    "hazard": w.Field(w.Text(300), "Hazard"),
    "consent_reference": w.Field(w.Text(200), "Consent", sensitive=True),
    "pooled_from": w.Field(
        w.Link(("specimen",), "version"), "Pooled from", many=True, immutable_at=_ONCE_RECEIVED
    ),
    "aliquot_of": w.Field(
        w.Link(("specimen",), "version"),
        "Aliquot of",
        source="computed",
        critical=True,
        help="Set when the aliquot is taken, from the parent.",
    ),
    "scanned_label": w.Field(w.Text(200), "Label scanned", critical=True),
    "condition": w.Field(
        w.Enum(("ok", "compromised")), "Condition at receipt", required_at=("received",), critical=True
    ),
    "condition_note": w.Field(w.Rich(5000), "What was seen at receipt"),
    "temperature_at_receipt": w.Field(
        w.Quantity("Cel", "-273.15", "200"),
        "Temperature at receipt (°C)",
        critical=True,
        help="As measured when it came; leave empty where it was not measured.",
    ),
    "custodian": w.Field(w.Link(("user",), "none"), "Held by", source="computed", critical=True),
    "custody": w.Field(_CUSTODY, "Chain of custody", source="computed", critical=True),
    "storage": w.Field(_STORAGE, "Storage", source="computed"),
    "location": w.Field(w.Text(200), "Location"),
    "temperature": w.Field(w.Text(100), "Temperature range"),
    "handover": w.Field(
        w.Enum(("none", "offered")), "Hand-over", default="none", source="computed", critical=True
    ),
    "receiver": w.Field(w.Link(("user",), "none"), "Receiver"),
    "place": w.Field(w.Text(200), "Place of hand-over"),
    "condition_at_handover": w.Field(
        w.Enum((_NOT_STATED, "ok", "compromised")), "Condition at hand-over", default=_NOT_STATED
    ),
    "temperature_log": w.Field(w.File(), "Temperature log"),
    "taken": w.Field(w.Decimal("0"), "Quantity taken", critical=True),
    "aliquot_quantity": w.Field(w.Decimal("0"), "Quantity of the last aliquot", source="computed"),
    "aliquot_title": w.Field(w.Text(300), "Name of the aliquot"),
    "disposal_manner": w.Field(w.Text(500, 3), "Manner of disposal", required_at=("disposing",)),
}
_RECEIVE = w.Transition(
    "receive",
    "Receive",
    ("registered",),
    "received",
    _HANDLERS,
    fields=(
        "scanned_label",
        "condition",
        "condition_note",
        "temperature_at_receipt",
        "location",
        "quantity",
        "unit",
    ),
    requires=(w.Rule("label_matches", 1, message="The label is the one expected."), UNEXPIRED),
    effects=(
        w.Set("custodian", w.Value("actor")),
        w.Append(
            "custody",
            {
                "receiver": w.Value("actor"),
                "place": _path("location"),
                "condition": _path("condition"),
                "temperature": _path("temperature_at_receipt"),
                "at": w.Value("now"),
            },
        ),
    ),
)
_CUSTODY_ACTS = (
    w.Transition(
        "hand_over",
        "Hand over",
        _HELD,
        "",
        ("QA",),
        persons=("custodian",),
        fields=("receiver", "place", "temperature_log"),
        requires=(
            _NOT_OFFERED,
            w.Compare(("place",), "present", message="The place is named."),
            w.Rule("receiver_is_another", 1, message="The receiver is somebody else."),
        ),
        effects=(w.Set("handover", w.Value("literal", "offered")),),
    ),
    w.Transition(
        "accept_custody",
        "Accept hand-over",
        _HELD,
        "",
        persons=("receiver",),
        fields=("condition_at_handover",),
        requires=(
            _OFFERED,
            w.Compare(
                ("condition_at_handover",), "ne", _NOT_STATED, message="The receiver states the condition."
            ),
        ),
        effects=(
            w.Append("custody", {"giver": _path("custodian"), **_CHAIN}),
            w.Set("custodian", w.Value("actor")),
            w.Set("handover", w.Value("literal", "none")),
            w.Set("condition_at_handover", w.Value("literal", _NOT_STATED)),
        ),
    ),
    w.Transition(
        "withdraw_handover",
        "Withdraw hand-over",
        _HELD,
        "",
        ("QA",),
        persons=("custodian", "receiver"),
        requires=(_OFFERED,),
        effects=(w.Set("handover", w.Value("literal", "none")),),
        reason=w.Reason(),
        aside=True,
    ),
)
_USE = (
    w.Transition(
        "store",
        "Put into storage",
        ("received", "in_use"),
        "in_storage",
        _HANDLERS,
        fields=("location", "temperature"),
        requires=(
            _NOT_OFFERED,
            w.Compare(("location",), "present", message="The storage location is named."),
        ),
        effects=(
            w.Append(
                "storage",
                {
                    "location": _path("location"),
                    "temperature": _path("temperature"),
                    "since": w.Value("now"),
                    "by": w.Value("actor"),
                },
            ),
        ),
    ),
    w.Transition(
        "take_out",
        "Take out for use",
        ("received", "in_storage"),
        "in_use",
        _HANDLERS,
        requires=(_NOT_OFFERED, UNEXPIRED),
    ),
    w.Transition(
        "take_aliquot",
        "Take an aliquot",
        _HELD,
        "",
        _HANDLERS,
        fields=("taken", "aliquot_title"),
        requires=(
            _NOT_OFFERED,
            UNEXPIRED,
            w.Compare(("aliquot_title",), "present", message="The aliquot has a name."),
            w.Rule("quantity_suffices", 1, message="There is enough."),
        ),
        effects=(
            w.Compute("quantity", w.Rule("quantity_left", 1, message="What is left.")),
            w.Set("aliquot_quantity", _path("taken")),
            w.Set("taken", w.Value("literal", "0")),
            _ALIQUOT,
        ),
    ),
    w.Transition(
        "consume",
        "Record as used up",
        ("in_use",),
        "consumed",
        ("OPR", "ANL"),
        requires=(_NOT_OFFERED,),
        signature=signing("executed", "I used this specimen up.", ("OPR", "ANL")),
    ),
    w.Transition(
        "return_to_owner",
        "Return to its owner",
        ("received", "in_storage"),
        "returned",
        ("WHS",),
        fields=("place",),
        requires=(_NOT_OFFERED, w.Compare(("place",), "present", message="It is said where it went.")),
        signature=signing("executed", "I returned this specimen.", ("WHS",)),
        reason=w.Reason(),
    ),
)
_QUALITY = (
    w.Transition(
        "quarantine",
        "Quarantine",
        ("registered", *_HELD),
        "quarantined",
        (*_HANDLERS, "QA"),
        reason=w.Reason(),
        stops=True,
        aside=True,
    ),
    w.Transition(
        "release",
        "Release from quarantine",
        ("quarantined",),
        "in_storage",
        ("QA",),
        requires=(w.Compare(("condition",), "present", message="The specimen was received."),),
        signature=signing("released", "I release this specimen from quarantine.", ("QA",), ("quarantiner",)),
        reason=w.Reason(),
    ),
    w.Transition(
        "reject",
        "Reject",
        ("registered", "received", "quarantined"),
        "rejected",
        ("QA",),
        signature=signing("rejected", "This specimen is not used.", ("QA",)),
        reason=w.Reason(20),
        aside=True,
    ),
    w.Transition(
        "dispose",
        "Dispose of",
        ("received", "in_storage", "in_use", "quarantined"),
        "disposing",
        ("WHS", "OPR"),
        fields=("disposal_manner", "keep_until"),
        requires=(
            _NOT_OFFERED,
            w.Reached(("keep_until",), "The specimen must be kept until {date}.", "RETENTION"),
        ),
        signature=signing("executed", "I disposed of this specimen as stated.", ("WHS", "OPR")),
        reason=w.Reason(),
    ),
    w.Transition(
        "witness_disposal",
        "Witness disposal",
        ("disposing",),
        "disposed",
        ("WHS", "OPR", "ANL", "QA"),
        signature=signing(
            "witnessed",
            "I saw this specimen disposed of.",
            ("WHS", "OPR", "ANL", "QA"),
            ("disposer",),
        ),
    ),
    w.Transition(
        "stop_disposal",
        "Stop disposal",
        ("disposing",),
        "quarantined",
        ("QA", "WHS"),
        reason=w.Reason(),
        clears=("executed",),
        aside=True,
    ),
)

TYPE = w.Type(
    name="specimen",
    title="Specimen",
    version=1,
    purpose="What is examined: its identity, quantity, storage and chain of custody.",
    number=w.Number("SMP", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields=_FIELDS,
    states=(
        w.State("registered"),
        w.State("received"),
        w.State("in_storage", resting=True),
        w.State("in_use", resting=True),
        w.State("quarantined"),
        w.State("disposing"),
        w.State("consumed", terminal=True, locked=True),
        w.State("disposed", terminal=True, locked=True),
        w.State("returned", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making((*_HANDLERS, "SDR"), "registered"),
    edit=w.Editing((*_HANDLERS, "SDR"), ("registered", "received", "in_storage")),
    persons={
        "custodian": w.PersonAt(("custodian",)),
        "receiver": w.PersonAt(("receiver",)),
        "disposer": w.Actor("dispose"),
        "quarantiner": w.Actor("quarantine"),
        "editors": w.Touched(),
    },
    transitions=(_RECEIVE, *_CUSTODY_ACTS, *_USE, *_QUALITY, void(("registered",))),
    retention=w.Retention(longest_of=("study",)),
    summary=("title", "kind", "study", "quantity", "custodian"),
    predicate_rules=("21 CFR 58.105", "21 CFR 58.107", "21 CFR 58.113", "21 CFR 211.170", "21 CFR 211.194"),
    sandbox=sandbox("study"),
    due="expires",
)
