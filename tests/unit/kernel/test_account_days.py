"""An account is valid for its days, and so are the sessions opened in them."""

from __future__ import annotations

from fix_lab import TODAY, refused
from fix_world import World


def test_an_account_opens_nothing_after_its_last_day(world: World) -> None:
    lab = world.lab
    number = lab.ada.create(
        "user",
        username="iris",
        printed_name="Iris Inspector",
        kind="inspector",
        email="iris@authority.example",
        valid_to=TODAY.isoformat(),
    )
    lab.enrol(number, "iris")
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    session = lab.sign_in("iris").context.session
    assert lab.accounts.session_by_id(session) is not None
    world.pass_days(1)
    assert lab.accounts.session_by_id(session) is None
    with refused("SIG_REAUTH"):
        lab.sign_in("iris")
    assert lab.row(number).state == "active", "the record stays as it was signed"
