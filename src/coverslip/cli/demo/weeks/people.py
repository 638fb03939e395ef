"""Who works in the laboratory, and how they came: letter, site, accounts, keys, roles, training."""

from __future__ import annotations

from coverslip.cli.demo import common
from coverslip.cli.demo.common import LETTER, acknowledge, certify
from coverslip.cli.demo.playing import Play, Player

FOUNDERS = (
    ("ada", "Ada Mensah", ("ADM",), "System administrator"),
    ("quinn", "Quinn Okafor", ("QA",), "Quality assurance"),
    ("aurel", "Aurel Stein", ("AUT", "SEC", "TRN"), "Methods and information security"),
)
STAFF = (
    ("vera", "Vera Lindqvist", ("QA",), "Quality assurance"),
    ("leon", "Leon Castellano", ("QAL",), "Head of quality"),
    ("rita", "Rita Haddad", ("REV",), "Data reviewer"),
    ("ivo", "Ivo Marek", ("REV",), "Data reviewer"),
    ("alan", "Alan Brandt", ("ANL", "OPR"), "Image analyst"),
    ("mei", "Mei Sato", ("ANL",), "Image analyst"),
    ("omar", "Omar Farouk", ("OPR",), "Microscope operator"),
    ("sam", "Sam Duarte", ("SDR",), "Study director"),
    ("mia", "Mia Tanaka", ("MET",), "Metrology"),
    ("elif", "Elif Kaya", ("ENG",), "Laboratory engineering"),
    ("petra", "Petra Novak", ("PUR", "WHS"), "Purchasing and samples"),
    ("dora", "Dora Keller", ("AUT", "TRN"), "Document control and training"),
    ("sofia", "Sofia Reyes", ("SEC",), "Information security"),
)
INSPECTOR = ("ines", "Ines Carvalho", ("INS",), "Inspector, visiting")
_SITE = {
    "name": "Demonstration laboratory",
    "code": "DEMO",
    "address": "1 Slide Street",
    "tz": "America/New_York",
    "regulated_as": [{"authority": "fda", "predicate": "drug"}],
    "system_class": "closed",
}


def site(real_from: str) -> dict[str, object]:
    """Return the founding site, which says for ever which times are simulated."""
    said = (
        "Demonstration: the clock was set back to play six weeks in minutes; "
        f"times before {real_from} are simulated. From then on: the computer's clock, no source."
    )
    return {
        **_SITE,
        "name": f"Demonstration laboratory (times before {real_from[:10]} simulated)",
        "time_source": said,
    }


def letter(play: Play) -> None:
    """Record the certification letter and open the site."""
    quinn = play.quinn
    scan = play.paper(quinn, "certification-letter.txt", LETTER)
    certify(quinn, scan, play.on())


def staff(play: Play) -> None:
    """Bring in everybody of the staff."""
    for username, _, roles, _ in STAFF:
        bring_in(play, play.people[username], roles)
    for founder in ("quinn", "aurel", "ada"):
        person = play.people[founder]
        person.number = str(person.lab.me()["number"])


def bring_in(play: Play, person: Player, roles: tuple[str, ...]) -> None:
    """Make an account; its owner enrols a key; a second person verifies; quality approves each role."""
    invite(play, person)
    enrol(play, person)
    for role in roles:
        grant(play, person.number, role)
    for training in person.lab.work():
        if training["type"] == "training_record" and training["state"] == "assigned":
            person.sign(training["number"], "complete")
    if not any(t["type"] == "training_record" for t in person.lab.records.list("training_record")):
        made = play.dora if person.username != "dora" else play.aurel
        _policy(play, person, made)
    acknowledge(person)


def _policy(play: Play, person: Player, trainer: Player) -> None:
    by = play.aurel if trainer.number == "" else trainer
    training = by.create(
        "training_record", person=person.number, document="POL-0001", depth="read_understood", due=play.on(14)
    )
    person.sign(training, "complete")


def invite(play: Play, person: Player, kind: str = "person", **more: object) -> str:
    """Make an account and return its number."""
    person.number = play.ada.create(
        "user",
        username=person.username,
        printed_name=person.name,
        kind=kind,
        email=f"{person.username}@demo.example",
        **more,
    )
    return person.number


def enrol(play: Play, person: Player) -> None:
    """Let a person make their own key; a second person checks who they are."""
    common.enrol(play.home, play.ada, play.aurel, person, play.on())


def grant(play: Play, number: str, role: str, **more: object) -> str:
    """Request a role and approve it; return the grant's number."""
    made = play.ada.create(
        "role_grant",
        person=number,
        role=f"ROLE-{role}",
        start=play.on(),
        justification="Needed for this post.",
        **more,
    )
    play.quinn.sign(made, "approve")
    return made


def services(play: Play) -> None:
    """Two accounts of services, for which a person answers: one is activated, one waits."""
    for username, name in (
        ("lims-bridge", "Exchange with the sample register"),
        ("archive", "Archive of bundles"),
    ):
        play.n[username] = play.ada.create(
            "user",
            username=username,
            printed_name=name,
            kind="service",
            responsible=play.people["elif"].number,
        )
    play.aurel.sign(play.n["lims-bridge"], "activate_service")


def inspector(play: Play) -> None:
    """An inspector comes for two weeks: a name, an end, and a role that reads and never writes."""
    ines = play.ines
    invite(play, ines, kind="inspector", valid_to=play.on(14))
    enrol(play, ines)
    grant(play, ines.number, "INS", end=play.on(14))


def newcomer(play: Play) -> None:
    """Somebody starts next week: invited, and a role is asked for."""
    number = play.ada.create(
        "user", username="jonas", printed_name="Jonas Weber", kind="person", email="jonas@demo.example"
    )
    play.ada.create(
        "role_grant",
        person=number,
        role="ROLE-OPR",
        start=play.on(5),
        justification="Starts next week in room 12.",
    )
    play.n["newcomer"] = number


def too_much(play: Play) -> None:
    """The administrator asks for a role that does not go with administration, and is told so."""
    play.ada.tried_to_create(
        "role_grant",
        "AUTH_SELF",
        person=play.ada.number,
        role="ROLE-ANL",
        justification="To help out on Friday.",
    )


def delegations(play: Play) -> None:
    """One duty is lent for two weeks; another loan waits for who takes it."""
    lent = play.rita.create(
        "delegation",
        giver=play.rita.number,
        taker=play.sam.number,
        role="ROLE-REV",
        start=play.on(),
        end=play.on(20),
        reason="Rita is at a conference.",
    )
    play.rita.sign(lent, "give")
    play.n["delegation"] = lent
