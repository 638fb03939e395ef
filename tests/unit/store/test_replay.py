"""Projections are what the ledger says: every row edited behind its back is named."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from coverslip_lab import Lab

from coverslip.kernel.ports import Projection
from coverslip.store.findings import Report
from coverslip.store.replay import replay


def project(kind: str, definition: str, uid: str, content: dict[str, Any]) -> Projection:
    """What these tests write, as a function of the content."""
    fields = content["fields"]
    return Projection(
        content["number"], content["state"], content["title"], content["gxp"], definition, content,
        content.get("revision", 0), UUID(content["site"]) if "site" in content else None,
        fields.get("links", ()), fields.get("authority", ()), fields.get("blocks", ()), fields.get("unique", ()),  # noqa: E501
    )  # fmt: skip


@pytest.fixture
def filled(lab: Lab) -> Lab:
    image = lab.write("image", "IMG-0001")
    links = [{"field": "image", "type": "image", "uid": str(image.uid), "version": 1}]
    chosen = lab.write("image_set", "SET-0001", fields={"links": links}, links=links)
    lab.write("image_set", after=chosen, fields={"links": links}, links=links, state="frozen")
    authority = [
        {
            "person": str(lab.actor),
            "kind": "role",
            "code": "OPR",
            "valid_from": "2026-01-01T00:00:00Z",
            "data": {"a": 1},
        }
    ]
    lab.write("role_grant", "GRT-0001", fields={"authority": authority}, authority=authority)
    blocks = [{"target_type": "image", "target_uid": str(image.uid), "reason": "smudge"}]
    lab.write("hold", "HLD-0001", fields={"blocks": blocks}, blocks=blocks)
    unique = [{"scope": "user.name", "value": "ann", "forever": True}]
    user = lab.write("user", "USR-0001", fields={"unique": unique}, unique=unique)
    lab.write("user", after=user)
    return lab


def run(lab: Lab) -> Report:
    with lab.connect("cs_verifier") as conn:
        return replay(conn, project)


def test_projections_written_by_commits_are_those_of_the_ledger(filled: Lab) -> None:
    report = run(filled)
    assert report.holds, [one.sentence() for one in report.findings]
    assert report.counts["entries"] == 7 and report.counts["records"] == 5


@pytest.mark.parametrize(
    ("change", "kind", "record", "field"),
    [
        ("update projection.record set state = 'open' where number = 'SET-0001'", "record", "SET-0001", "state"),  # noqa: E501
        ("update projection.record set version = 7, seq = 9 where number = 'SET-0001'", "record", "SET-0001", "version"),  # noqa: E501
        (
            "update projection.record set content = jsonb_set(content, '{state}', '\"open\"') where number = 'SET-0001'",  # noqa: E501
            "record", "SET-0001", "content.state",
        ),
        ("update projection.record set changed_by = gen_random_uuid() where number = 'IMG-0001'", "record", "IMG-0001", "changed_by"),  # noqa: E501
        ("update projection.record set seq = 0 where number = 'SET-0001'", "record", "SET-0001", "seq"),
        ("delete from projection.record where number = 'IMG-0001'", "record", "IMG-0001", ""),
        ("update projection.number set number = 'IMG-0009' where number = 'IMG-0001'", "number", "IMG-0001", ""),  # noqa: E501
        ("delete from projection.link", "link", "SET-0001", ""),
        ("update projection.link set to_version = 2", "link", "SET-0001", ""),
        ("delete from projection.blocker", "blocker", "HLD-0001", ""),
        ("update projection.authority set code = 'QA'", "authority", "GRT-0001", ""),
        ("update projection.authority set valid_to = now()", "authority", "GRT-0001", ""),
        ("delete from projection.unique_value", "unique", "USR-0001", ""),
    ],
)  # fmt: skip
def test_a_row_edited_behind_the_ledger_is_named(
    filled: Lab, change: str, kind: str, record: str, field: str
) -> None:
    with filled.connect() as conn:
        conn.execute(change)
    found = {(one.kind, one.record, one.field) for one in run(filled).findings}
    assert (kind, record, field) in found


def test_authority_without_any_entry_is_found(filled: Lab) -> None:
    with filled.connect() as conn:
        conn.execute(
            "insert into projection.authority(person, kind, code, source_type, source)"
            " values (%s, 'role', 'QA', 'role_grant', gen_random_uuid())", (filled.actor,)
        )  # fmt: skip
    (found,) = run(filled).findings
    assert found.kind == "authority" and "without any entry" in found.message
