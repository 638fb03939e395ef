"""What is tried out in a sandbox decides nothing about regulated work."""

from __future__ import annotations

from fix_lab import Lab, refused


def test_a_run_in_a_sandbox_uses_up_no_permitted_run(lab: Lab) -> None:
    chosen = lab.new_set()
    study = lab.new_study("sandbox")
    trial = {"title": "Trial", "study": study, "method": lab.n["method"], "image_set": chosen}
    tried = [lab.alan.create("analysis_run", **trial) for _ in range(2)]
    run = lab.new_run(lab.olga, image_set=chosen)
    assert lab.row(run).fields["run_index"] == 1
    assert all(lab.row(number).content["sandbox"] for number in tried)
    with refused("SEQ_PRE") as said:
        lab.new_run(lab.olga, image_set=chosen)
    assert "allows 1 run" in said[0].message
