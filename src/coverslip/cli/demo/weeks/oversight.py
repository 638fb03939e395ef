"""Looking after the system itself: reviews of access and trail, scope, holds, alerts, and what people say."""

from __future__ import annotations

import datetime as dt

from coverslip.cli.demo.playing import Play
from coverslip.client import ApiError, Coverslip
from coverslip.records.quality.system_review import INPUTS


def scope(play: Play) -> None:
    """Two systems in the inventory: one in scope, one assessed."""
    quinn = play.quinn
    for name, title in (("system", "Coverslip"), ("system_2", "Label printer")):
        number = play.people["elif"].create(
            "scope_item",
            kind="system",
            name=title,
            predicate_rules=["21 CFR 211.68"],
            required_by_rule=True,
            used_electronically=True,
            predominant_copy="electronic",
            gamp_category="4",
            risk="H",
            owner=play.people["elif"].number,
            system_class="closed",
        )
        play.people["elif"].act(number, "assess")
        play.n[name] = number
    quinn.sign(play.n["system"], "include")


def trail_review(play: Play) -> None:
    """Refusals and voids of three weeks: drawn, and being looked at."""
    number = play.vera.create(
        "audit_trail_review",
        title="Refusals and voids of three weeks",
        system=play.n["system"],
        period_from=play.on(-21),
        period_to=play.on(-1),
        due_on=play.on(10),
        event_classes=["refusals", "voids"],
        risk_basis="Monthly, as the risk is high.",
        sample_rule="all_critical",
    )
    play.vera.act(number, "start")
    play.n["trail_review"] = number


def system_review(play: Play) -> None:
    """The review of the system: begun, half of its inputs looked at."""
    number = play.sofia.create(
        "system_review",
        title="Coverslip, first weeks",
        system=play.n["system"],
        period_from=play.on(-30),
        period_to=play.on(-1),
        due_on=play.on(12),
        every_months=12,
    )
    play.sofia.act(number, "start")
    seen = [
        {"input": name, "looked_at": "All of the period.", "finding": "As it should be."}
        for name in INPUTS[:4]
    ]
    play.sofia.act(number, "record", inputs=seen)
    play.n["system_review"] = number


def access_review(play: Play) -> None:
    """Every account is collected; some are decided on."""
    number = play.sofia.create(
        "access_review", title="Access, quarterly", period=f"{play.on()[:4]}-Q4", due_on=play.on(14)
    )
    play.sofia.act(number, "collect")
    accounts = play.quinn.show(number)["fields"]["accounts"]
    decisions = [
        {
            "user": account["user"]["number"],
            "decision": "keep",
            "reason": "Works here, in this post.",
            "decided_by": play.quinn.number,
        }
        for account in accounts
        if account["username"] != "quinn"
    ][:8]
    play.quinn.act(number, "decide", decisions=decisions)
    play.n["access_review"] = number


def legal_hold(play: Play) -> None:
    """The complaint's records are preserved while it is open."""
    play.n["legal_hold"] = play.leon.create_signed(
        "legal_hold",
        title="Complaint on counts by hand",
        ground="complaint",
        reason="The sponsor asked that nothing of this study is let go while the complaint is open.",
        asked_by="Sponsor, letter of today",
        subjects=[play.n["study"]],
    )


def hold(play: Play) -> None:
    """The imported reference field is held until its source is named; somebody tries to use it."""
    play.n["hold"] = play.vera.create(
        "hold",
        subject=play.n["imported"],
        reason="The sponsor has not yet said from which plate this field is.",
    )


def wrong_secrets(play: Play) -> None:
    """Omar mistypes his password at the bench; what watches over accounts will tell."""
    play.omar.sign_out()
    play.omar.last = None
    for _ in range(4):
        play.clock.pass_s(20)
        with Coverslip(home=play.home) as desk:
            try:
                desk.sign_in(
                    "omar", "not-what-it-is-2026", place="desk of Omar Farouk", zone="America/New_York"
                )
            except ApiError as error:
                if error.code != "SIG_REAUTH":
                    raise


def alerts(play: Play) -> None:
    """What was told is looked at: one is acknowledged, the others are open."""
    found = [a for a in play.sofia.lab.records.list("alert") if a["state"] in ("open", "escalated")]
    if found:
        play.sofia.act(
            str(found[0]["number"]), "acknowledge", action="Asked at the bench; it was a new keyboard."
        )


def talk(play: Play) -> None:
    """Comments, tags, watches, files."""
    play.sam.create("watch", subject=play.n["run_3"])
    play.quinn.create("watch", subject=play.n["study"])
    play.leon.create("watch", subject=play.n["capa"])
    play.alan.create("tag", subject=play.n["study"], word="pilot")
    play.mei.create("tag", subject=play.n["images"][0], word="edge of well")
    answered = play.rita.create(
        "comment",
        subject=play.n["session_1"],
        text="Why were rows C and D not imaged?",
        asked=play.omar.number,
    )
    play.omar.act(
        answered, "answer", answer="The second microscope was held. They came on a disk and are verified."
    )
    play.quinn.create(
        "comment",
        subject=play.n["change_plates"],
        text="Which lots are in the freezer?",
        asked=play.petra.number,
    )
    play.ada.create(
        "comment", subject="SITE-01", text="Accounts of visitors end on their last day by themselves."
    )
    play.leon.create(
        "comment",
        subject=play.n["study"],
        text="Is the site's time zone right for visitors?",
        asked=play.ada.number,
    )
    letter = play.paper(play.sam, "letter-of-the-sponsor.txt", "Please count both wells, two sites each.")
    play.sam.create("attachment", subject=play.n["study"], what="Letter of the sponsor", file=letter)


def late_entry(play: Play) -> None:
    """What was found on Friday is entered on Monday, as late, with its reason."""
    play.n["late"] = play.omar.late(
        "comment",
        (play.clock.now() - dt.timedelta(hours=3)).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "The bench was busy.",
        subject=play.n["plate"],
        text="The plate stood outside the freezer for ten minutes.",
    )
