"""A signing key put under a person's name by SQL: it opens doors, and each check names what it signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coverslip.kernel import keys
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING
from coverslip.verifier.verify import verify_stream
from fix_story import Cast, running, secret_of

CHEAP = {"memory_kib": 64, "time_cost": 1, "parallelism": 1}


def plant(copy: Any, username: str, *, projections: bool) -> str:
    """Put a new key, whose password the attacker knows, under a person's name; return its id."""
    uid = copy.uid(copy.n[username])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", CHEAP)
        made = keys.enrol(secret_of(username), uid)
    copy.attack(
        "update ops.credential set key_id = %s, data = %s::jsonb where person = %s and kind = 'signing'",
        values=(made.kid, json.dumps(made.wrapped), uid),
    )
    if projections:
        key = [{"kid": made.kid, "scheme": keys.SCHEME, "public": made.public, "enrolled_at": "2026-01-01"}]
        copy.attack(
            "update projection.record set content = jsonb_set(content, '{fields,signing_keys}', %s::jsonb)"
            " where uid = %s", values=(json.dumps(key), uid),
        )  # fmt: skip
        copy.attack(
            "update projection.authority set data = jsonb_set(data, '{kids}', %s::jsonb)"
            " where person = %s and kind = 'account'", values=(json.dumps([made.kid]), uid),
        )  # fmt: skip
    return made.kid


def test_a_key_that_only_the_credential_store_knows_opens_nothing(copy: Any) -> None:
    plant(copy, "vera", projections=False)
    with running(copy.root) as client:
        opened = client.post(
            "/api/v1/sessions",
            json={"username": "vera", "password": secret_of("vera"), "workstation": "w", "zone": "UTC"},
        )
    assert opened.status_code in (401, 403), opened.text
    assert copy.verify() == [] and copy.replay() == []


def test_what_it_signs_is_named_by_the_ledger_the_replay_and_the_bundle(
    copy: Any, named: Any, tmp_path: Any
) -> None:
    kid = plant(copy, "vera", projections=True)
    with running(copy.root) as client:
        cast = Cast(client)
        (vera,) = cast("vera")
        vera.must(copy.n["hold"], "lift", sign=True, why="Nothing was wrong with it after all.")
        made = vera.ask("POST", f"/records/{copy.n['hold']}/export", json={})
    (found,) = named(copy.verify(), kind="signature", record=copy.n["hold"], version=2)
    assert kid in found and "not in the user record" in found
    assert named(copy.replay(), record=copy.n["vera"], field="content.fields.signing_keys")
    assert named(copy.replay(), kind="authority", record=copy.n["vera"])
    (tmp_path / "b.zip").write_bytes(made.content)
    with open(tmp_path / "b.zip", "rb") as stream:
        report = verify_stream(stream, Trust.parse(copy.home.public_keys.read_bytes()))
    assert report.exit_code == FINDING
    assert any(kid in one.message and one.record == copy.n["hold"] for one in report.findings)
