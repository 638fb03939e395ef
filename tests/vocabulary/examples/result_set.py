"""The results of a run under way, delivered by the installation; an accepted run makes them final."""

from __future__ import annotations

from fix_world import Example, World


def _final(w: World) -> str:
    run = w.new("analysis_run", "accepted")
    return str(w.row(run).fields["results"]["number"])


EXAMPLE = Example(
    create=lambda w: w.lab.results_of(w.new("analysis_run", "running")),
    consequences={"finalise": _final},
)
