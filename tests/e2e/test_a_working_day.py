"""A day of a laboratory in its pages: a story for each role, from a new person to a bundle that holds.

The stories stand on each other; each is played once, whichever test asks first.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from coverslip.verifier import build
from fix_browser import expecting, shots
from fix_day import Day, Desk, chapter, keys_of
from fix_story import _IMAGES, secret_of

TODAY = dt.date.today().isoformat()
BEFORE = (dt.date.today() - dt.timedelta(days=1)).isoformat()
LATER = (dt.date.today() + dt.timedelta(days=30)).isoformat()
FILES = ("9987_B02_s1_w1.TIF", "9987_B03_s1_w1.TIF", "9987_B02_s2_w1.TIF")
WHY = "The stage computer is cut off from the network today."
NINA = "Nina New"


# --- the administrator, the security officer and somebody new --------------------------------------------


@chapter
def joined(day: Day) -> str:
    """Nina is invited, enrols, is verified, trained and given a role; returns the number of her account."""
    with day.at("ada") as ada:
        person = ada.new(
            "user", username="nina", printed_name=NINA, kind="person", email="nina@story.example"
        )
        code = _invited(ada, person)
        grant = ada.new(
            "role_grant", person=person, role="ROLE-ANL", start=TODAY, justification="Analyses plates."
        )
    _enrolled(day, "nina", code)
    with day.at("aurel") as aurel:
        seen = {"document_kind": "passport", "manner": "in person", "on": TODAY}
        aurel.act(person, "activate", sign=True, identity_check=[seen])
        asked = [
            aurel.new("training_record", person=person, document=document, depth="read_understood", due=TODAY)
            for document in ("POL-0001", day.n["sop"] + "v1")
        ]
    with day.at("vera") as vera:
        vera.act(grant, "approve", sign=True)
    with day.at("nina") as nina:
        for training in asked:
            nina.goto("/work")
            nina.follow(nina.page.locator("main a.idcell", has_text=training).first)
            nina.act(training, "complete", sign=True)
        nina.new(
            "esign_acknowledgement", sign=True, person=person, policy="POL-0001", statement="I have read it."
        )
    return person


def _invited(ada: Desk, person: str) -> str:
    page = ada.goto("/admin/people")
    if page.get_by_role("link", name=person).count():
        ada.follow(page.get_by_role("link", name=person).first)
    else:
        ada.goto(f"/admin/people/{person}")
    ada.follow(page.get_by_role("button", name="Make a one-time code"))
    return page.locator("#code").inner_text().strip()


def _enrolled(day: Day, username: str, code: str) -> None:
    with day.nobody() as page:
        page.goto("/sign-in")
        page.get_by_role("link", name="Enrol with a one-time code").click()
        page.fill("#code", code)
        page.fill("#uid", username)
        page.fill("#pw", secret_of(username))
        page.fill("#pw2", secret_of(username))
        with page.expect_navigation():
            page.get_by_role("button", name="Make my key").click()
        page.get_by_text("Your key is made.").wait_for()


def test_somebody_new_is_invited_enrols_and_is_let_in_by_others(day: Day) -> None:
    person = joined(day)
    with day.at("ada") as ada:
        assert ada.state(person) == "active"
        ada.goto(f"/admin/people/{person}")
        assert ada.page.locator('form[action$="/invite"]').count() == 0, "who is verified needs no code"


def test_a_code_serves_once_and_only_who_makes_accounts_makes_one(day: Day) -> None:
    with day.at("ada") as ada:
        person = ada.new("user", username="una", printed_name="Una", kind="person", email="una@x.org")
        code = _invited(ada, person)
    with day.at("sam") as sam:
        sam.goto(f"/admin/people/{person}")
        assert sam.page.locator('form[action$="/invite"]').count() == 0
    _enrolled(day, "una", code)
    with day.nobody() as page:
        expecting(page, "answer 40[013]: POST .*/enrol")
        page.goto("/enrol")
        for field, text in (
            ("#code", code),
            ("#uid", "una"),
            ("#pw", "another lantern 7"),
            ("#pw2", "another lantern 7"),
        ):
            page.fill(field, text)
        page.get_by_role("button", name="Make my key").click()
        page.get_by_role("alert").first.wait_for()


# --- the operator ----------------------------------------------------------------------------------------


@chapter
def brought(day: Day) -> list[str]:
    """Alan takes up a session that was prepared for him and brings images; returns their numbers."""
    joined(day)
    with day.at("nina") as nina:
        session = nina.new(
            "acquisition_session", title="Plate 2", study=day.n["study"], operator=day.n["alan"],
            instrument=day.n["instrument"], method=day.n["sop"] + "v1",
            time_explanation="The plate was imaged in July 2024 and is brought in now.",
        )  # fmt: skip
    with day.at("alan") as alan:
        alan.follow(alan.page.locator("main a.idcell", has_text=session).first)
        alan.act(
            session, "start", settings=[{"name": "objective", "value": "20x"}],
            checks=[{"check": "lamp", "result": "pass"}], device_clock_offset_ms=40,
        )  # fmt: skip
        images = _brought(alan, session, FILES[:2])
    with day.at("alan", java_script_enabled=False) as alan:
        images += _brought(alan, session, FILES[2:])
        alan.act(session, "complete")
        own = alan.new("acquisition_session", title="Plate 3", study=day.n["study"], operator=day.n["alan"])
        assert alan.state(own) == "prepared"
    return images


def _brought(alan: Desk, to: str, files: tuple[str, ...]) -> list[str]:
    page = alan.goto("/ingest")
    page.locator("#to").select_option(to)
    page.fill("#reason", WHY)
    page.set_input_files("#files", [str(_IMAGES / name) for name in files])
    page.locator("form[data-ingest] button.primary").click()
    taken = page.locator("[data-progress] a.idcell")
    expect(taken).to_have_count(len(files), timeout=30_000)
    told = page.locator("[data-progress]").inner_text()
    assert "quarantined" not in told, told
    page.screenshot(path=shots() / f"story-ingest-{len(files)}.png", full_page=True)
    return taken.all_inner_texts()


def test_an_operator_finds_a_task_and_brings_images_with_and_without_scripts(day: Day) -> None:
    images = brought(day)
    assert len(set(images)) == len(FILES)
    with day.at("alan") as alan:
        alan.goto("/series?type=image&act=verify_import")
        for number in images:
            assert alan.page.locator(f'[name=confirm][value="{number}"]').count() == 0, (
                "not by who brought it"
            )


# --- the analyst -----------------------------------------------------------------------------------------


@chapter
def analysed(day: Day) -> str:
    """Nina verifies the imports, runs the method, looks and submits; returns the number of the run."""
    images = brought(day)
    with day.at("nina") as nina:
        page = nina.goto("/ingest")
        nina.follow(page.get_by_role("link", name="Verify as a batch"))
        for number in images:
            page.locator(f'[name=confirm][value="{number}"]').check()
        nina.sign()
        page.locator("form[data-series] button.primary").click()
        done = f"{len(images)} of {len(images)} signed"
        expect(page.locator("[data-now-title]")).to_have_text(done, timeout=60_000)
        for number in images:
            nina.wait(number, "available")
        chosen = nina.new("image_set", title="Plate 2, nuclear channel", study=day.n["study"], members=images,
                          selection_rule="Every DNA channel image of the plate.")  # fmt: skip
        nina.act(chosen, "freeze", sign=True)
        run = nina.new("analysis_run", title="Nuclei per field, plate 2", study=day.n["study"],
                       image_set=chosen, method=day.n["method"] + "v1")  # fmt: skip
        nina.wait(run, "completed")
        _looked(nina, day.n["study"], images[0])
        nina.act(run, "edit", why="The interpretation was missing.", interpretation="Counts are plausible.")
        nina.act(run, "submit", sign=True)
        assert nina.state(run) == "in review"
    return run


def _looked(nina: Desk, study: str, image: str) -> None:
    page = nina.goto(f"/studies/{study}")
    well = page.locator("table.plate a[aria-label^='B02:']")
    assert "no" not in str(well.get_attribute("aria-label"))
    nina.follow(well)
    nina.follow(page.locator("aside a.idcell", has_text=image))
    page.locator("#viewer canvas").first.wait_for()
    page.wait_for_timeout(300)
    page.screenshot(path=shots() / "story-viewer.png")


def test_an_analyst_verifies_a_batch_runs_looks_and_signs(day: Day) -> None:
    run = analysed(day)
    with day.at("nina") as nina:
        assert "executed" in nina.goto(f"/r/{run}/signatures").inner_text("main").lower()


# --- the reviewer ----------------------------------------------------------------------------------------


@chapter
def reviewed(day: Day) -> str:
    """Rita reviews; something arrives while she signs, and she looks again; returns the case's number."""
    run = analysed(day)
    with day.at("rita") as rita:
        page = rita.goto("/review")
        row = page.locator("tr", has_text=run)
        found = row if row.count() else page.locator("tbody tr").first
        case = str(found.locator("a.idcell").first.inner_text())
        rita.act(case, "start")
        _all_opened(rita, case)
        _all_answered(rita, case)
        _signing_grew_stale(day, rita, case, run)
        rita.act(case, "gather_again")
        _all_opened(rita, case)
        _all_answered(rita, case)
        rita.act(case, "technical", sign=True)
        assert rita.state(case) == "technical done"
    return case


def _all_opened(desk: Desk, case: str) -> None:
    """Open one item after the other, as long as the page names one, and every page of the trail."""
    page = desk.goto(f"/review/{case}")
    for _ in range(80):
        link = page.locator("#coverage ul.plainlist a")
        if not link.count():
            break
        desk.follow(link.first)
    desk.goto(f"/review/{case}")
    desk.follow(page.get_by_role("link", name="Open the whole trail"))
    while page.locator("#trail-part").get_by_role("link", name="Next page").count():
        address = page.locator("#trail-part").get_by_role("link", name="Next page").get_attribute("href")
        desk.goto(str(address))


def _all_answered(desk: Desk, case: str) -> None:
    page = desk.goto(f"/review/{case}")
    for _ in range(40):
        open_ones = page.locator("li.ex:not(.done):has(.flag, .warn-i)")
        if not open_ones.count():
            break
        address = open_ones.first.locator("a[data-row]").get_attribute("href")
        desk.goto(str(address))
        form = page.locator("form.exform").first
        form.locator("input[name=answer]").fill("Looked at, and explained by the plate map.")
        desk.follow(form.get_by_role("button", name="Record answer"))
    for index in range(5):
        page.locator(f"#a{index}").select_option("yes")
    page.fill("#conclusion", "The run follows the method.")
    desk.follow(page.get_by_role("button", name="Record checklist"))


def _signing_grew_stale(day: Day, rita: Desk, case: str, run: str) -> None:
    page = rita.goto(f"/r/{case}/do/technical")
    with day.at("alan") as alan:
        alan.new("comment", subject=run, text="Look at the second field again, please.")
    expecting(page, "answer 40[0-9]: POST .*/do/technical")
    rita.sign()
    rita.follow(page.locator("form[data-ceremony] button.primary"))
    assert "/do/technical" in page.url
    page.locator("[role=alert]:visible").first.wait_for()
    page.screenshot(path=shots() / "story-stale.png", full_page=True)
    assert rita.state(case) == "in review"


def test_a_reviewer_opens_answers_and_cannot_sign_over_what_arrived(day: Day) -> None:
    case = reviewed(day)
    with day.at("rita") as rita:
        text = rita.goto(f"/r/{case}/signatures").inner_text("main")
    assert "Rita" in text and "reviewed" in text.lower()


# --- quality ---------------------------------------------------------------------------------------------


@chapter
def released(day: Day) -> Path:
    """Quinn decides, Vera releases and takes the bundle with her; returns where it lies."""
    run, case = analysed(day), reviewed(day)
    with day.at("quinn") as quinn:
        _all_opened(quinn, case)
        quinn.act(case, "qa_decide", sign=True)
    with day.at("vera") as vera:
        decision = vera.new(
            "release_decision", subject=run, review_case=case, basis="Reviewed and within limits."
        )
        vera.act(decision, "release", sign=True)
        page = vera.record(decision)
        with page.expect_download() as begun:
            page.get_by_role("button", name="Evidence bundle").click()
        bundle = day.save(begun.value)
        assert vera.state(decision) == "released"
    return bundle


def test_quality_releases_and_the_bundle_holds_for_the_verifier_alone(day: Day, tmp_path: Path) -> None:
    bundle = released(day)
    program = tmp_path / "verify.pyz"
    program.write_bytes(build.build())
    command = [sys.executable, "-I", "-S", str(program), str(bundle), "--keys", str(keys_of(day)), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env={}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "holds"
    damaged = bytearray(bundle.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "bent.zip").write_bytes(damaged)
    command[4] = "bent.zip"
    bent = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env={}
    )
    assert bent.returncode == 1, bent.stdout


def test_a_deviation_is_completed_without_anybody_seeing_json(day: Day) -> None:
    with day.at("alan") as alan:
        deviation = alan.new(
            "deviation", title="Stage computer cut off", kind="unplanned", place="Room 12",
            found_at=f"{BEFORE}T09:30:05", occurred_at=f"{BEFORE}T09:30:00", what="The network port was off.",
            immediate_action="Images were brought by hand.", consequence=2, extent=1,
            affected=[day.n["run"]],
        )  # fmt: skip
    with day.at("quinn") as quinn:
        quinn.act(deviation, "assign", owner=day.n["alan"])
    with day.at("alan") as alan:
        cause = {"method": "five_why", "category": "environment", "cause": "A port was switched off."}
        action = {"action": "Label the port.", "owner": day.n["alan"], "due": LATER}
        impact = {"record": day.n["run"], "assessment": "None: the bytes arrived whole."}
        alan.act(
            deviation, "edit", why="The investigation is complete.", root_cause=[cause],
            other_batches="No other.", impact=[impact], actions=[action],
                capa_decision="None: a single case.",
        )  # fmt: skip
        alan.act(deviation, "submit", sign=True)
    with day.at("vera") as vera:
        vera.act(deviation, "approve", sign=True)
    with day.at("alan") as alan:
        done = {"done_on": TODAY, "evidence": "Label seen on the port."}
        alan.act(deviation, "edit", why="The action is done.", actions=[done])
    with day.at("rita") as rita:
        rita.act(deviation, "verify", sign=True)
    with day.at("vera") as vera:
        vera.act(deviation, "close_minor", sign=True)
        shown = vera.record(deviation).inner_text("main")
        assert "closed" in shown.lower()
        for tab in ("", "/audit", "/related", "/versions", "/signatures", "/print"):
            text = vera.goto(f"/r/{deviation}{tab}").inner_text("main")
            assert not re.search(r'\{"|\[\{|": "', text), f"JSON at {tab}: {text}"


# --- documents -------------------------------------------------------------------------------------------


def test_a_procedure_comes_into_force_once_people_have_read_it(day: Day) -> None:
    person = joined(day)
    with day.at("aurel") as aurel:
        sop = aurel.new("document_sop", title="Labelling ports", criticality="gxp")
        aurel.act(
            sop, "edit", why="The first draft.", body="# Purpose\n\nEvery port has a label.",
            change_summary="First version.", training_depth="read_understood", audience=["ROLE-ANL"],
            effective_date=TODAY,
        )  # fmt: skip
        aurel.act(sop, "submit", sign=True)
    with day.at("rita") as rita:
        rita.act(sop, "review", sign=True)
    with day.at("quinn") as quinn:
        quinn.act(sop, "approve", sign=True)
        assert quinn.state(sop) == "approved", "in force only once people were trained"
    with day.at("aurel") as aurel:
        asked = [
            aurel.new("training_record", person=who, document=sop, depth="read_understood", due=TODAY)
            for who in (person, day.n["alan"])
        ]
    for username, training in zip(("nina", "alan"), asked, strict=True):
        with day.at(username) as learner:
            learner.goto("/training")
            learner.follow(learner.page.locator("main a", has_text=training).first)
            learner.act(training, "complete", sign=True)
    with day.at("quinn") as quinn:
        quinn.wait(sop, "effective")
        quinn.goto("/documents")
        assert quinn.page.locator("main", has_text="Labelling ports").count()


# --- an inspector, and somebody who tries ----------------------------------------------------------------


def test_an_inspector_reads_everything_and_is_offered_nothing_to_write(day: Day) -> None:
    with day.at("ada") as ada:
        person = ada.new(
            "user", username="iris", printed_name="Iris Inspector", kind="inspector", email="iris@x.org",
            valid_from=TODAY, valid_to=LATER,
        )  # fmt: skip
        code = _invited(ada, person)
        grant = ada.new(
            "role_grant", person=person, role="ROLE-INS", start=TODAY, end=LATER, justification="Inspects."
        )
    _enrolled(day, "iris", code)
    with day.at("aurel") as aurel:
        seen = {"document_kind": "badge", "manner": "in person", "on": TODAY}
        aurel.act(person, "activate", sign=True, identity_check=[seen])
    with day.at("vera") as vera:
        vera.act(grant, "approve", sign=True)
    with day.at("iris") as iris:
        for number in (day.n["run"], day.n["release"], day.n["study"], day.n["sop"] + "v1"):
            page = iris.record(number)
            assert page.locator('main a[href*="/do/"]').count() == 0, page.url
            assert iris.goto(f"/r/{number}/audit").locator("main").inner_text()
        expecting(page, "answer 403: ")
        page.goto("/types/deviation/new")
        told = page.locator("main")
        told.wait_for()
        assert page.locator("form[data-ceremony]").count() == 0 or "cannot" in told.inner_text()


def test_somebody_new_has_results_of_a_sandbox_study_within_minutes(day: Day) -> None:
    joined(day)
    with day.at("nina") as nina:
        nina.follow(nina.page.get_by_role("link", name="Start a sandbox study"))
        nina.page.fill("#t", "Trying out")
        nina.follow(nina.page.get_by_role("button", name="Start sandbox study"))
        study = nina.number
        nina.goto(f"/r/{study}/related")
        method = nina.page.locator("main a", has_text=re.compile(r"^MTH-")).first.inner_text()
        (image,) = _brought(nina, study, ("9987_B03_s2_w1.TIF",))
        nina.act(image, "verify_import")
        nina.wait(image, "available")
        chosen = nina.new("image_set", title="One image", study=study, members=[image])
        nina.act(chosen, "freeze")
        run = nina.new("analysis_run", title="Trying", study=study, image_set=chosen, method=method)
        nina.wait(run, "completed")
        assert "sandbox" in nina.record(run).inner_text("body").lower()
