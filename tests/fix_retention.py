"""Studies that have ended, with what starts and stops their clocks."""

from __future__ import annotations

from typing import Any

from fix_lab import Lab

EVENT = {"source": "letter on file"}


def ended_study(lab: Lab, **more: Any) -> str:
    """Return a study whose report is signed."""
    study = lab.new_study("glp", **more)
    lab.start_study(study)
    lab.sam.do(study, "complete_data")
    lab.sam.do(study, "report", sign=True)
    return study


def over(lab: Lab, study: str = "") -> str:
    """Return an ended study whose retention is over by an approval long ago."""
    study = study or ended_study(lab)
    events = [EVENT | {"event": "approval", "on": "2020-01-31"}]
    lab.quinn.do(study, "record_events", why="From the approval letter.", retention_events=events)
    return study
