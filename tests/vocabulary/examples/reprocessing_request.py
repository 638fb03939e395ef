"""A request to repeat a run that failed; where quality is asked, one whose results are final."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _executed(w: World) -> str:
    asked = w.new("reprocessing_request", "approved")
    run = w.row(str(w.row(asked).fields["run"]["number"]))
    w.create("analysis_run", image_set=run.fields["image_set"]["number"], reason="reprocess", request=asked)
    return asked


def _decided(w: World, row: Row) -> None:
    """Bring the run that was permitted to an end."""
    for run in w.linked(row.number, "analysis_run"):
        if run.fields.get("request", {}).get("number") == row.number and run.state == "queued":
            w.do(run.number, "abort", reason="Not needed any more, as was found.")


EXAMPLE = Example(
    create=lambda w: {
        "run": w.new("analysis_run", "failed"),
        "reason": "The disk was full, so that the run ended before its last image.",
        "category": "instrument_fault",
        "change": [{"what": "disk", "old": "full", "new": "replaced"}],
        "expected_effect": "The run reaches its end.",
    },
    breaks={"create": {"is not a reason": lambda w, row: {"reason": "segmentation error"}}},
    acts={"close": lambda w, row: {"conclusion": "The new run was not needed."}},
    before={"close": _decided},
    consequences={"execute": _executed},
)
