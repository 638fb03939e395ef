"""The living laboratory: weeks of honest work on real images, played in minutes, then served.

Rules kept here: it is founded whole under another name and gets its own only when its clock is right, its
guards are as shipped and its ledger verifies; what was begun and not finished is removed. A home that is
there already is served as it is and never touched.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path

from coverslip.bootstrap import guarding, wiring
from coverslip.bootstrap.founding import Founding, init
from coverslip.cli import show
from coverslip.cli.demo.clock import BEING_PLAYED, ORIGIN, Clock, working_days
from coverslip.cli.demo.playing import Play, Player, processes
from coverslip.cli.demo.stage import remove
from coverslip.cli.demo.weeks import people
from coverslip.cli.demo.weeks.calendar import WEEKS
from coverslip.client.errors import fault
from coverslip.kernel.clock import utc_now
from coverslip.settings import Home

DAYS = 30
"""Working days that are played: six weeks."""
Tell = Callable[[str], None]


def cast(home: Path, clock: Clock) -> dict[str, Player]:
    """Return everybody, each with a password of their own."""
    everybody = (*people.FOUNDERS, *people.STAFF, people.INSPECTOR)
    return {u: Player(u, name, roles, clock=clock, home=home) for u, name, roles, _ in everybody}


def found(scratch: Path, clock: Clock, persons: dict[str, Player], real_from: str) -> None:
    """Found the laboratory, its clock at the first morning when the first entry is written."""
    answers = Founding(
        origin=ORIGIN,
        use="evaluation",
        site=people.site(real_from),
        founders=tuple(
            {"username": u, "name": name, "email": f"{u}@demo.example", "roles": list(roles)}
            for u, name, roles, _ in people.FOUNDERS
        ),
        zone="America/New_York",
    )
    init(
        scratch,
        answers,
        {u: persons[u].password for u, *_ in people.FOUNDERS},
        prepared=lambda _: clock.set_back(),
    )


def play_weeks(play: Play, began: float) -> None:
    """Play every day of the calendar."""
    for day, title, scenes in WEEKS:
        play.night(day)
        play.tell(f"[{time.monotonic() - began:5.1f} s] {play.clock.now():%a %d %b}  {title}")
        for scene in scenes:
            scene(play)
    play.by_itself()


def make(home: Path, tell: Tell = show.say) -> None:
    """Found the living laboratory at ``home``, which is free; raises when anything is not as it should be."""
    scratch = home.with_name(home.name + BEING_PLAYED)
    work = home.with_name(home.name + "-work")
    for left in (scratch, work):
        remove(left)
    work.mkdir(parents=True)
    now, began = dt.datetime.fromisoformat(utc_now()), time.monotonic()
    clock = Clock(scratch, working_days(DAYS, now))
    persons = cast(scratch, clock)
    try:
        tell(f"Founding a laboratory in {home}: six weeks of work, played in a few minutes.")
        found(scratch, clock, persons, now.isoformat()[:16] + "Z")
        with processes(scratch, work) as inside:
            play = Play(scratch, clock, persons, inside, work, tell)
            try:
                play_weeks(play, began)
                settle(play)
                waiting = waits(play)
            finally:
                play.close()
        right(scratch, clock)
        keep_accounts(home, persons, waiting)
        scratch.rename(home)
    finally:
        for left in (scratch, work):
            remove(left)
    tell(f"Ready after {time.monotonic() - began:.0f} s.")


def settle(play: Play) -> None:
    """Wait until every entry has its place in the tree, then let everybody go home."""
    end = time.monotonic() + 60
    while int(play.quinn.lab.ledger_status()["pending"]):
        if time.monotonic() > end:
            raise fault("the ledger", "to come to rest", "entries that wait for their place")
        time.sleep(0.2)


def waits(play: Play) -> dict[str, list[str]]:
    """Return what waits for each person, as they see it themselves; then everybody signs out."""
    found: dict[str, list[str]] = {}
    for username, person in play.people.items():
        if person.number:
            found[username] = [f"{one['label']} {one['title']}" for one in person.lab.work(limit=20)]
            looked_at(person, play.on())
            person.sign_out()
    return found


def looked_at(person: Player, today: str) -> None:
    """Let a person have looked at what others did before the last day, as everybody does now and then."""
    found = person.lab.happened(limit=500)
    earlier = [one for one in found["events"] if one["at"][:10] < today]
    if earlier:
        person.lab.seen(int(earlier[-1]["index"]))


def right(scratch: Path, clock: Clock) -> None:
    """Put the clock right, and insist that the guards are as shipped and the ledger verifies."""
    from coverslip.bootstrap import ledger_verify

    home = Home(scratch)
    with wiring.cluster_of(home).running():
        clock.put_right()
        guarding.check_guards(home)
    findings, _ = ledger_verify(scratch)
    if findings:
        raise fault("the ledger of the laboratory", "to verify", str(findings[0]["sentence"]))


def accounts_file(home: Path) -> Path:
    """Return where the accounts of a laboratory lie, mode 0600."""
    return home.with_name(f"{home.name}-accounts.json")


def keep_accounts(home: Path, persons: dict[str, Player], waiting: dict[str, list[str]]) -> None:
    """Write the accounts beside the laboratory, for its user only."""
    path = accounts_file(home)
    path.touch(mode=0o600)
    path.chmod(0o600)
    titles = {u: title for u, _, _, title in (*people.FOUNDERS, *people.STAFF, people.INSPECTOR)}
    rows = [
        {
            "username": p.username,
            "name": p.name,
            "title": titles[p.username],
            "roles": list(p.roles),
            "password": p.password,
            "waiting": waiting.get(p.username, []),
        }
        for p in persons.values()
        if p.number
    ]
    path.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def show_accounts(home: Path, tell: Tell = show.say) -> None:
    """Print who can sign in, with which password, and what waited for them when the weeks were over."""
    path = accounts_file(home)
    if not path.is_file():
        return
    rows = json.loads(path.read_text("utf-8"))
    width = max(len(row["name"]) for row in rows)
    tell(f"{'user name':<9} {'name':<{width}} {'roles':<13} {'password':<28} waits for them")
    for row in rows:
        waiting = row.get("waiting", [])
        first = (
            (waiting[0][:44] + (f"  (+{len(waiting) - 1})" if len(waiting) > 1 else "")) if waiting else ""
        )
        roles = ", ".join(row["roles"])
        tell(f"{row['username']:<9} {row['name']:<{width}} {roles:<13} {row['password']:<28} {first}")


def serve(home: Path | None, port: int) -> int:
    """Serve the laboratory at ``home``, founding the living one where there is none."""
    from coverslip.bootstrap import listening, serve as serving

    root = (home or Path.cwd() / "coverslip-demo" / "living").resolve()
    if not Home(root).manifest.is_file():
        make(root)
    show_accounts(root)
    show.say(
        f"Open http://localhost:{port}/sign-in and sign in as one of them (kept in {accounts_file(root)})."
    )
    show.say("This is an evaluation installation: not for GxP use. Stop it with Ctrl+C.")
    serving(root, place=listening(None, port, None, None, ()))
    return 0
