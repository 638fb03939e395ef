"""Forgeries by people who hold less than all keys: each is found, and named where it was made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bundle_lab import ORIGIN, Lab, NoteSigner, Person, resealed, uuid

from coverslip.exports.bundle import ScopeRecord, Stored, Withheld
from coverslip.ledger import canonical, leaf as leaf_format
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.commitment import commit
from coverslip.verifier.report import FINDING, HOLDS, UNDETERMINED, USAGE, Report

IMAGE = "IMG-2027-000001"


@pytest.fixture
def lab() -> Lab:
    return Lab().live()


def _says(report: Report, *words: str) -> bool:
    return any(all(word in one.sentence() for word in words) for one in report.findings)


def _insist(report: Report, *words: str) -> None:
    assert report.exit_code == FINDING, report.text()
    assert _says(report, *words), report.text()


# --- container and keys --------------------------------------------------------------------------------
def test_an_honest_bundle_holds(lab: Lab) -> None:
    report = lab.verify(lab.bundle())
    assert report.exit_code == HOLDS, report.text()
    assert report.text().endswith("verdict: holds\n")


@pytest.mark.parametrize("keep", [0, 1, 3, 29, 30, 500, 5000, -1, -21, -22, -23])
def test_a_truncated_bundle_does_not_hold(lab: Lab, keep: int) -> None:
    report = lab.verify(lab.bundle()[:keep])
    assert report.exit_code == FINDING
    assert report.text().splitlines()[-1].startswith("verdict: does not hold")


@pytest.mark.parametrize("tail", [b"\x00", b"PK\x05\x06", b"anything" * 1000])
def test_bytes_appended_to_a_bundle_are_found(lab: Lab, tail: bytes) -> None:
    _insist(lab.verify(lab.bundle() + tail), "zip structure at byte", "bytes follow the end record")


def test_bytes_put_before_a_bundle_are_found(lab: Lab) -> None:
    _insist(lab.verify(b"#!/bin/sh\n" + lab.bundle()), "zip structure at byte 0")


def test_a_bundle_of_other_keys_is_untrusted_not_judged(lab: Lab) -> None:
    other = NoteSigner("elsewhere.example/lab"), NoteSigner("elsewhere.example/lab/export")
    report = lab.verify(lab.bundle(), keys="\n".join(one.vkey.format() for one in other))
    assert report.exit_code == USAGE and "Untrusted keys" in report.untrusted
    assert report.holds == []


def test_a_key_list_without_the_log_key_is_not_enough(lab: Lab) -> None:
    assert lab.verify(lab.bundle(), keys=lab.export_key.vkey.format()).exit_code == USAGE


def test_a_bundle_signed_by_a_key_of_the_same_name_is_untrusted(lab: Lab) -> None:
    real, lab.export_key = lab.export_key, NoteSigner(ORIGIN + "/export", "stolen name")
    data = lab.bundle()
    lab.export_key = real
    assert lab.verify(data).exit_code == USAGE


def test_a_manifest_signed_by_another_key_does_not_hold(lab: Lab) -> None:
    data = lab.bundle(sign=NoteSigner(ORIGIN + "/export", "stolen name").seal)
    _insist(lab.verify(data), "manifest.sig")


def test_a_manifest_signed_by_the_log_key_does_not_hold(lab: Lab) -> None:
    _insist(lab.verify(lab.bundle(sign=lab.log_key.seal)), "manifest.sig")


def test_a_member_added_under_a_new_seal_is_found(lab: Lab) -> None:
    data = resealed(lab, lab.bundle(), lambda members: members.update({"setup.exe": b"MZ"}))
    _insist(lab.verify(data), "setup.exe", "a bundle has no such member")


def test_a_file_added_under_a_new_seal_is_found(lab: Lab) -> None:
    data = resealed(lab, lab.bundle(), lambda members: members.update({f"files/{IMAGE}/more.tif": b"II*"}))
    _insist(lab.verify(data), "more.tif", "no record in scope")


# --- the log -------------------------------------------------------------------------------------------
def test_an_entry_removed_and_the_tree_redone_but_not_signed_is_found(lab: Lab) -> None:
    checkpoint = lab.checkpoint()
    kept = [leaf for index, leaf in enumerate(lab.leaves) if index != 20]
    data = resealed(lab, lab.bundle(), lambda members: members.update({"leaves.bin": _framed(kept)}))
    report = lab.verify(data)
    _insist(report, "leaves.bin", "21 leaves have the root", "signs 22 entries")
    assert checkpoint == lab.checkpoint()


def test_the_last_entries_cut_off_are_found(lab: Lab) -> None:
    data = resealed(
        lab, lab.bundle(), lambda members: members.update({"leaves.bin": _framed(lab.leaves[:-2])})
    )
    _insist(lab.verify(data), "leaves.bin", "20 leaves")


def test_two_entries_swapped_are_found(lab: Lab) -> None:
    leaves = list(lab.leaves)
    leaves[20], leaves[21] = leaves[21], leaves[20]
    data = resealed(lab, lab.bundle(), lambda members: members.update({"leaves.bin": _framed(leaves)}))
    _insist(lab.verify(data), "leaves.bin", "have the root")


def test_a_checkpoint_signed_by_another_key_is_found(lab: Lab) -> None:
    forged = NoteSigner(ORIGIN, "thief").seal(Checkpoint(ORIGIN, len(lab.leaves), lab.root()).text().encode())
    _insist(lab.verify(lab.bundle(checkpoint=forged)), "checkpoint", "no signature by a known key")


def test_a_version_that_names_another_predecessor_is_found(lab: Lab) -> None:
    record = lab.heads[uuid("elsewhere")].record
    lab.append(
        "document",
        uuid("elsewhere"),
        "edit",
        lab.otto,
        {"content": lab.content("document", "DOC-0009", "draft")},
        forge_leaf={"record": replace(record, ver=2, prev="0" * 64)},
    )
    _insist(lab.verify(lab.bundle()), "leaves.bin", "entry 22", "does not follow version 1")


def test_a_leaf_of_another_log_is_found(lab: Lab) -> None:
    lab.append("document", uuid("x"), "create", lab.otto, forge_leaf={"log": "other.example/lab"})
    _insist(lab.verify(lab.bundle()), "leaves.bin", "entry 22", "other.example/lab")


def test_genesis_after_genesis_is_found(lab: Lab) -> None:
    lab.append(
        "document",
        uuid("late"),
        "create",
        lab.otto,
        {"content": lab.content("document", "POL-0002", "effective")},
        type="genesis",
    )
    _insist(lab.verify(lab.bundle()), "entry 22", "after genesis was over")


def test_a_record_without_a_definition_on_the_log_is_found(lab: Lab) -> None:
    lab.append(
        "image",
        uuid("image"),
        "edit",
        lab.mia,
        {"content": lab.content("image", IMAGE, "x")},
        keep=("personal", "files"),
        forge_leaf={"definition": "9" * 64},
    )
    _insist(lab.verify(lab.bundle()), f"record {IMAGE}", "field def")


def test_a_section_called_unchanged_that_was_changed_is_found(lab: Lab) -> None:
    body = lab.heads[uuid("image")].body("content")
    assert body is not None
    files = lab.heads[uuid("image")].body("files")
    assert files is not None
    bodies = (replace(body, commitment="7" * 64, from_version=4), replace(files, from_version=4))
    lab.append(
        "image",
        uuid("image"),
        "touch",
        lab.mia,
        forge_leaf={
            "bodies": bodies,
            "files": lab.heads[uuid("image")].files,
        },
    )
    _insist(lab.verify(lab.bundle()), "entry 22", "field content", "unchanged since version 4")


# --- bodies --------------------------------------------------------------------------------------------
def _line(lab: Lab, change: Callable[[dict[int, Any]], None]) -> bytes:
    def edit(members: dict[str, bytes]) -> None:
        lines = {
            value["idx"]: value for value in map(json.loads, members["bodies/00000000.jsonl"].splitlines())
        }
        change(lines)
        members["bodies/00000000.jsonl"] = b"".join(
            json.dumps(lines[i], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            for i in sorted(lines)
        )

    return resealed(lab, lab.bundle(), edit)


def test_a_changed_body_is_found(lab: Lab) -> None:
    def change(lines: dict[int, Any]) -> None:
        section = lines[17]["sections"]["content"]
        section["text"] = section["text"].replace('"gain":"-1.5"', '"gain":"-1.6"')

    _insist(
        lab.verify(_line(lab, change)), "entry 17", IMAGE, "field content", "does not open its commitment"
    )


def test_a_body_moved_to_another_entry_is_found(lab: Lab) -> None:
    def swap(lines: dict[int, Any]) -> None:
        one, other = lines[17]["sections"], lines[18]["sections"]
        one["content"], other["content"] = other["content"], one["content"]

    report = lab.verify(_line(lab, swap))
    _insist(report, "entry 17", "field content")
    _insist(report, "entry 18", "field content")


def test_a_body_with_another_salt_is_found(lab: Lab) -> None:
    def change(lines: dict[int, Any]) -> None:
        lines[17]["sections"]["reason"]["salt"] = "0" * 64

    _insist(lab.verify(_line(lab, change)), "entry 17", "field reason")


def test_a_section_left_out_of_a_complete_copy_is_found(lab: Lab) -> None:
    _insist(
        lab.verify(_line(lab, lambda lines: lines[17]["sections"].pop("content"))),
        "entry 17",
        "field content",
    )
    report = lab.verify(_line(lab, lambda lines: lines[17]["sections"].pop("reason")))
    _insist(report, "entry 17", IMAGE, "field reason", "no erasure entry")


def test_a_whole_body_left_out_of_a_complete_copy_is_found(lab: Lab) -> None:
    _insist(lab.verify(_line(lab, lambda lines: lines.pop(18))), "entry 18", "field signature")


def test_a_user_record_left_out_is_found(lab: Lab) -> None:
    _insist(lab.verify(_line(lab, lambda lines: lines.pop(13))), "entry 13", "field content")


def test_an_added_section_is_found(lab: Lab) -> None:
    def change(lines: dict[int, Any]) -> None:
        lines[17]["sections"]["snapshot"] = {"salt": "0" * 64, "text": "{}"}

    _insist(lab.verify(_line(lab, change)), "entry 17", "field snapshot")


def test_sections_erased_under_an_erasure_entry_hold(lab: Lab) -> None:
    lab.erase(uuid("image"), 1)
    report = lab.verify(lab.bundle())
    assert report.exit_code == HOLDS, report.text()
    assert any("2 sections were erased" in line for line in report.holds)


def test_sections_erased_under_an_erasure_of_another_version_are_found(lab: Lab) -> None:
    lab.erase(uuid("image"), 1)
    del lab.bodies[17]["reason"]
    _insist(lab.verify(lab.bundle()), "entry 17", "field reason", "no erasure entry")


def test_a_fixed_section_cannot_be_erased(lab: Lab) -> None:
    lab.erase(uuid("image"), 1)
    report = lab.verify(_line(lab, lambda lines: lines[16]["sections"].pop("content")))
    _insist(report, "entry 16", "field content")


# --- signatures ----------------------------------------------------------------------------------------
def _sign_image(lab: Lab, signer: Person, actor: Person | None = None, **forged: Any) -> Report:
    """Enter a fifth version of the image with a signature and verify a bundle of it."""
    number = {"content": lab.content("image", IMAGE, "released")}
    lab.append(
        "image",
        uuid("image"),
        "release",
        actor or signer,
        number,
        keep=("personal", "files"),
        signer=signer,
        meaning="released",
        **forged,
    )
    return lab.verify(lab.bundle())


def test_a_fifth_honest_signature_holds(lab: Lab) -> None:
    assert _sign_image(lab, lab.quinn).exit_code == HOLDS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("log", "other.example/lab"),
        ("record", {"kind": "image", "id": uuid("other image"), "number": IMAGE}),
        ("record", {"kind": "document", "id": uuid("image"), "number": IMAGE}),
        ("record", {"kind": "image", "id": uuid("image"), "number": "IMG-2027-000002"}),
        ("base", {"ver": 4, "leaf": "0" * 64}),
        ("base", {"ver": 3, "leaf": "0" * 64}),
        ("act", "approve"),
        ("def", "0" * 64),
        ("meaning", "reviewed"),
        ("sections", {}),
        ("sections", {"content": "0" * 64}),
        ("files", {"root": "0" * 64, "count": 2}),
    ],
)
def test_a_statement_about_something_else_is_found(lab: Lab, field: str, value: Any) -> None:
    _insist(_sign_image(lab, lab.quinn, forge_statement={field: value}), "entry 22", IMAGE, "signature.")


def test_a_signature_moved_from_another_entry_is_found(lab: Lab) -> None:
    stolen = canonical.decode(lab.bodies[18]["signature"].text.encode())
    _insist(_sign_image(lab, lab.quinn, forge_signature=stolen), "entry 22", "signature.base")


def test_a_signature_moved_to_another_record_is_found(lab: Lab) -> None:
    stolen = canonical.decode(lab.bodies[18]["signature"].text.encode())
    other = lab.content("image", "IMG-2027-000002", "reviewed")
    lab.append(
        "image",
        uuid("second"),
        "review",
        lab.quinn,
        {"content": other},
        signer=lab.quinn,
        meaning="reviewed",
        forge_signature=stolen,
    )
    scope = lab.scope(
        records=(
            ScopeRecord("image", uuid("image"), IMAGE),
            ScopeRecord("image", uuid("second"), "IMG-2027-000002"),
        ),
        requested=2,
    )
    _insist(lab.verify(lab.bundle(scope=scope)), "entry 22", "IMG-2027-000002", "signature.record.id")


def test_a_signature_that_does_not_verify_is_found(lab: Lab) -> None:
    stolen = canonical.decode(lab.bodies[18]["signature"].text.encode())
    stolen["signature"] = "00" * 64
    _insist(_sign_image(lab, lab.quinn, forge_signature=stolen), "entry 22", "field signature")


def test_a_signature_by_a_key_nobody_enrolled_is_found(lab: Lab) -> None:
    mallory = Person("mallory", "Mallory", "QA")
    _insist(_sign_image(lab, mallory), "entry 22", "not in the user record")


def test_a_signature_by_an_unverified_key_is_found(lab: Lab) -> None:
    eve = Person("eve", "Eve Adams", "QA")
    lab.enrol(6, eve)
    _insist(_sign_image(lab, eve), "entry 23", "nobody has verified")


def test_a_key_verified_by_its_own_owner_does_not_count(lab: Lab) -> None:
    eve = Person("eve", "Eve Adams", "QA")
    lab.enrol(6, eve)
    lab.vouch(6, eve, eve)
    _insist(_sign_image(lab, eve), "entry 24", "nobody has verified")


def test_a_key_its_owner_never_used_does_not_count(lab: Lab) -> None:
    eve = Person("eve", "Eve Adams", "QA")
    lab.append("user", eve.id, "create", lab.ada, {"content": lab.user(6, eve, "invited")})
    lab.vouch(6, eve, lab.quinn)
    _insist(_sign_image(lab, eve), "entry 24", "nobody has verified")


def test_a_key_that_left_the_user_record_counts_no_more(lab: Lab) -> None:
    content = lab.user(5, lab.pat, "active")
    content["fields"]["signing_keys"] = []
    lab.append("user", lab.pat.id, "reset", lab.ada, {"content": content})
    _insist(_sign_image(lab, lab.pat), "entry 23", "not in the user record")


def test_a_person_signing_an_entry_of_another_is_found(lab: Lab) -> None:
    _insist(_sign_image(lab, lab.quinn, lab.mia), "entry 22", "signature.signer")


def test_another_printed_name_is_found(lab: Lab) -> None:
    signer = {"person": lab.quinn.id, "username": "quinn", "name": "Queen Ito", "role": "QA"}
    _insist(_sign_image(lab, lab.quinn, forge_statement={"signer": signer}), "entry 22", "Queen Ito")


def test_a_checkpoint_the_log_never_had_is_found(lab: Lab) -> None:
    forged = {"checkpoint": {"size": 9, "root": "0" * 64}}
    _insist(_sign_image(lab, lab.quinn, forge_statement=forged), "entry 22", "signature.checkpoint")


def test_a_meaning_without_a_signature_is_found(lab: Lab) -> None:
    lab.append(
        "image",
        uuid("image"),
        "release",
        lab.quinn,
        {"content": lab.content("image", IMAGE, "released")},
        keep=("personal", "files"),
        meaning="released",
    )
    _insist(lab.verify(lab.bundle()), "entry 22", "no signature")


def test_a_founder_whom_nobody_verified_is_found() -> None:
    lab = Lab()
    lab.define("user", "document", "image")
    lab.enrol(1, lab.ada, "genesis")
    lab.append(
        "document",
        uuid("policy"),
        "create",
        lab.ada,
        {"content": lab.content("document", "POL-0001", "x")},
        type="genesis",
        signer=lab.ada,
        meaning="authored",
    )
    scope = lab.scope(records=(ScopeRecord("document", uuid("policy"), "POL-0001"),))
    _insist(lab.verify(lab.bundle(scope=scope)), "entry 4", "not verified by another founder")


def test_signing_with_an_unaccepted_clock_is_found_in_regulated_use_only() -> None:
    clock = {"clock": leaf_format.Clock(2_000_000, "none", False)}
    lab = Lab("regulated").live()
    assert lab.verify(lab.bundle()).exit_code == HOLDS
    _insist(_sign_image(lab, lab.quinn, forge_leaf=clock), "entry 22", "clock was not accepted")
    trial = Lab().live()
    report = _sign_image(trial, trial.quinn, forge_leaf=clock)
    assert report.exit_code == HOLDS
    assert "not for GxP use" in report.text()


# --- links, files, scope, readable copies --------------------------------------------------------------
def test_a_link_to_a_version_that_is_not_on_the_log_is_found(lab: Lab) -> None:
    link = {"type": "document", "uid": uuid("policy"), "number": "POL-0001", "version": 2, "hash": "0" * 64}
    content = lab.content("image", IMAGE, "edited", policy=link)
    lab.append("image", uuid("image"), "edit", lab.mia, {"content": content}, keep=("personal", "files"))
    _insist(lab.verify(lab.bundle()), "entry 22", "fields.policy", "links to version 2")


def test_a_changed_original_file_under_a_new_seal_is_found(lab: Lab) -> None:
    path = f"files/{IMAGE}/notes.txt"
    data = resealed(
        lab, lab.bundle(), lambda members: members.update({path: b"as acquired, or nearly so..\n"})
    )
    _insist(lab.verify(data), path, IMAGE, "is not the file its record names")


def test_an_original_file_left_out_is_found_unless_withheld(lab: Lab) -> None:
    data = resealed(lab, lab.bundle(), lambda members: _drop(members, f"files/{IMAGE}/notes.txt"))
    _insist(lab.verify(data), f"files/{IMAGE}/notes.txt", "missing")
    scope = lab.scope(withheld=(Withheld(f"{IMAGE}/notes.txt", "trade secret"),))
    report = lab.verify(lab.bundle(scope=scope))
    assert report.exit_code == HOLDS, report.text()
    assert any("original files are not in the copy" in line for line in report.not_proven)


@pytest.mark.parametrize("path", [f"records/{IMAGE}.json", "trail.csv", "trail.json", "index.html"])
def test_a_readable_copy_that_says_something_else_is_found(lab: Lab, path: str) -> None:
    def edit(members: dict[str, bytes]) -> None:
        assert b"checked" in members[path]
        members[path] = members[path].replace(b"checked", b"skipped")

    _insist(lab.verify(resealed(lab, lab.bundle(), edit)), path)


@pytest.mark.parametrize("path", [f"records/{IMAGE}.json", "trail.csv", "trail.json", "index.html"])
def test_a_readable_copy_with_more_or_less_at_its_end_is_found(lab: Lab, path: str) -> None:
    longer = resealed(lab, lab.bundle(), lambda members: members.update({path: members[path] + b"x"}))
    _insist(lab.verify(longer), path)
    shorter = resealed(lab, lab.bundle(), lambda members: members.update({path: members[path][:-1]}))
    _insist(lab.verify(shorter), path)


def test_a_filtered_copy_is_marked_everywhere(lab: Lab) -> None:
    scope = lab.scope(kind="filtered", filter="since 2026-11-20")
    data = lab.bundle(scope=scope)
    report = lab.verify(data)
    assert report.exit_code == HOLDS, report.text()
    assert report.incomplete == "INCOMPLETE: since 2026-11-20"
    assert any("filtered" in line for line in report.not_proven)
    assert data.count(b"INCOMPLETE: since 2026-11-20") >= 4


def test_a_filtered_copy_cannot_lose_its_marking(lab: Lab) -> None:
    data = lab.bundle(scope=lab.scope(kind="filtered", filter="part"))

    def unmark(members: dict[str, bytes]) -> None:
        members["index.html"] = members["index.html"].replace(b"INCOMPLETE: part", b"complete")

    _insist(lab.verify(resealed(lab, data, unmark)), "index.html")
    value = data.replace(b'"notice":"INCOMPLETE: part"', b'"notice":"COMPLETE__: part"')
    _insist(lab.verify(value), "manifest.json")


def test_what_is_absent_from_a_filtered_copy_is_not_a_finding_but_said(lab: Lab) -> None:
    scope = lab.scope(kind="filtered", filter="without the first version")
    bodies = lab.copied(scope)
    bodies[16] = {"content": bodies[16]["content"], "files": bodies[16]["files"]}
    report = lab.verify(lab.bundle(scope=scope, bodies=bodies))
    assert report.exit_code == HOLDS, report.text()
    assert any("were not seen" in line for line in report.not_proven)


def test_counts_that_do_not_agree_are_found(lab: Lab) -> None:
    _insist(lab.verify(lab.bundle(scope=lab.scope(requested=3))), "manifest.json", "counts")


def test_a_record_under_another_number_is_found(lab: Lab) -> None:
    scope = lab.scope(records=(ScopeRecord("image", uuid("image"), "IMG-2027-000009"),))
    _insist(lab.verify(lab.bundle(scope=scope)), "IMG-2027-000009")


def test_an_evaluation_cannot_be_exported_as_regulated(lab: Lab) -> None:
    _insist(lab.verify(lab.bundle(use="regulated")), "the log was opened for evaluation")


def test_a_body_that_only_opens_its_commitment_is_still_read_strictly(lab: Lab) -> None:
    """Somebody with the writer's credentials enters content that is no canonical JSON."""
    text, salt = '{"b":1,"a":2}', bytes(32)
    body = lab.heads[uuid("image")].body("content")
    assert body is not None
    forged = replace(
        body, commitment=commit("content", salt, text.encode()).hex(), length=len(text), from_version=None
    )
    index = lab.append(
        "image", uuid("image"), "edit", lab.mia, forge_leaf={"bodies": (forged,), "files": None}
    )
    lab.bodies[index] = {"content": Stored(salt, text)}
    clean = lab.copied(lab.scope())
    clean.pop(index)
    data = lab.bundle(bodies=clean)

    def add(members: dict[str, bytes]) -> None:
        line = {"idx": index, "sections": {"content": {"salt": salt.hex(), "text": text}}}
        members["bodies/00000000.jsonl"] += json.dumps(line, separators=(",", ":")).encode() + b"\n"

    _insist(lab.verify(resealed(lab, data, add)), f"entry {index}", "canonical")


# --- anchors -------------------------------------------------------------------------------------------
def test_an_anchor_of_a_prefix_holds(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_bytes(
        lab.checkpoint(3) + lab.checkpoint(12) + b"\n" + lab.checkpoint(22)
    )
    report = lab.verify(lab.bundle(), anchors=tmp_path)
    assert report.exit_code == HOLDS, report.text()
    assert any(line.startswith("3 independently held") for line in report.holds)


def test_an_anchor_of_a_longer_log_is_a_rollback(lab: Lab, tmp_path: Path) -> None:
    data = lab.bundle()
    lab.append("installation", uuid("installation"), "beat", lab.ada, type="heartbeat")
    (tmp_path / "anchor").write_bytes(lab.checkpoint())
    _insist(lab.verify(data, anchors=tmp_path), "rollback", "anchors 23 entries", "has 22")


def test_an_anchor_of_another_history_is_a_fork(lab: Lab, tmp_path: Path) -> None:
    data = lab.bundle()
    lab.leaves[19] = lab.leaves[19].replace(b"approve", b"reproof")
    (tmp_path / "anchor").write_bytes(lab.checkpoint())
    _insist(lab.verify(data, anchors=tmp_path), "fork", "22 entries")


def test_an_anchor_inside_the_bundle_is_compared_too(lab: Lab) -> None:
    root = bytes(32)
    forged = lab.log_key.seal(Checkpoint(ORIGIN, 4, root).text().encode())
    _insist(lab.verify(lab.bundle(extra={"anchors/file": forged})), "anchors/ in the bundle", "fork")


def test_a_folder_without_an_anchor_leaves_the_question_open(lab: Lab, tmp_path: Path) -> None:
    assert lab.verify(lab.bundle(), anchors=tmp_path).exit_code == UNDETERMINED
    (tmp_path / "note.txt").write_text("call me")
    assert lab.verify(lab.bundle(), anchors=tmp_path).exit_code == UNDETERMINED


def test_an_anchor_altered_in_its_folder_leaves_the_question_open(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "anchor").write_bytes(lab.checkpoint(12).replace(b"\n12\n", b"\n13\n"))
    report = lab.verify(lab.bundle(), anchors=tmp_path)
    assert report.exit_code == UNDETERMINED
    assert "is false" in report.undetermined[0]


def test_anchors_older_than_policy_leave_the_question_open(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "anchor").write_bytes(lab.checkpoint(12))
    assert lab.verify(lab.bundle(), anchors=tmp_path, max_age=1).exit_code == UNDETERMINED
    assert lab.verify(lab.bundle(), anchors=tmp_path, max_age=48).exit_code == HOLDS


def _framed(leaves: list[bytes]) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in leaves)


def _drop(members: dict[str, bytes], path: str) -> None:
    del members[path]
