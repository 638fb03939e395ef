"""Algorithm: code or model, known by the hashes of its code and environment (DOMAIN 4.17).

Rules kept here: hashes are fixed from submission on; another hash is another version. Software that
changes itself while running cannot be declared.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import HASH
from coverslip.records.imaging._master import SETTLED, master_type

TYPE = master_type(
    name="algorithm",
    title="Algorithm",
    purpose="The code that computes results, its environment, and what it is fit for.",
    prefix="ALG",
    fields={
        "semver": w.Field(
            w.Text(40, 5, r"\d+\.\d+\.\d+(-[0-9a-z.]+)?"),
            "Software version",
            required=True,
            immutable_at=SETTLED,
        ),
        "kind": w.Field(
            w.Enum(("classical", "ml_model", "manual_protocol", "vendor")),
            "Kind",
            required=True,
            critical=True,
        ),
        "source": w.Field(w.Text(500), "Source (repository, commit)", required=True),
        "entry_point": w.Field(
            w.Text(200, 3, r"[A-Za-z0-9_.]+(:[A-Za-z0-9_.]+)?"),
            "Entry point",
            required=True,
            immutable_at=SETTLED,
        ),
        "code_hash": w.Field(HASH, "Hash of the code", required=True, immutable_at=SETTLED, critical=True),
        "env_digest": w.Field(
            HASH,
            "Hash of the environment",
            required=True,
            immutable_at=SETTLED,
            critical=True,
            help="Covers the packages the algorithm imports, not operating system and processor.",
        ),
        "model_weights": w.Field(w.File(), "Model weights", critical=True),
        "operating_limits": w.Field(w.Json(50_000), "Operating limits", required=True, critical=True),
        "intended_use": w.Field(w.Rich(10_000), "Intended use", required=True, critical=True),
        "performance": w.Field(
            w.Table(
                {
                    "metric": w.Column(w.Text(100)),
                    "value": w.Column(w.Decimal()),
                    "dataset": w.Column(w.Text(300)),
                    "interval": w.Column(w.Text(100), required=False),
                },
                max_rows=200,
            ),
            "Performance",
        ),
        "deterministic": w.Field(w.Bool(), "Same input, same output", required=True, critical=True),
        "gamp_category": w.Field(w.Enum(("3", "4", "5")), "GAMP category"),
        "licence": w.Field(w.Text(100), "Licence"),
        "validation_report": w.Field(w.File(), "Validation report"),
    },
    ready=(
        w.When(
            w.Compare(("kind",), "eq", "ml_model"),
            (w.Compare(("model_weights",), "present", message="A model names its weights."),),
        ),
    ),
    summary=("title", "semver", "kind"),
    predicate_rules=("21 CFR 11.10(a)", "21 CFR 211.68", "21 CFR 211.165(e)"),
    retention=w.Retention("SYS"),
)
