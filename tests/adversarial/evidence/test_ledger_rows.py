"""Rows of the ledger changed behind its back: each change is found, and the record and field are named."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.ledger import canonical
from coverslip.ledger.commitment import ERASABLE
from coverslip.verifier.statement import PREFIX

REPLACE = "update ledger.body set {column} = %s where entry_id = %s"


def body(copy: Any, entry_id: int, column: str = "fixed") -> bytes:
    return bytes(copy.ask(f"select {column} from ledger.body where entry_id = %s", entry_id)[0][0])


def section(copy: Any, entry_id: int, name: str) -> tuple[int, int]:
    """Return where a fixed section lies in the fixed part of a body: (start, stop)."""
    leaf = json.loads(bytes(copy.ask("select leaf from ledger.entry where id = %s", entry_id)[0][0]))
    at = 0
    for ref in leaf["bodies"]:
        if "from" in ref or ref["s"] in ERASABLE:
            continue
        if ref["s"] == name:
            return at, at + ref["n"]
        at += ref["n"]
    raise AssertionError(f"entry {entry_id} stores no {name}")


def change_count(copy: Any) -> tuple[int, int, int]:
    """Raise the first count of the result by one, in the ledger's body; return (entry, index, version)."""
    found = copy.ask(
        "select e.id, l.idx, e.version, b.fixed from ledger.entry e join ledger.leaf l on l.entry_id = e.id"
        " join ledger.body b on b.entry_id = e.id where e.record_id = %s"
        ' and position(\'"raw_value":"\'::bytea in b.fixed) > 0 order by e.version desc limit 1',
        copy.uid(copy.n["results"]),
    )
    entry_id, index, version, data = found[0]
    value = json.loads(copy.ask("select content -> 'fields' -> 'rows' -> 0 from projection.record where"
                                " number = %s", copy.n["results"])[0][0]["value"])  # fmt: skip
    old, new = f'"value":"{value}"'.encode(), f'"value":"{value + 1}"'.encode()
    assert bytes(data).count(old) >= 1 and len(old) == len(new)
    copy.attack(REPLACE.format(column="fixed"), values=(bytes(data).replace(old, new, 1), entry_id))
    return entry_id, index, version


def test_a_result_value_edited_is_named_by_record_version_and_field(copy: Any, named: Any) -> None:
    entry_id, index, version = change_count(copy)
    where = {"entry_id": entry_id, "index": index, "record": copy.n["results"], "version": version}
    found = copy.verify()
    assert named(found, kind="body", field="content.fields.rows[0]", **where)
    assert len(found) == 1
    assert named(copy.replay(), record=copy.n["results"], field="content.fields.rows[0]")


def test_a_result_value_edited_in_ledger_and_projection_alike_is_named_all_the_same(
    copy: Any, named: Any
) -> None:
    entry_id, _, version = change_count(copy)
    data = canonical.decode(body(copy, entry_id)[slice(*section(copy, entry_id, "content"))])
    copy.attack(
        "update projection.record set content = jsonb_set(content, '{fields,rows}', %s::jsonb)"
        " where number = %s",
        values=(json.dumps(data["fields"]["rows"]), copy.n["results"]),
    )
    assert copy.replay() == []  # the projection follows the ledger: only the commitment knows
    assert named(copy.verify(), kind="body", record=copy.n["results"], version=version, field="content")


def test_a_body_salted_again_does_not_open_its_commitment(copy: Any, named: Any) -> None:
    entry_id, _, version = copy.entry(copy.n["results"], 1)
    salts = body(copy, entry_id, "fixed_salts")
    copy.attack(REPLACE.format(column="fixed_salts"), values=(b"\x01" * len(salts), entry_id))
    assert named(copy.verify(), kind="body", record=copy.n["results"], version=version, field="content")


@pytest.mark.parametrize("which", ["sop", "release"])
def test_a_leaf_edited_is_named_inside_and_outside_of_a_full_tile(copy: Any, named: Any, which: str) -> None:
    entry_id, index, version = copy.entry(copy.n[which], 2)
    copy.attack(
        "update ledger.entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"act\":\"',"
        " '\"act\":\"x'), 'UTF8') where id = %s", values=(entry_id,),
    )  # fmt: skip
    found = copy.verify()
    assert named(found, record=copy.n[which], version=version)
    assert any(copy.n[which] in s or f"index {index}" in s for s in named(found, kind="journal"))
    assert copy.start_up() != "" or index < 256, "the signer remembers another tree"


def test_an_entry_removed_with_its_leaf_and_body_is_found_where_it_lay(copy: Any, named: Any) -> None:
    entry_id, index, version = copy.entry(copy.n["run"], 3)
    copy.attack(
        f"delete from ledger.body where entry_id = {entry_id}",
        f"delete from ledger.leaf where entry_id = {entry_id}",
        f"delete from ledger.entry where id = {entry_id}",
    )
    found = copy.verify()
    assert named(found, kind="leaf", index=index)
    assert named(found, kind="chain", record=copy.n["run"], version=version + 1)
    assert copy.start_up() != ""


def test_an_entry_removed_and_the_rest_renumbered_is_found_by_its_broken_chain(copy: Any, named: Any) -> None:
    entry_id, index, version = copy.entry(copy.n["run"], 3)
    copy.attack(
        f"delete from ledger.body where entry_id = {entry_id}",
        f"delete from ledger.leaf where entry_id = {entry_id}",
        f"delete from ledger.entry where id = {entry_id}",
        f"update ledger.leaf set idx = idx + 100000 where idx > {index}",
        "update ledger.leaf set idx = idx - 100001 where idx > 100000",
        "update ledger.tree set size = size - 1",
    )
    found = copy.verify()
    assert named(found, kind="chain", record=copy.n["run"], version=version + 1)
    assert any("cut off" in s for s in named(found, kind="journal"))
    assert "signed" in copy.start_up()


def test_two_entries_swapped_are_named(copy: Any, named: Any) -> None:
    one, first, _ = copy.entry(copy.n["image2"], 2)
    other, second, _ = copy.entry(copy.n["release"], 2)
    copy.attack(
        f"update ledger.leaf set entry_id = -1 where idx = {first}",
        f"update ledger.leaf set entry_id = {one} where idx = {second}",
        f"update ledger.leaf set entry_id = {other} where idx = {first}",
    )
    found = copy.verify()
    assert named(found, index=first) and named(found, kind="journal")
    assert named(found, kind="chain", record=copy.n["release"])


def test_a_signature_moved_to_another_records_entry_is_named(copy: Any, named: Any) -> None:
    """Both were signed by the same person, quinn, with the same meaning."""
    source, target = copy.entry(copy.n["grant_MET"], 2)[0], copy.entry(copy.n["grant_SDR"], 2)[0]
    stolen = body(copy, source)[slice(*section(copy, source, "signature"))]
    start, stop = section(copy, target, "signature")
    assert len(stolen) == stop - start, "the same length, so that only the content can betray it"
    data = body(copy, target)
    copy.attack(REPLACE.format(column="fixed"), values=(data[:start] + stolen + data[stop:], target))
    found = copy.verify()
    assert named(found, kind="body", record=copy.n["grant_SDR"], version=2, field="signature")
    assert {one["record"] for one in found} == {copy.n["grant_SDR"]}


def test_a_signature_made_again_with_another_key_is_named(copy: Any, named: Any) -> None:
    entry_id, _, version = copy.entry(copy.n["release"], 2)
    data, (start, stop) = body(copy, entry_id), section(copy, entry_id, "signature")
    value = canonical.decode(data[start:stop])
    forger = Ed25519PrivateKey.generate()
    public = forger.public_key().public_bytes_raw()
    value |= {
        "public": public.hex(), "kid": hashlib.sha256(public).digest()[:16].hex(),
        "signature": forger.sign(PREFIX + canonical.encode(value["statement"])).hex(),
    }  # fmt: skip
    forged = data[:start] + canonical.encode(value) + data[stop:]
    assert len(forged) == len(data)
    copy.attack(REPLACE.format(column="fixed"), values=(forged, entry_id))
    where = {"record": copy.n["release"], "version": version}
    assert named(copy.verify(), kind="body", field="signature", **where)


def test_bodies_exchanged_between_two_entries_are_both_named(copy: Any, named: Any) -> None:
    one, other = copy.entry(copy.n["image1"], 2)[0], copy.entry(copy.n["image2"], 2)[0]
    copy.attack(
        "update ledger.body b set fixed = o.fixed, fixed_salts = o.fixed_salts from ledger.body o"
        f" where (b.entry_id, o.entry_id) in (({one}, {other}), ({other}, {one}))"
    )
    found = copy.verify()
    assert named(found, kind="body", record=copy.n["image1"], version=2)
    assert named(found, kind="body", record=copy.n["image2"], version=2)


def test_a_reason_removed_without_an_erasure_entry_is_named(copy: Any, named: Any) -> None:
    entry_id = copy.ask(
        "select e.id from ledger.entry e where e.record_id = %s and convert_from(leaf, 'UTF8') like %s",
        copy.uid(copy.n["run"]), '%"s":"reason"%',
    )[0][0]  # fmt: skip
    copy.attack(
        "update ledger.body set erasable = null, erasable_salts = null where entry_id = %s",
        values=(entry_id,),
    )
    found = copy.verify()
    assert named(found, record=copy.n["run"], field="reason", entry_id=entry_id)


def test_a_body_removed_is_named_with_its_sections(copy: Any, named: Any) -> None:
    entry_id, _, version = copy.entry(copy.n["review"], 1)
    copy.attack(f"delete from ledger.body where entry_id = {entry_id}")
    (one,) = named(copy.verify(), kind="body", record=copy.n["review"], version=version)
    assert "content" in one


@pytest.mark.parametrize("column", ["actor", "command_id", "record_id", "about"])
def test_a_column_that_says_another_thing_than_the_leaf_is_named(copy: Any, named: Any, column: str) -> None:
    entry_id, index, _ = copy.entry(copy.n["release"], 2)
    copy.attack(f"update ledger.entry set {column} = gen_random_uuid() where id = {entry_id}")
    assert named(copy.verify(), kind="row", index=index)
