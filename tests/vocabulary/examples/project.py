"""A project of one sponsor, with one member."""

from __future__ import annotations

from fix_world import Example, World


def _members(w: World) -> list[dict[str, str]]:
    return [{"person": w.number_of(w.person("ANL")), "role": "analyst"}]


EXAMPLE = Example(
    create=lambda w: {"name": "Nuclei", "sponsor": "Our own", "confidentiality": "open"},
    acts={"activate": lambda w, row: {"members": _members(w)}},
    breaks={
        "close": {"is reported or ended": lambda w, row: w.new("study", project=row.number)},
        "archive": {"is archived or ended": lambda w, row: w.new("study", project=row.number)},
    },
)
