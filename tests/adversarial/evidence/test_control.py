"""The control: without an attack everything holds, so that a finding elsewhere is the attack's."""

from __future__ import annotations

from typing import Any

from coverslip.bootstrap import checking


def test_an_untouched_copy_holds_in_every_check(copy: Any) -> None:
    findings, counts = checking.ledger_verify(copy.root)
    assert findings == []
    assert counts["entries"] > 200 and counts["signatures"] > 50 and counts["heads"] > 50
    findings, counts = checking.ledger_replay(copy.root)
    assert findings == []
    assert counts["records"] > 50
    findings, counts = checking.vault_check(copy.root)
    assert findings == []
    assert counts["objects"] >= 4 and counts["named"] >= 4
    assert copy.start_up() == ""


def test_a_copy_that_was_put_back_holds_again(copy: Any) -> None:
    copy.attack("update ledger.entry set leaf = replace(leaf::text, '61', '62')::bytea where id = 100")
    copy.object(copy.n["image1"]).unlink()
    assert copy.verify() and copy.vault()
    copy.put_back()
    assert copy.verify() == [] and copy.vault() == [] and copy.replay() == []
