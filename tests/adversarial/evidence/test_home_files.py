"""Files of the home changed: what the installation calls itself is held against its own log."""

from __future__ import annotations

import json
from typing import Any

from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING
from coverslip.verifier.verify import verify_stream
from fix_story import Cast, running


def rename(copy: Any, name: str, value: str) -> None:
    path = copy.home.manifest
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {name: value}), "utf-8")


def test_an_evaluation_that_calls_itself_regulated_is_found(copy: Any, named: Any) -> None:
    rename(copy, "use", "regulated")
    assert named(copy.verify(), kind="installation", field="use")
    copy.attack("update ops.installation set use = 'regulated'")
    (one,) = named(copy.verify(), kind="installation", field="use")
    assert "opened for evaluation" in one


def test_what_it_exports_then_does_not_hold(copy: Any, tmp_path: Any) -> None:
    rename(copy, "use", "regulated")
    copy.attack("update ops.installation set use = 'regulated'")
    with running(copy.root) as client:
        cast = Cast(client)
        (vera,) = cast("vera")
        made = vera.ask("POST", "/records/SITE-01/export", json={})
    assert made.status_code == 200, made.text
    (tmp_path / "b.zip").write_bytes(made.content)
    with open(tmp_path / "b.zip", "rb") as stream:
        report = verify_stream(stream, Trust.parse(copy.home.public_keys.read_bytes()))
    assert report.exit_code == FINDING
    assert any("opened for evaluation" in one.message for one in report.findings)


def test_another_name_for_the_same_log_is_found(copy: Any, named: Any) -> None:
    rename(copy, "installation", "00000000-0000-4000-8000-000000000000")
    assert named(copy.verify(), kind="installation", field="installation")
