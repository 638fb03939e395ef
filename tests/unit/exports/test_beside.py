"""A copy of any record holds what people said about it and the files they attached, and verifies offline."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import Lab as Opened, lab as open_lab
from coverslip.verifier.cli import main as verify
from fix_lab import Lab


def sign(lab: Lab) -> None:
    """Integrate and sign whatever waits."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


@pytest.fixture
def opened(lab: Lab) -> Iterator[Opened]:
    """The laboratory as a serving process has it."""
    assert lab.quinn.context.person
    with open_lab(lab.home) as found:
        yield found


def copy(lab: Lab, opened: Opened, label: str, target: Path, text_filter: str = "") -> dict[str, Any]:
    """Write the copy of a record, verify it apart from the installation, and return its manifest."""
    sign(lab)
    number, _, revision = label.partition(" v")
    out = io.BytesIO()
    opened.exports().bundle(lab.row(number, int(revision or 0)), lab.quinn.context, text_filter, out)
    target.write_bytes(out.getvalue())
    assert verify([str(target), "--keys", str(lab.home.public_keys)]) == 0
    with zipfile.ZipFile(target) as held:
        value: dict[str, Any] = json.loads(held.read("manifest.json"))
        value["names"] = held.namelist()
    return value


def labels(manifest: dict[str, Any]) -> set[str]:
    return {str(r["label"]) for r in manifest["scope"]["records"]}


def about(lab: Lab, label: str) -> tuple[set[str], bytes]:
    """Say something about a record, attach a file to it and hold it."""
    text = f"What belongs to {label}.".encode()
    comment = lab.alan.create("comment", subject=label, text="Seen and wondered at.")
    file = lab.rita.create("attachment", subject=label, what="Photograph", file=lab.attach("photo.jpg", text))
    tag = lab.rita.create("tag", subject=label, word=f"to show {uuid4().hex[:8]}")
    hold = lab.vera.create("hold", subject=label, reason="It is looked into first.")
    lab.vera.do(hold, "lift", sign=True, why="It was looked into.")
    return {comment, file, tag, hold}, text


@pytest.mark.parametrize("which", ["study", "sop", "instrument", "image", "calibration"])
def test_a_copy_of_any_record_holds_what_stands_beside_it(
    lab: Lab, opened: Opened, tmp_path: Path, which: str
) -> None:
    label = lab.new_image() if which == "image" else lab.n[which]
    label = f"{label} v1" if which == "sop" else label
    beside, text = about(lab, label)
    manifest = copy(lab, opened, label, tmp_path / "copy.zip")
    assert beside <= labels(manifest)
    assert manifest["scope"]["kind"] == "complete"
    photos = [name for name in manifest["names"] if name.startswith("files/") and name.endswith("photo.jpg")]
    with zipfile.ZipFile(tmp_path / "copy.zip") as held:
        assert text in [held.read(name) for name in photos]


def test_what_is_said_about_something_the_record_stands_on_goes_with_it(
    lab: Lab, opened: Opened, tmp_path: Path
) -> None:
    beside, _ = about(lab, lab.n["instrument"])
    assert beside <= labels(copy(lab, opened, lab.n["session"], tmp_path / "copy.zip"))


def test_what_a_filter_leaves_out_is_named(lab: Lab, opened: Opened, tmp_path: Path) -> None:
    beside, _ = about(lab, lab.n["study"])
    manifest = copy(lab, opened, lab.n["study"], tmp_path / "copy.zip", "STU")
    assert manifest["scope"]["kind"] == "filtered"
    assert not beside & labels(manifest)
    assert beside <= {str(w["number"]) for w in manifest["scope"]["withheld"]}


def test_a_withdrawn_comment_and_a_voided_one_stay_in_the_copy(
    lab: Lab, opened: Opened, tmp_path: Path
) -> None:
    study = lab.new_study()
    one = lab.alan.create("comment", subject=study, text="Written in haste.")
    other = lab.alan.create("comment", subject=study, text="Written about another one.")
    lab.alan.do(one, "withdraw", why="It was written in haste.")
    lab.vera.do(other, "void", sign=True, why="It is about a study of another site.")
    assert {one, other} <= labels(copy(lab, opened, study, tmp_path / "copy.zip"))
