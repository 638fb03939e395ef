"""An image report on the results of an accepted run."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    first = w.new("report", "issued")
    fields = w.row(first).fields
    again = w.revise(
        first,
        subject=fields["subject"]["number"],
        results=[link["number"] for link in fields["results"]],
        replaces=f"{w.row(first).number} v1",
        conclusion="Twelve nuclei in A01; the unit was missing.",
    )
    w.to(again, "issued")
    return f"{w.row(first).number} v1"


def _of_run(w: World) -> dict[str, object]:
    run = w.any("analysis_run", "accepted")
    return {"subject": run, "results": [w.row(run).fields["results"]["number"]]}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Count of nuclei",
        "kind": "image_report",
        "conclusion": "Twelve nuclei in A01.",
        **_of_run(w),
    },
    consequences={"supersede": _superseded},
)
