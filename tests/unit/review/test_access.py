"""The access review: every account and credential, decided on by others, closed when carried out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.review.access import AccessReviews
from coverslip.store.unique_sql import PostgresUnique
from fix_lab import LATER, Lab, refused
from fix_passkey import with_passkey


def opened(lab: Lab, period: str) -> str:
    number = lab.aurel.create("access_review", title=f"Access {period}", period=period, due_on=LATER)
    lab.aurel.do(number, "collect")
    return number


def decision(lab: Lab, user: str, by: str, what: str = "keep", **more: Any) -> dict[str, Any]:
    return {
        "user": user,
        "decision": what,
        "reason": "Looked at roles and last use.",
        "decided_by": by,
    } | more


def decide_all(lab: Lab, number: str, **instead: dict[str, Any]) -> None:
    """Quinn decides on everybody but himself; Vera decides on him. Aurel is left to approve."""
    quinn, vera = lab.number_of("quinn"), lab.number_of("vera")
    rows = [
        instead.get(row["username"]) or decision(lab, row["user"]["number"], quinn)
        for row in lab.row(number).fields["accounts"]
        if row["user"]["number"] != quinn
    ]
    lab.quinn.do(number, "decide", decisions=rows)
    lab.vera.do(number, "decide", decisions=[*rows, decision(lab, quinn, vera)])


def grants_of(lab: Lab, user: str) -> list[Row]:
    return [r for r in lab.reading.linked(lab.row(user).uid) if r.type == "role_grant"]


def accounts(lab: Lab, number: str) -> dict[str, dict[str, Any]]:
    return {row["username"]: row for row in lab.row(number).fields["accounts"]}


def test_every_account_is_listed_with_roles_last_use_training_and_credential(lab: Lab) -> None:
    gone = lab.invite("zeno", "Zeno", ())
    lab.aurel.do(gone, "disable", sign=True, why="Left the laboratory.")
    lab.alan  # noqa: B018 - signs in
    found = accounts(lab, opened(lab, "2026-A"))
    assert {"ada", "quinn", "aurel", "alan", "scheduler"} <= set(found) and "zeno" not in found
    alan = found["alan"]
    assert "ANL (GRT-" in alan["roles"] and alan["last_use"] and alan["credential"] == "in force"
    assert alan["credential_since"] and alan["training"] == "complete"
    assert "privileged" in found["ada"]["flags"] and "flags" not in alan
    assert found["scheduler"]["credential"].startswith("none: a service")
    assert lab.replay() == []


def test_stale_and_strange_accounts_are_flagged_and_others_are_not(lab: Lab) -> None:
    lab.invite("yara", "Yara", ("ANL",))
    lab.invite("yuri", "Yuri", ())
    reset = lab.invite("yves", "Yves", ("ANL",))
    lab.ada.do(reset, "reset", why="He forgot the password.")
    found = accounts(lab, opened(lab, "2026-B"))
    assert "no role" in found["yuri"]["flags"]
    assert found["yves"]["credential"] == "none in force" and found["yves"]["state"] == "invited"
    assert "dormant" not in found["yara"].get("flags", "")
    lab.ask(
        "update ops.session set seen_at = seen_at - interval '91 days' where username = 'yara' returning 1"
    )
    assert "dormant for more than 90 days" in accounts(lab, opened(lab, "2026-C"))["yara"]["flags"]


def test_what_is_gathered_is_typed_by_nobody(lab: Lab) -> None:
    with refused("VAL_FORM"):
        lab.aurel.create("access_review", title="Mine", period="2026-D", due_on=LATER, accounts=[])
    number = opened(lab, "2026-E")
    with refused("VAL_FORM"):
        lab.aurel.do(number, "collect", accounts=[])


def test_a_review_is_signed_by_quality_and_security_and_closes_as_a_record(lab: Lab) -> None:
    number = opened(lab, "2026-F")
    decide_all(lab, number)
    lab.quinn.do(number, "review", sign=True, conclusion="All accounts are in use and in order.")
    lab.aurel.do(number, "approve", sign=True)
    lab.aurel.do(number, "close", sign=True, why="Nothing was to be revoked.")
    assert lab.row(number).state == "closed"
    signed = [(e["act"], e["meaning"], e["actor"]) for e in lab.history(number) if e["meaning"]]
    assert signed == [
        ("review", "reviewed", lab.quinn.uid),
        ("approve", "approved", lab.aurel.uid),
        ("close", "closed", lab.aurel.uid),
    ]


def test_nobody_decides_on_themselves_nor_in_anothers_name(lab: Lab) -> None:
    number = opened(lab, "2026-G")
    aurel, quinn, alan = (lab.number_of(n) for n in ("aurel", "quinn", "alan"))
    with refused("SEQ_PRE"):
        lab.aurel.do(number, "decide", decisions=[decision(lab, aurel, aurel)])
    with refused("SEQ_PRE"):
        lab.aurel.do(number, "decide", decisions=[decision(lab, alan, quinn)])
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "decide", decisions=[decision(lab, quinn, alan)])
    lab.aurel.do(number, "decide", decisions=[decision(lab, alan, aurel)])
    with refused("SEQ_PRE"):
        lab.quinn.do(number, "decide", decisions=[])


def test_an_account_without_a_decision_keeps_the_review_open(lab: Lab) -> None:
    number = opened(lab, "2026-H")
    aurel, alan = lab.number_of("aurel"), lab.number_of("alan")
    lab.aurel.do(number, "decide", decisions=[decision(lab, alan, aurel)])
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "review", sign=True, conclusion="It will be fine, surely.")
    assert "Not decided yet" in caught[0].message and "ada" in caught[0].message


def test_a_review_does_not_close_before_its_revocations_are_done(lab: Lab) -> None:
    leaver = lab.invite("xena", "Xena", ("ANL",))
    grant = next(r.number for r in grants_of(lab, leaver) if r.state == "active")
    number = opened(lab, "2026-I")
    decide_all(lab, number, xena=decision(lab, leaver, lab.number_of("quinn"), "revoke", grant=grant))
    lab.quinn.do(number, "review", sign=True, conclusion="Xena no longer analyses.")
    lab.aurel.do(number, "approve", sign=True)
    with refused("SEQ_PRE") as caught:
        lab.aurel.do(number, "close", sign=True, why="Everything was carried out.")
    assert grant in caught[0].message
    lab.quinn.do(grant, "revoke", sign=True, why="Access review: no longer needed.")
    lab.aurel.do(number, "close", sign=True, why="Everything was carried out.")


def test_a_revocation_of_anothers_grant_or_of_one_long_ended_is_no_decision(lab: Lab) -> None:
    leaver = lab.invite("wanda", "Wanda", ("ANL", "OPR"))
    first, second = (r.number for r in grants_of(lab, leaver))
    lab.quinn.do(first, "revoke", sign=True, why="No longer needed for her work.")
    number = opened(lab, "2026-M")
    alan, quinn = lab.number_of("alan"), lab.number_of("quinn")
    for user, grant, said in ((alan, first, alan), (alan, second, alan), (leaver, first, "not in force")):
        with refused("SEQ_PRE") as caught:
            lab.quinn.do(number, "decide", decisions=[decision(lab, user, quinn, "revoke", grant=grant)])
        assert grant in caught[0].message and said in caught[0].message
    lab.grant(leaver, "REV")
    later = next(r.number for r in grants_of(lab, leaver) if r.number not in (first, second))
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "decide", decisions=[decision(lab, leaver, quinn, "revoke", grant=later)])
    assert "not in force" in caught[0].message
    lab.quinn.do(number, "decide", decisions=[decision(lab, leaver, quinn, "revoke", grant=second)])


def test_a_grant_revoked_before_the_snapshot_is_taken_again_is_no_decision(lab: Lab) -> None:
    leaver = lab.invite("wally", "Wally", ("ANL",))
    (grant,) = (r.number for r in grants_of(lab, leaver))
    number = opened(lab, "2026-N")
    decide_all(lab, number, wally=decision(lab, leaver, lab.number_of("quinn"), "revoke", grant=grant))
    lab.quinn.do(grant, "revoke", sign=True, why="Revoked while the review is under way.")
    rows = lab.row(number).fields["decisions"]
    kept = [r for r in rows if r["user"]["number"] != leaver]
    again = decision(lab, leaver, lab.number_of("quinn"), "revoke", grant=grant, reason="Decided once more.")
    lab.quinn.do(number, "decide", decisions=[*kept, again])  # it was in force as of the snapshot
    lab.aurel.do(number, "collect")
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "review", sign=True, conclusion="All accounts are in order.")
    assert grant in caught[0].message and "not in force" in caught[0].message


def test_an_account_disabled_ends_the_grants_that_were_to_be_revoked(lab: Lab) -> None:
    leaver = lab.invite("wim", "Wim", ("ANL",))
    (grant,) = (r.number for r in grants_of(lab, leaver))
    number = opened(lab, "2026-O")
    decide_all(lab, number, wim=decision(lab, leaver, lab.number_of("quinn"), "revoke", grant=grant))
    lab.quinn.do(number, "review", sign=True, conclusion="Wim no longer analyses.")
    lab.aurel.do(number, "approve", sign=True)
    lab.aurel.do(leaver, "disable", sign=True, why="Left the laboratory.")
    lab.aurel.do(number, "close", sign=True, why="Everything was carried out.")
    assert lab.row(number).state == "closed"


def test_nobody_approves_what_they_decided(lab: Lab) -> None:
    number = opened(lab, "2026-P")
    quinn, aurel = lab.number_of("quinn"), lab.number_of("aurel")
    others = [r["user"]["number"] for r in lab.row(number).fields["accounts"]]
    rows = [decision(lab, n, aurel) for n in others if n != aurel]
    lab.aurel.do(number, "decide", decisions=rows)
    lab.quinn.do(number, "decide", decisions=[*rows, decision(lab, aurel, quinn)])
    lab.vera.do(number, "review", sign=True, conclusion="All accounts are in order.")
    with refused("AUTH_SELF"):
        lab.aurel.do(number, "approve", sign=True)


def test_others_neither_open_nor_review_nor_approve(lab: Lab) -> None:
    with refused("AUTH_ROLE"):
        lab.alan.create("access_review", title="Mine", period="2026-J", due_on=LATER)
    number = opened(lab, "2026-K")
    decide_all(lab, number)
    with refused("AUTH_ROLE"):
        lab.aurel.do(number, "review", sign=True, conclusion="I looked at it myself.")
    lab.quinn.do(number, "review", sign=True, conclusion="All accounts are in order.")
    with refused("AUTH_ROLE"):
        lab.quinn.do(number, "approve", sign=True)


# --- opened by the calendar --------------------------------------------------------------------------


def duty(lab: Lab, now: str, founded: str, told: list[str]) -> AccessReviews:
    def overdue(row: Row) -> None:
        told.append(row.number)

    holder = PostgresUnique(lab.accounts._pool).holder
    return AccessReviews(lab.door, lab.reading, lab.service, lambda: now, founded, holder, overdue)


def of_period(lab: Lab, period: str) -> list[Row]:
    rows, _ = lab.reading.page("access_review", "", "", "", 500)
    return [row for row in rows if row.fields["period"] == period]


@pytest.mark.parametrize(
    ("now", "period", "due"),
    [("2031-04-01", "2031-Q1", "2031-05-01"), ("2032-01-15", "2031-Q4", "2032-01-31")],
)
def test_the_quarter_that_ended_is_opened_once_and_collected(
    lab: Lab, now: str, period: str, due: str
) -> None:
    watch = duty(lab, f"{now}T00:00:00Z", "2026-11-21T00:00:00Z", [])
    watch.do()
    watch.do()
    (row,) = of_period(lab, period)
    assert row.state == "collecting" and row.fields["due_on"] == due and row.fields["accounts"]
    assert lab.history(row.number)[0]["auth"] == "service"


def test_a_quarter_in_which_the_installation_was_not_yet_founded_is_not_reviewed(lab: Lab) -> None:
    duty(lab, "2033-02-10T00:00:00Z", "2033-01-20T00:00:00Z", []).do()
    assert of_period(lab, "2032-Q4") == []


def test_a_review_not_closed_in_time_is_told_and_one_in_time_is_not(lab: Lab) -> None:
    today = dt.date.fromisoformat(lab.accounts.now()[:10])
    late = lab.aurel.create("access_review", title="Late", period="2026-L", due_on=today.isoformat())
    told: list[str] = []
    duty(lab, f"{today.isoformat()}T12:00:00Z", "2999-01-01T00:00:00Z", told).do()
    assert late not in told
    tomorrow = (today + dt.timedelta(days=1)).isoformat()
    duty(lab, f"{tomorrow}T00:00:01Z", "2999-01-01T00:00:00Z", told).do()
    assert late in told


def test_the_review_says_what_signs_and_when_a_passkey_last_answered(lab: Lab) -> None:
    with_passkey(lab, lab.rex)
    today = lab.accounts.now()[:10]
    found = accounts(lab, opened(lab, "2025-P"))["rex"]
    assert found["credential"] == f"in force; 1 passkey, last used {today}"
    assert "untested" not in found.get("flags", "")
    assert lab.ask(
        "update ops.credential set data = data || jsonb_build_object('used_at', '2024-01-02T00:00:00Z')"
        " where person = %s::uuid and kind = 'passkey' returning 1",
        lab.rex.uid,
    )
    found = accounts(lab, opened(lab, "2025-R"))["rex"]
    assert found["credential"] == "in force; 1 passkey, last used 2024-01-02"
    assert "a passkey untested for more than 365 days" in found["flags"]
