"""Original files changed, lost, exchanged or added on the disk: the record and the place are named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any


def kinds(found: list[dict[str, Any]], record: str) -> set[str]:
    return {one["kind"] for one in found if record in one["record"]}


def writable(path: Any) -> Any:
    path.chmod(0o644)
    return path


def test_one_bit_in_an_image_is_named_with_the_record_and_the_place(copy: Any) -> None:
    path = writable(copy.object(copy.n["image1"]))
    data = bytearray(path.read_bytes())
    data[150_000] ^= 1
    path.write_bytes(data)
    (one,) = copy.vault()
    assert (one["kind"], one["record"]) == ("damaged", copy.n["image1"])
    assert f"bytes 0 to {len(data)}" in one["message"]


def test_two_bytes_exchanged_are_found(copy: Any) -> None:
    path = writable(copy.object(copy.n["image1"]))
    data = bytearray(path.read_bytes())
    one = next(i for i in range(1000, len(data)) if data[i] != data[i + 1])
    data[one], data[one + 1] = data[one + 1], data[one]
    path.write_bytes(data)
    assert kinds(copy.vault(), copy.n["image1"]) == {"damaged"}


def test_an_object_deleted_is_missing(copy: Any) -> None:
    path = copy.object(copy.n["image2"])
    path.unlink()
    assert kinds(copy.vault(), copy.n["image2"]) == {"missing"}


def test_an_object_deleted_and_unnamed_in_the_projection_is_missing_all_the_same(copy: Any) -> None:
    copy.object(copy.n["image2"]).unlink()
    copy.attack(
        "update projection.record set content = content #- '{fields,files}' where number = %s",
        values=(copy.n["image2"],),
    )
    assert kinds(copy.vault(), copy.n["image2"]) == {"missing"}


def test_a_sidecar_edited_or_removed_is_named(copy: Any) -> None:
    one, other = copy.object(copy.n["image1"]), copy.object(copy.n["image2"])
    beside = writable(one.with_name(f"{one.name}.json"))
    beside.write_bytes(beside.read_bytes().replace(b'"size"', b'"sizf"', 1))
    other.with_name(f"{other.name}.json").unlink()
    found = copy.vault()
    assert kinds(found, copy.n["image1"]) == {"sidecar_damaged"}
    assert "sidecar_missing" in kinds(found, copy.n["image2"])


def test_an_object_replaced_by_another_valid_one_is_named(copy: Any) -> None:
    one, other = copy.object(copy.n["image1"]), copy.object(copy.n["image2"])
    for suffix in ("", ".json"):
        shutil.copy2(other.with_name(other.name + suffix), writable(one.with_name(one.name + suffix)))
    assert "damaged" in kinds(copy.vault(), copy.n["image1"])


def test_an_object_replaced_by_a_link_to_a_right_copy_is_not_passed_over(copy: Any, tmp_path: Any) -> None:
    one = copy.object(copy.n["image1"])
    kept = shutil.copy2(one, tmp_path / "kept")
    one.unlink()
    one.symlink_to(kept)
    assert kinds(copy.vault(), copy.n["image1"]), "whoever can write the other file can change this one"


def test_a_stranger_is_found_and_a_sound_object_no_record_names_once_it_is_a_day_old(copy: Any) -> None:
    """An upload waits for its record; one that waits for days, and a stranger that is no object, are told."""
    from coverslip.vault.local import LocalVault

    (copy.home.root / "new").write_bytes(b"not on any record")
    stored = LocalVault(copy.home.vault).store(copy.home.root / "new", 1 << 20)
    path = LocalVault(copy.home.vault).path(stored.root)
    (path.parent / "notes.txt").write_text("hello")
    found = {(one["kind"], Path(one["object"]).name) for one in copy.vault()}
    assert found == {("extra", "notes.txt")}
    old = path.stat().st_mtime - 2 * 24 * 3600
    os.utime(path, (old, old))
    found = {(one["kind"], Path(one["object"]).name) for one in copy.vault()}
    assert found == {("extra", "notes.txt"), ("unnamed", stored.root)}
    (copy.home.root / "new").unlink()


def test_a_root_that_no_object_can_have_is_a_finding_and_no_crash(copy: Any) -> None:
    copy.attack(
        "update projection.record set content = jsonb_set(content, '{fields,files,0,root}', '\"../../x\"')"
        " where number = %s", values=(copy.n["image1"],),
    )  # fmt: skip
    assert kinds(copy.vault(), copy.n["image1"]) == {"missing"}
