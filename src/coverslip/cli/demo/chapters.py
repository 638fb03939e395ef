"""The chapters of the main job, each by the people whose work it is."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.cli.demo import common
from coverslip.cli.demo.cast import Microscope, Person
from coverslip.cli.demo.common import LETTER, acknowledge, answer, certify, enrol, shipped
from coverslip.cli.demo.defects import write_foreign, write_truncated
from coverslip.cli.demo.stage import Stage, run
from coverslip.client import Coverslip
from coverslip.client.device import DeviceKey
from coverslip.client.errors import fault

ORIGIN = "demo.coverslip.example/site-1"
SERIAL = "5165008"
PLATE = ("9987_B02_s1_w1.TIF", "9987_B02_s2_w1.TIF", "9987_B03_s1_w1.TIF", "9987_B03_s2_w1.TIF")


def _founders() -> tuple[Person, ...]:
    return (
        Person("ada", "Ada Mensah", ("ADM",)),
        Person("quinn", "Quinn Okafor", ("QA",)),
        Person("aurel", "Aurel Stein", ("AUT", "SEC", "TRN")),
    )


def _staff() -> tuple[Person, ...]:
    return (
        Person("alan", "Alan Brandt", ("ANL", "OPR", "REV")),
        Person("rita", "Rita Haddad", ("REV",)),
        Person("vera", "Vera Lindqvist", ("QA",)),
        Person("sam", "Sam Duarte", ("SDR",)),
        Person("mia", "Mia Tanaka", ("MET",)),
    )


@dataclass
class Story:
    """People by user name, and the numbers of what they made."""

    stage: Stage
    people: dict[str, Person] = field(
        default_factory=lambda: {p.username: p for p in (*_founders(), *_staff())}
    )
    numbers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, username: str) -> Person:
        return self.people[username]


def _today(days: int = 0) -> str:
    return (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)).isoformat()


def genesis(story: Story) -> None:
    """Found the installation with three founders who verify each other."""
    stage = story.stage
    stage.work.mkdir(parents=True)
    site = {
        "name": "Demonstration laboratory",
        "code": "DEMO",
        "address": "1 Slide Street",
        "tz": "America/New_York",
        "regulated_as": [{"authority": "fda", "predicate": "drug"}],
        "system_class": "closed",
        "time_source": "none, evaluation only",
    }
    founders = [
        {"username": p.username, "name": p.name, "email": f"{p.username}@example.org", "roles": list(p.roles)}
        for p in story.people.values()
        if p.username in ("ada", "quinn", "aurel")
    ]
    answers = stage.work / "answers.json"
    answers.write_text(
        json.dumps(
            {
                "origin": ORIGIN,
                "use": "evaluation",
                "zone": "America/New_York",
                "site": site,
                "founders": founders,
            }
        ),
        "utf-8",
    )
    secrets = [_secret(stage.work, story[str(f["username"])]) for f in founders]
    try:
        options = [x for path, name in secrets for x in ("--password-file", f"{name}={path}")]
        said = run("init", "--home", str(stage.home), "--answers", str(answers), *options).stdout
    finally:
        for path, _ in secrets:
            path.unlink()
    stage.tell(said.splitlines()[0])
    stage.tell(
        "Ada (administrator), Quinn (quality) and Aurel (author, security, training) verified each other "
        "and signed POL-0001."
    )


def _secret(folder: Path, person: Person) -> tuple[Path, str]:
    path = folder / f"{person.username}.secret"
    path.touch(mode=0o600)
    path.write_text(person.password + "\n", "utf-8")
    return path, person.username


def people(story: Story) -> None:
    """Record the certification letter, open the site, and bring in the staff."""
    stage, quinn, ada, aurel = story.stage, story["quinn"], story["ada"], story["aurel"]
    for person in (ada, quinn, aurel):
        person.sign_in(stage.home)
    letter = stage.work / "certification-letter.txt"
    letter.write_text(LETTER + "\n", "utf-8")
    cert = certify(quinn, quinn.lab.attach(letter, media_type="text/plain"), _today())
    stage.tell(f"{cert} (11.100(c) letter) is recorded as sent; SITE-01 is active.")
    for person in story.people.values():
        if not person.number and person.username not in ("ada", "quinn", "aurel"):
            _bring_in(story, person)


def _bring_in(story: Story, person: Person) -> None:
    stage, ada, quinn, aurel = story.stage, story["ada"], story["quinn"], story["aurel"]
    person.number = ada.create(
        "user",
        username=person.username,
        printed_name=person.name,
        kind="person",
        email=f"{person.username}@example.org",
    )
    enrol(stage.home, ada, aurel, person, _today())
    for role in person.roles:
        grant = ada.create(
            "role_grant",
            person=person.number,
            role=f"ROLE-{role}",
            start=_today(),
            justification="Needed for the demonstration study.",
        )
        quinn.sign(grant, "approve")
    training = aurel.create(
        "training_record", person=person.number, document="POL-0001", depth="read_understood", due=_today(14)
    )
    person.sign_in(stage.home)
    person.sign(training, "complete")
    acknowledge(person)
    stage.tell(
        f"{person.number} {person.name} ({', '.join(person.roles)}): key enrolled, identity verified by a "
        f"second person, trained on POL-0001, acknowledgement signed."
    )


def procedure(story: Story) -> None:
    """Write, review, approve and train on the procedure; it comes into force by its date."""
    aurel, rita, quinn = story["aurel"], story["rita"], story["quinn"]
    sop = aurel.create(
        "document_sop", title="Imaging and counting of stained nuclei", criticality="gxp_critical"
    )
    aurel.edit(
        sop,
        "Writing the first version.",
        change_summary="First version.",
        effective_date=_today(),
        body="1. Check the lamp. 2. Image two sites of each well. 3. Count nuclei with the approved method. "
        "4. A second person reviews.",
        training_depth="read_understood",
        audience=["ROLE-ANL"],
    )
    aurel.sign(sop, "submit")
    rita.sign(sop, "review")
    for made in quinn.sign(sop, "approve").entries[1:]:
        story["alan"].sign(made.number, "complete")
    state = quinn.wait(sop, ("approved",))
    story.numbers["sop"] = sop
    story.stage.tell(
        f"{sop} v1 is {state}: authored by Aurel, reviewed by Rita, approved by Quinn; Alan is trained."
    )


def instrument(story: Story) -> Microscope:
    """Register the microscope with its key, calibrate it, put it in service, and sign it in."""
    stage, mia, rita, quinn = story.stage, story["mia"], story["rita"], story["quinn"]
    key = DeviceKey.create(stage.work / "device.key")
    number = mia.create(
        "instrument",
        name="ImageXpress in room 12",
        make="Molecular Devices",
        model="ImageXpress",
        serial=SERIAL,
        interval_months=12,
        device_key=key.public,
        owner=mia.number,
    )
    mia.act(number, "install", firmware="6.7.2", location="Room 12")
    calibration = mia.create_signed(
        "calibration",
        instrument=number,
        performed_on=_today(),
        standard="Stage micrometer SM-7",
        standard_certificate="SM-7/2026",
        standard_expires=_today(400),
        next_due=_today(330),
        as_found=[
            {
                "point": "100 um at 40x",
                "nominal": "100.00",
                "reading": "100.04",
                "limit": "0.20",
                "unit": "um",
            }
        ],
    )
    rita.sign(calibration, "review")
    quinn.sign(calibration, "accept")
    quinn.sign(number, "put_in_service")
    client = Coverslip(home=stage.home)
    client.device_sign_in(number, key, ORIGIN)
    stage.tell(
        f"{number} is in service with {calibration}; its computer signed in with a device key, which can "
        "deliver and never sign for a person."
    )
    story.numbers |= {"instrument": number, "calibration": calibration}
    return Microscope(number, key, client)


def acquisition(story: Story, microscope: Microscope) -> None:
    """Open study and session, deliver four real images and two bad files."""
    stage, sam, quinn, alan = story.stage, story["sam"], story["quinn"], story["alan"]
    sop = f"{story.numbers['sop']} v1"
    study = sam.create(
        "study",
        title="Nuclei per field in two control wells",
        kind="release_assay",
        director=sam.number,
        objectives="Count nuclei in four fields.",
        protocol=sop,
        site="SITE-01",
        retention_class="DRUG",
    )
    sam.sign(study, "accept_responsibility")
    quinn.sign(study, "approve")
    sam.act(study, "start")
    session = alan.create(
        "acquisition_session",
        title="Plate 3434, wells B02 and B03",
        study=study,
        operator=alan.number,
        instrument=microscope.number,
        method=sop,
        time_explanation="These files were acquired on 2024-07-09 and are delivered today for demonstration.",
    )
    alan.act(
        session,
        "start",
        settings={"objective": "40x", "binning": "8x8", "exposure_ms": "100"},
        checks=[{"check": "lamp", "result": "pass"}],
        device_clock_offset_ms=12,
    )
    story.numbers |= {"study": study, "session": session}
    stage.tell(
        f"{study} is in progress under Sam's responsibility; {session} is running on {microscope.number}."
    )
    images = [_deliver(stage, microscope, session, shipped(name)) for name in PLATE]
    story.numbers |= {f"image{i}": number for i, number in enumerate(images)}
    truncated, foreign = stage.work / "9987_B04_s1_w1.TIF", stage.work / "9987_B05_s1.ome.tif"
    write_truncated(shipped(PLATE[0]), truncated)
    write_foreign(shipped(PLATE[0]), foreign, "IX-99999")
    story.numbers |= {
        "truncated": _quarantined(stage, microscope, session, truncated),
        "foreign": _quarantined(stage, microscope, session, foreign),
    }
    alan.act(session, "complete", not_imaged="B04 and B05: deliveries in quarantine.")


def _deliver(stage: Stage, microscope: Microscope, session: str, file: Path) -> str:
    found = microscope.deliver(session, file)
    if found["state"] != "available":
        raise fault(file.name, "available", f"{found['state']}: {' '.join(found['why'])}")
    stage.tell(
        f"{found['number']} {file.name}: {found['size']} bytes kept bit for bit, "
        f"sha256 {found['sha256'][:12]}…, {len(found['checks'])} checks."
    )
    return str(found["number"])


def _quarantined(stage: Stage, microscope: Microscope, session: str, file: Path) -> str:
    found = microscope.deliver(session, file)
    if found["state"] != "quarantined":
        raise fault(file.name, "quarantined", str(found["state"]))
    stage.tell(f"{found['number']} {file.name}: QUARANTINED. {' '.join(found['why'])[:260]}")
    return str(found["number"])


def method(story: Story) -> None:
    """Register algorithm and parameters, and approve the method that uses them."""
    aurel, quinn = story["aurel"], story["quinn"]
    bundled = aurel.lab.algorithms()[0]["algorithm"]
    algorithm, parameters, number = common.method(aurel, quinn, story.numbers["sop"], "1")
    story.numbers |= {"algorithm": algorithm, "parameters": parameters, "method": number}
    story.stage.tell(
        f"{number} v1 (algorithm {algorithm} {bundled['semver']}, code hash "
        f"{bundled['code_hash'][:12]}…, parameters {parameters}) is effective."
    )


def analysis(story: Story) -> None:
    """Freeze the images, run the method in an isolated process, correct a field, submit."""
    stage, alan = story.stage, story["alan"]
    images = [story.numbers[f"image{i}"] for i in range(len(PLATE))]
    chosen = alan.create(
        "image_set",
        title="All sites of B02 and B03",
        study=story.numbers["study"],
        members=images,
        selection_rule="Every available image of the session.",
    )
    alan.sign(chosen, "freeze")
    number = alan.create(
        "analysis_run",
        title="Nuclei in B02 and B03",
        study=story.numbers["study"],
        image_set=chosen,
        method=f"{story.numbers['method']} v1",
    )
    state = alan.wait(number, ("queued", "running"), 120)
    record = alan.lab.records.show(number)
    if state != "completed":
        raise fault(number, "completed", f"{state}: {record['fields'].get('error', '')}")
    results = str(record["fields"]["results"]["number"])
    for row in alan.lab.records.show(results)["fields"]["rows"]:
        if row["quantity_name"] == "count":
            stage.tell(
                f"{results}/{row['position']}/count = {row.get('value', 'not evaluable')} nuclei "
                f"({row['status']})"
            )
    alan.edit(
        number,
        "The interpretation was left empty at first.",
        interpretation="Counts agree between sites of a well; no field is flagged.",
    )
    alan.sign(number, "submit")
    story.numbers |= {"set": chosen, "run": number, "results": results}
    stage.tell(
        f"{number} on {chosen}: computed apart from the server, corrected once with a reason, "
        "submitted by Alan."
    )


def review(story: Story) -> None:
    """Refuse self-review, then review, quality review and release by three different people."""
    stage, alan, rita, quinn, vera = (
        story.stage,
        story["alan"],
        story["rita"],
        story["quinn"],
        story["vera"],
    )
    run_number = story.numbers["run"]
    case = next(str(r["number"]) for r in rita.lab.records.links(run_number) if r["type"] == "review_case")
    refusal = alan.refused(case, "start")
    if refusal.code != "AUTH_SELF":
        raise fault("The analyst's review of the own work", "AUTH_SELF", refusal.code)
    stage.tell(f"Alan tries to review {case}: {refusal.code} ({refusal.clause}): {refusal.message}")
    rita.act(case, "start")
    items = rita.lab.records.show(case)["fields"]["exceptions"]["items"]
    asked = [i for i in items if i["severity"] != "info"]
    stage.tell(
        f"Rita works through {len(items)} exceptions ({len(asked)} to answer), the record and its trail of "
        f"{len(rita.lab.records.history(run_number)['entries'])} entries."
    )
    answer(rita, case, asked)
    opened = list(rita.lab.reviews.needed(case))
    stage.tell(f"Rita opens {len(opened)} items; the server enters each as sent to her.")
    rita.sign(case, "technical")
    stage.tell(f"Rita signs {case} 'reviewed'; {run_number} is {rita.state(run_number)}.")
    opened = list(quinn.lab.reviews.needed(case))
    entries = list(quinn.lab.reviews.trail(case))
    quinn.sign(case, "qa_decide")
    stage.tell(
        f"Quinn opens {len(opened)} items and a trail of {len(entries)} entries,"
        f" and signs {case} 'qa_reviewed'."
    )
    release = vera.create(
        "release_decision",
        subject=run_number,
        review_case=case,
        basis="Reviewed work within the limits of its method.",
    )
    vera.sign(release, "release")
    story.numbers |= {"case": case, "release": release}
    stage.tell(f"Vera, another quality person, signs {release} 'released'.")
