"""A study by the laboratory's procedure, under a director."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Nuclei after treatment",
        "kind": "release_assay",
        "director": w.number_of(w.person("SDR")),
        "objectives": "Count nuclei.",
        "protocol": w.row(w.any("document_sop")).label,
    },
    acts={"amend": lambda w, row: {"objectives": "Count nuclei and spots."}},
)
