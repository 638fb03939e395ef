"""The demonstration, end to end: from genesis to a bundle that verifies offline, and five deeds found.

Rules kept here: every person acts in a session of their own through the public interface; operators
act through ``coverslip`` commands; nothing is asked, nothing is faked, a step that fails ends it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from coverslip.cli import show
from coverslip.cli.demo import chapters, dishonest, stage as operators
from coverslip.cli.demo.chapters import Story
from coverslip.cli.demo.stage import Stage, choose_home, copy_home, remove, serving
from coverslip.client.errors import fault


def run(home: Path | None) -> int:
    """Play the whole demonstration; return 0 when everything held as it should."""
    stage = Stage(choose_home(home))
    story = Story(stage)
    show.say(f"Coverslip demonstration in {stage.home}")
    stage.chapter("1  Genesis: a site, three founders, the first policy")
    chapters.genesis(story)
    older = copy_home(stage.home, stage.work / "older")
    with serving(stage.home):
        _main_job(story)
        bundle = _export(story)
        for person in story.people.values():
            person.sign_out()
    stage.chapter("7  The bundle, checked by verify.pyz alone")
    verdict = _verify(story, bundle)
    stage.chapter("8  On copies: the dishonest administrator, five times")
    dishonest.play(story, older)
    remove(stage.work)
    accounts = _keep_accounts(story)
    stage.chapter("Done. This is an evaluation installation: not for GxP use.")
    show.say(f"To look around: coverslip serve --home {stage.home}, with the accounts in {accounts}.")
    show.say(f"bundle: {bundle}")
    show.say(f"keys: {stage.handed_over / 'keys.txt'}")
    show.say(f"verdict: {verdict}")
    return 0


def _keep_accounts(story: Story) -> Path:
    """Write the demonstration's passwords (0600) beside the lab, so that people can sign in and look."""
    path = story.stage.home.with_name(f"{story.stage.home.name}-accounts.json")
    path.touch(mode=0o600)
    people = [
        {"username": p.username, "name": p.name, "roles": list(p.roles), "password": p.password}
        for p in story.people.values()
    ]
    path.write_text(json.dumps(people, indent=2) + "\n", "utf-8")
    return path


def _main_job(story: Story) -> None:
    stage = story.stage
    stage.chapter("2  People enrol their own keys, are verified, trained, and hold roles")
    chapters.people(story)
    chapters.procedure(story)
    stage.chapter("3  A calibrated instrument delivers real images; two bad files are quarantined")
    microscope = chapters.instrument(story)
    chapters.acquisition(story, microscope)
    stage.chapter("4  An approved method counts nuclei in an isolated process")
    chapters.method(story)
    chapters.analysis(story)
    stage.chapter("5  Independent review, quality review and release")
    chapters.review(story)


def _export(story: Story) -> Path:
    stage = story.stage
    stage.chapter("6  The evidence bundle leaves the system")
    stage.handed_over.mkdir(parents=True)
    operators.run(
        "ledger", "anchor", str(stage.handed_over / "anchors" / "checkpoint"), "--home", str(stage.home)
    )
    bundle = stage.handed_over / f"{story.numbers['release']}.zip"
    saved = story["quinn"].lab.export(story.numbers["release"], bundle)
    (stage.handed_over / "keys.txt").write_bytes((stage.home / "keys.txt").read_bytes())
    stage.tell(f"{bundle.name}: {saved.size} bytes; keys and an anchor are handed over apart from it.")
    return bundle


def _verify(story: Story, bundle: Path) -> str:
    """Run the single-file verifier in an interpreter without Coverslip's packages."""
    folder = story.stage.handed_over
    built = subprocess.run(
        [sys.executable, "-m", "coverslip.verifier.build", str(folder / "verify.pyz")],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise fault("verify.pyz", "to be built", built.stderr[-300:])
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            str(folder / "verify.pyz"),
            str(bundle),
            "--keys",
            str(folder / "keys.txt"),
            "--anchors",
            str(folder / "anchors"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    for line in done.stdout.splitlines():
        story.stage.tell(line)
    if done.returncode:
        raise fault("verify.pyz", "exit 0", f"{done.returncode}: {done.stderr[-300:]}")
    return next(
        line.removeprefix("verdict: ") for line in done.stdout.splitlines() if line.startswith("verdict: ")
    )
