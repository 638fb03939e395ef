"""A planned run of the laboratory's method on an image set of its own; review brings it to its end."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _computed(w: World, row: Row) -> dict[str, Any]:
    """Return what an execution delivers; its results are a record of their own."""
    return {
        "env_digest": w.along(row, ("method", "algorithm"))[0].fields["env_digest"],
        "log": w.file("log.txt"),
        "results": w.create_only("result_set", **w.lab.results_of(row.number)),
    }


def _elsewhere(w: World, row: Row) -> dict[str, Any]:
    return _computed(w, row) | {"env_digest": "0" * 64}


def _reviewed(w: World, act: str) -> str:
    """Let a review case of a new run take an act; return the run."""
    run = w.new("analysis_run", "in_review")
    case = next(r for r in w.linked(run, "review_case") if r.state == "queued")
    w.do(case.number, "start")
    w.step(case.number, act)
    return run


EXAMPLE = Example(
    create=lambda w: {
        "title": "Planned count",
        "study": w.any("study"),
        "method": w.any("analysis_method"),
        "image_set": w.new("image_set", "frozen"),
    },
    acts={"finish": _computed, "fail": lambda w, row: {"error": "The disk was full."}},
    consequences={
        "accept": lambda w: _reviewed(w, "technical"),
        "reject": lambda w: _reviewed(w, "reject"),
        "reopen": lambda w: _reviewed(w, "return"),
    },
    breaks={"finish": {"environment its algorithm was approved with": _elsewhere}},
)
