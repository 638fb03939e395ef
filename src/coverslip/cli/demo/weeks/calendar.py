"""The calendar: on which working day what happens. Days count from 0; the last ones lie just before today."""

from __future__ import annotations

from collections.abc import Callable

from coverslip.cli.demo.playing import Play
from coverslip.cli.demo.weeks import (
    analyses,
    assurance,
    documents,
    instruments,
    oversight,
    people,
    quality,
    studies,
)

Scene = Callable[[Play], None]

WEEKS: tuple[tuple[int, str, tuple[Scene, ...]], ...] = (
    (0, "The letter to the agency; the site opens; people come", (people.letter, people.staff)),
    (
        1,
        "Procedures and the list of defects",
        (documents.defects, documents.first_procedures, documents.external),
    ),
    (2, "Two microscopes, calibrated and checked", (instruments.two, people.services)),
    (3, "Curriculum, suppliers, systems", (documents.curriculum, assurance.suppliers, oversight.scope)),
    (4, "Project, study, samples, plate", (studies.project, studies.samples)),
    (5, "The plate is imaged", (studies.first_session,)),
    (6, "Algorithm, parameters, method", (analyses.method, studies.outlines)),
    (7, "The first run: counted, reviewed, released", (analyses.first_run, people.too_much)),
    (
        8,
        "Reproduced, reported; images from a disk",
        (analyses.reproduced, analyses.report, studies.manual_import),
    ),
    (9, "Weekly checks; the second channel", (instruments.both_weekly, studies.second_session)),
    (
        10,
        "A small deviation, a service",
        (quality.minor_deviation, instruments.maintenance, oversight.late_entry),
    ),
    (12, "Changes are asked for", (quality.change_plates, quality.change_counting)),
    (14, "Procedures; risks", (documents.later_procedures, documents.second_version, assurance.risks)),
    (
        15,
        "The second channel is counted",
        (instruments.both_weekly, analyses.second_channel, analyses.reprocessing),
    ),
    (16, "The other microscope is tried", (studies.other_microscope, studies.second_study)),
    (17, "Its weekly check fails", (instruments.failed_check, studies.refused_start, instruments.corrective)),
    (18, "Why it failed; what contains it", (quality.investigated_deviation, quality.corrective_action)),
    (
        20,
        "A box with scratches; a complaint",
        (quality.nonconformity, assurance.complaint, oversight.legal_hold),
    ),
    (22, "An audit at the bench", (assurance.audit, instruments.weekly, oversight.hold)),
    (23, "Rows C and D come on a disk", (studies.further_rows,)),
    (24, "Limits of release; a field below them", (analyses.strict_method, analyses.out_of_specification)),
    (25, "A computer stands still", (quality.incident, instruments.qualification, oversight.wrong_secrets)),
    (
        26,
        "Access and trail are reviewed",
        (oversight.access_review, oversight.trail_review, oversight.system_review),
    ),
    (
        28,
        "A visitor, a newcomer, a loan",
        (people.inspector, people.newcomer, people.delegations, oversight.alerts),
    ),
    (
        29,
        "The last day",
        (
            instruments.weekly,
            studies.running_session,
            quality.open_deviation,
            documents.matrix,
            analyses.in_review,
            analyses.second_request,
            oversight.talk,
        ),
    ),
)
