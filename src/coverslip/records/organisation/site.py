"""Site: legal and physical place (DOMAIN 3.1).

Rules kept here: a time zone is fixed once the site is active; where an FDA predicate applies, a site
is activated only after the 11.100(c) certification was sent; open systems are refused, because the
extra controls of 11.30 are not built.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._retention import CLASSES, EVENTS
from coverslip.records._shared import REGULATED, signing

SETTLED = ("active", "closed")
_PREDICATES = (
    "drug",
    "device",
    "supplement",
    "food",
    "cosmetic",
    "glp_lab",
    "clinical_lab",
    "biologic",
    "other",
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@rule("fda_certified", 1)
def fda_certified(inp: RuleInput) -> str | None:
    """Ask for a certification letter on its way where any row names the FDA (11.100(c))."""
    if all(row.get("authority") != "fda" for row in inp.fields.get("regulated_as", ())):
        return None
    if any(row.state in ("sent", "acknowledged_on_file") for row in inp.children["letters"]):
        return None
    name = inp.fields.get("name", "this site")
    return (
        f"No 11.100(c) certification is recorded for {name}; electronic signatures are not yet in use here."
    )


_CERTIFIED = w.Rule(
    "fda_certified",
    1,
    children={"letters": ((), "certification_letter", "sites")},
    message="An 11.100(c) certification is recorded.",
)
_CLOSED_SYSTEM = w.Compare(
    ("system_class",),
    "eq",
    "closed",
    message="An open system needs encryption in transit and digital signatures (11.30).",
)

TYPE = w.Type(
    name="site",
    title="Site",
    version=2,
    migration_note="Version 2: a site may keep records longer than the rules ask; an active site rests.",
    purpose="The place whose records, clock zone and regulations apply.",
    number=w.Number("SITE", 2),
    gxp=REGULATED,
    title_field="name",
    fields={
        "name": w.Field(w.Text(200), "Name", required=True),
        "code": w.Field(
            w.Text(4, 2, "[A-Z]{2,4}"), "Code", required=True, unique="type", immutable_at=SETTLED
        ),
        "address": w.Field(w.Rich(2000), "Address", required=True),
        "tz": w.Field(
            w.Text(60, 3, "[A-Za-z0-9_+/-]+"), "Time zone (IANA)", required=True, immutable_at=SETTLED
        ),
        "regulated_as": w.Field(
            w.Table(
                {
                    "authority": w.Column(w.Enum(("fda", "eu", "other"))),
                    "predicate": w.Column(w.Enum(_PREDICATES)),
                },
                max_rows=50,
            ),
            "Regulated as",
            required=True,
            critical=True,
        ),
        "system_class": w.Field(
            w.Enum(("closed", "open")), "System class (11.3(b))", default="closed", critical=True
        ),
        "time_source": w.Field(w.Text(200), "Time source", required=True),
        "signing_components": w.Field(
            w.Enum(("all_each_time", "secret_within_period")),
            "Components of later signatures",
            default="all_each_time",
            critical=True,
            help="Floor: the secret component. Default: user name and password for every signature.",
        ),
        "business_hours": w.Field(
            w.Table(
                {
                    "day": w.Column(w.Enum(_DAYS)),
                    "from_time": w.Column(w.Text(5, 5, "[0-2][0-9]:[0-5][0-9]")),
                    "to_time": w.Column(w.Text(5, 5, "[0-2][0-9]:[0-5][0-9]")),
                },
                max_rows=50,
            ),
            "Business hours",
        ),
        "longer_retention": w.Field(
            w.Table(
                {
                    "class": w.Column(w.Enum(CLASSES)),
                    "event": w.Column(w.Enum(("creation", *EVENTS))),
                    "years": w.Column(w.Int(0, 1000)),
                    "basis": w.Column(w.Text(200)),
                },
                max_rows=100,
            ),
            "Longer retention",
            critical=True,
            help="The site's own rules beside those of the law. The latest date counts, so none can shorten.",
        ),
        "holidays": w.Field(w.Date(), "Holidays", many=True),
        "fei": w.Field(w.Text(20), "FEI number"),
        "duns": w.Field(w.Text(20), "DUNS number"),
        "gln": w.Field(w.Text(13), "GLN"),
    },
    states=(
        w.State("planned"),
        w.State("active", resting=True),
        w.State("closed", terminal=True, locked=True),
    ),
    create=w.Making(("ADM",), "planned"),
    edit=w.Editing(("ADM",), ("planned",)),
    persons={"proposer": w.Actor("create"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "activate",
            "Activate",
            ("planned",),
            "active",
            ("QA",),
            requires=(_CERTIFIED, _CLOSED_SYSTEM),
            signature=signing(
                "approved",
                "I approve that regulated work starts at this site.",
                ("QA",),
                ("proposer", "editors"),
            ),
        ),
        w.Transition(
            "amend",
            "Change settings",
            ("active",),
            "",
            ("QA",),
            fields=(
                "name",
                "address",
                "regulated_as",
                "system_class",
                "time_source",
                "business_hours",
                "longer_retention",
                "holidays",
                "fei",
                "duns",
                "gln",
            ),
            requires=(_CERTIFIED, _CLOSED_SYSTEM),
            signature=signing(
                "accepted_responsibility", "I answer for this change of the site's settings.", ("QA",)
            ),
            reason=w.Reason(),
            touches=True,
        ),
        w.Transition(
            "close",
            "Close",
            ("active",),
            "closed",
            ("QA",),
            signature=signing("closed", "I close this site; its records stay.", ("QA",)),
            reason=w.Reason(),
        ),
    ),
    provides=(
        w.NeedsCertification(("planned", "active", "closed"), "regulated_as", "authority", "fda"),
        w.SigningSeries(("active",), "signing_components", "secret_within_period"),
    ),
    retention=w.Retention("SYS"),
    summary=("code", "tz", "system_class"),
    predicate_rules=("21 CFR 11.10(e)", "21 CFR 11.30"),
)
