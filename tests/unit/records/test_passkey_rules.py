"""Named rules of passkeys in a user's record, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from fix_rules import NOW, ask, row

OLD = {"kid": "a" * 16, "scheme": "ed25519-wrapped", "public": "b" * 64, "enrolled_at": NOW}
PASSKEY = {"kid": "c" * 16, "scheme": "webauthn-p256", "public": "d" * 64, "enrolled_at": NOW}
OTHER = PASSKEY | {"kid": "e" * 16}


def keys(*listed: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"signing_keys": list(listed), **more}


def test_one_passkey_is_added_after_the_keys_listed() -> None:
    assert ask("passkey_added", keys(OLD, PASSKEY), record=row("USR-1", keys(OLD))) is None


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (keys(OLD, PASSKEY, OTHER), "exactly one"),
        (keys(OLD), "exactly one"),
        (keys(PASSKEY), "stay listed"),
        (keys(OLD, OLD | {"kid": "f" * 16}), "Only a passkey"),
    ],
)
def test_nothing_else_is_added_that_way(after: dict[str, Any], said: str) -> None:
    assert said in ask("passkey_added", after, record=row("USR-1", keys(OLD)))


def test_an_enrolment_brings_no_passkey() -> None:
    assert "under a password" in ask("keys_kept", keys(OLD, PASSKEY), record=row("USR-1", keys(OLD)))


def test_one_passkey_is_withdrawn_and_nothing_else_leaves() -> None:
    before = row("USR-1", keys(OLD, PASSKEY, OTHER))
    assert ask("passkey_withdrawn", keys(OLD, OTHER), record=before) is None
    for after in (keys(OLD), keys(PASSKEY, OTHER), keys(OLD, PASSKEY, OTHER), keys(OTHER, OLD)):
        assert "Exactly one passkey" in ask("passkey_withdrawn", after, record=before)


def test_a_new_passkey_waits_and_one_that_counts_does_not() -> None:
    before = row("USR-1", keys(OLD, PASSKEY, passkeys_waiting=[]))
    assert ask("passkeys_waiting", keys(OLD, PASSKEY, OTHER), record=before) == [OTHER["kid"]]
    assert ask("passkeys_waiting", keys(OLD), record=before) == []
    both = row("USR-1", keys(OLD, PASSKEY, passkeys_waiting=[PASSKEY["kid"]]))
    assert ask("passkeys_waiting", keys(OLD, PASSKEY, OTHER), record=both) == [PASSKEY["kid"], OTHER["kid"]]


def test_none_waits_any_more_where_one_did() -> None:
    assert ask("no_passkey_waiting", {"passkeys_waiting": [PASSKEY["kid"]]}) == []
    assert ask("no_passkey_waiting", {}) is None


def test_every_passkey_goes_and_other_keys_stay() -> None:
    assert ask("keys_without_passkeys", keys(OLD, PASSKEY, OTHER)) == [OLD]
    assert ask("keys_without_passkeys", keys(OLD)) is None


def test_one_identity_check_is_added_to_those_there() -> None:
    first, second = {"on": "2026-01-01"}, {"on": "2026-02-01"}
    before = row("USR-1", {"identity_check": [first]})
    assert ask("checks_kept", {"identity_check": [first, second]}, record=before) is None
    for after in ([second], [first], [second, first], [first, second, second]):
        assert "Add one identity check" in ask("checks_kept", {"identity_check": after}, record=before)
