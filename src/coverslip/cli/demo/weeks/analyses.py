"""The method and its runs: one released, one asked for again, one out of specification, one in review."""

from __future__ import annotations

from typing import Any

from coverslip.cli.demo import common
from coverslip.cli.demo.common import answer, approved, outputs
from coverslip.cli.demo.playing import Play
from coverslip.client.errors import fault

OOS_CHECKS = (
    "sample_id", "layout", "focus_exposure", "artefact", "calibration",
    "suitability", "algorithm_parameters", "exclusion_list", "calculation",
)  # fmt: skip


def method(play: Play) -> None:
    """Register algorithm and parameters as the server has them, and approve the method that uses them."""
    algorithm, parameters, number = common.method(play.aurel, play.quinn, play.n["sop_counting"], "10")
    play.n |= {"algorithm": algorithm, "parameters": parameters, "method": number}


def image_set(play: Play, who: str, title: str, images: list[str], rule: str) -> str:
    """Choose images before any result is seen."""
    person = play.people[who]
    number = person.create(
        "image_set", title=title, study=play.n["study"], members=images, selection_rule=rule
    )
    person.sign(number, "freeze")
    return number


def run(play: Play, who: str, title: str, images: str, **more: Any) -> str:
    """Let the method compute on a set; return the run, computed."""
    person = play.people[who]
    number = person.create(
        "analysis_run",
        title=title,
        study=play.n["study"],
        image_set=images,
        **{"method": f"{play.n['method']} v1", **more},
    )
    play.by_itself()
    record = person.show(number)
    if record["state"] != "completed":
        raise fault(number, "completed", f"{record['state']}: {record['fields'].get('error', '')}")
    return number


def submit(play: Play, who: str, number: str, interpretation: str) -> str:
    """Interpret and submit a run; return its review case."""
    person = play.people[who]
    person.edit(number, "The interpretation was left empty at first.", interpretation=interpretation)
    person.sign(number, "submit")
    return case_of(play, number)


def case_of(play: Play, number: str) -> str:
    """Return the review case of a run that is not over."""
    links = play.rita.lab.records.links(number)
    return next(
        str(r["number"])
        for r in links
        if r["type"] == "review_case" and r["state"] in ("queued", "in_review")
    )


def review(play: Play, who: str, case: str) -> None:
    """Look at a case and answer every exception; not yet signed."""
    person = play.people[who]
    person.act(case, "start")
    items = person.show(case)["fields"]["exceptions"]["items"]
    answer(person, case, items)


def first_run(play: Play) -> None:
    """Counted by Alan, reviewed by Rita, then by Quinn; released by Vera. Alan may not review his own."""
    images = image_set(
        play, "alan", "All sites of B02 and B03", play.n["images"], "Every available image of the session."
    )
    number = run(play, "alan", "Nuclei in B02 and B03", images)
    case = submit(play, "alan", number, "Counts agree between sites of a well; no field is flagged.")
    play.alan.tried(case, "start", "AUTH_ROLE")
    review(play, "rita", case)
    list(play.rita.lab.reviews.needed(case))  # each item is entered as sent to her
    play.rita.sign(case, "technical")
    list(play.quinn.lab.reviews.needed(case))
    list(play.quinn.lab.reviews.trail(case))
    play.quinn.sign(case, "qa_decide")
    release = play.vera.create(
        "release_decision",
        subject=number,
        review_case=case,
        basis="Reviewed work within the limits of its method.",
    )
    play.vera.sign(release, "release")
    play.n |= {"set_1": images, "run_1": number, "case_1": case, "release": release}


def reproduced(play: Play) -> None:
    """Have the released run computed again; the comparison is attached to it."""
    found = play.ivo.lab.reproduce(play.n["run_1"])
    text = "\n".join(f"{key}: {value}" for key, value in sorted(found.items()))
    file = play.paper(play.ivo, "reproduced.txt", f"Computed again by the server.\n{text}")
    play.ivo.create(
        "attachment", subject=play.n["run_1"], what="Comparison with the run computed again", file=file
    )


def report(play: Play) -> None:
    """State the released results; reviewed, and waiting for quality."""
    results = play.alan.show(play.n["run_1"])["fields"]["results"]["number"]
    number = play.alan.create(
        "report",
        title="Nuclei per field, plate 3434",
        kind="image_report",
        subject=play.n["run_1"],
        results=[results],
        conclusion="Both wells are within the acceptance criteria.",
    )
    play.alan.sign(number, "submit")
    play.rita.sign(number, "review")
    play.n |= {"report": number, "results_1": results}


def second_channel(play: Play) -> None:
    """Mei counts the second channel; every field is outside the limits, and submitting is refused."""
    images = image_set(
        play, "mei", "Second channel of B02 and B03", play.n["images_2"], "Every image of the session."
    )
    number = run(play, "mei", "Objects in the second channel", images)
    play.mei.tried_to_sign(number, "submit", "SEQ_PRE")
    play.n |= {"set_2": images, "run_2": number}


def reprocessing(play: Play) -> None:
    """That run is to be repeated, for a reason that a reviewer accepts; it is, and shows the same."""
    asked = play.mei.create(
        "reprocessing_request",
        run=play.n["run_2"],
        reason="Every field was flagged for low contrast. It is repeated to see that this comes from the "
        "images and not from the computer on that day.",
        category="investigation",
        change=[{"what": "day of the run", "old": "the first", "new": "today, nothing else differs"}],
        expected_effect="The same four fields are flagged with the same contrast.",
    )
    play.rita.sign(asked, "approve")
    again = run(play, "mei", "Second channel, repeated", play.n["set_2"], reason="reprocess", request=asked)
    play.n |= {"request": asked, "run_2_again": again}


def second_request(play: Play) -> None:
    """A second request waits for a reviewer: the result it concerns is final, so quality decides as well."""
    play.n["request_2"] = play.alan.create(
        "reprocessing_request",
        run=play.n["run_1"],
        reason="The sponsor counts half as many nuclei by hand in one field; it is to be looked at again.",
        category="investigation",
        change=[{"what": "nothing", "old": "as computed", "new": "as computed"}],
        expected_effect="The same counts, to be compared with the overlay by eye.",
        needed_by=play.on(5),
    )


def strict_method(play: Play) -> None:
    """A second method with the limits of release: 20 nuclei in every field."""
    play.n["method_strict"] = approved(
        play.aurel,
        play.vera,
        "analysis_method",
        title="Nuclei per field, limits of release",
        algorithm=f"{play.n['algorithm']} v1",
        parameters=f"{play.n['parameters']} v1",
        sop=f"{play.n['sop_counting']} v1",
        permitted_runs=1,
        intended_use="Deciding on release by the number of nuclei in a field.",
        outputs=outputs("20"),
    )


def out_of_specification(play: Play) -> None:
    """By the limits of release one field has too few nuclei: investigated, and the run is in review."""
    mei = play.mei
    images = image_set(
        play,
        "mei",
        "Rows B, C and D, for release",
        [*play.n["images"], *play.n["images_rows"]],
        "Every available image of the first channel: two sites of B02 and B03, one of each further well.",
    )
    number = run(play, "mei", "Nuclei for release", images, method=f"{play.n['method_strict']} v1")
    results = str(mei.show(number)["fields"]["results"]["number"])
    low = [row for row in mei.show(results)["fields"]["rows"] if row["status"] == "out_of_limits"]
    if not low:
        raise fault(results, "a field with fewer than 20 nuclei", "none")
    oos = mei.create(
        "oos",
        results=results,
        kind="out_of_specification",
        rows=[{n: row[n] for n in ("position", "quantity_name", "value")} for row in low],
        what=f"{low[0]['position']} shows {low[0]['value']} nuclei; at least 20 are asked for.",
    )
    mei.edit(
        oos,
        "What was looked at first.",
        phase1=[{"check": check, "finding": "As it must be."} for check in OOS_CHECKS[:5]],
    )
    case = submit(play, "mei", number, f"One field is below its limit; {oos} investigates.")
    play.n |= {"run_3": number, "oos": oos, "case_3": case}


def in_review(play: Play) -> None:
    """A reviewer has begun and not yet answered every exception."""
    play.ivo.act(play.n["case_3"], "start")
    play.ivo.create(
        "comment",
        subject=play.n["run_3"],
        text="Is the field at the edge of the well? Please say so in the interpretation.",
        asked=play.mei.number,
    )
