"""Setting up in a browser: the one thing that is served where no installation is.

Rules kept here:

* It is served on the loopback or over TLS, and only to whoever can read the console (``setting_up.gate``).
* It founds by ``founding.init``, as the command does: nothing is on disk before, and all or nothing after.
* What a founder enters beside genesis, the letter of 11.100(c), is entered through the door by the founder of
  the quality unit, in a session of their own.
* The listening socket outlives it: who asks while the installation starts waits and is answered by its pages.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from coverslip.application.setting_up.answers import Errors, Letter, sources
from coverslip.application.setting_up.gate import Gate
from coverslip.application.setting_up.state import Answers, Founded, SetUp
from coverslip.bootstrap import fronting, readiness, wiring
from coverslip.bootstrap.founding import Founding, init
from coverslip.bootstrap.labs import Lab, lab
from coverslip.bootstrap.listening import Listening
from coverslip.client.secrecy import keep_to_itself
from coverslip.errors import CoverslipError
from coverslip.kernel.change import Change
from coverslip.kernel.clock import monotonic_s, utc_now, wall_s
from coverslip.kernel.identity import Place, context_of
from coverslip.settings import Home
from coverslip.timekeeping.measuring import measure
from coverslip.timekeeping.sources import parse_all

STATEMENT = (
    "We certify to the Food and Drug Administration that all electronic signatures in our systems are"
    " intended to be the legally binding equivalent of traditional handwritten signatures (21 CFR 11.100(c))."
)


@dataclass(frozen=True)
class Machine:
    """What setting up asks of this machine."""

    home: Home
    database_url: str = field(default="", repr=False)

    def clock(self, named: Mapping[str, str]) -> dict[str, Any]:
        """Return what the sources say of this machine's clock now."""
        try:
            found = measure(parse_all(sources(named)), wall_s, wall_s)
        except CoverslipError as error:
            return {"ok": False, "offset_us": 0, "source": "none", "why": error.message}
        known = found.kind != "none"
        source = f"{found.kind} {found.server}".strip() if known else "none"
        return {"ok": found.ok, "offset_us": found.offset_us, "source": source, "why": found.why}

    def problems(self, use: str, keeping: Mapping[str, str]) -> Errors:
        """Return what is wrong with time, database, backup and anchor."""
        found: Errors = {}
        try:
            parse_all(sources(keeping))
        except CoverslipError as error:
            return {"time_sources": error.message}
        if use == readiness.REGULATED and not (clock := self.clock(keeping))["ok"]:
            found["time_sources"] = (
                "A regulated installation signs only by a clock that is right:"
                f" {clock['why'] or str(clock['offset_us'] / 1e6) + ' s away'}."
            )
        named = {"database": "database", "backup": "backup_to", "anchor": "anchor_to"}
        lacks = readiness.lacking(
            self.home,
            use,
            self.database_url,
            keeping.get("backup_to", ""),
            keeping.get("keys_to", ""),
            _anchors(keeping),
        )
        return found | {named[what]: text for what, text in lacks.items()}

    def today(self) -> str:
        """Return today's date, UTC."""
        return utc_now()[:10]

    def found(self, answers: Answers, passwords: Mapping[str, str]) -> Founded:
        """Found the installation, then enter the letter if there is one."""
        given, keeping = answers.site, answers.keeping
        founding = Founding(
            origin=given["origin"],
            use=given["use"],
            site=_site(given, keeping),
            founders=tuple(
                {"username": p.username, "name": p.name, "email": p.email, "roles": list(p.roles)}
                for p in answers.people
            ),
            zone=given["tz"],
            time_sources=sources(keeping),
            database_url=self.database_url,
            backup_to=keeping.get("backup_to", ""),
            keys_to=keeping.get("keys_to", ""),
            anchors=_anchors(keeping),
            documents=answers.documents,
        )
        count = init(self.home.root, founding, passwords)
        left: list[str] = []
        if answers.letter is not None:
            quality = next(p.username for p in answers.people if "QA" in p.roles)
            try:
                with wiring.database(self.home), lab(self.home) as opened:
                    enter_letter(opened, answers.letter, given, (quality, passwords[quality]))
            except CoverslipError as error:
                left.append(
                    f"The letter is not recorded ({error.message}); enter it as a certification letter."
                )
        elif given["authority"] == "fda":
            left.append(
                "The letter to the FDA is not recorded as sent; nobody can sign before it is (11.100(c))."
            )
        return Founded(given["origin"], given["use"], count, tuple(left))


def enter_letter(opened: Lab, letter: Letter, site: Mapping[str, str], who: tuple[str, str]) -> str:
    """Enter the letter in the name of whoever sent it; return its number."""
    services = opened.services()
    place = Place("set-up", "local", "coverslip set-up", site["tz"])
    session = services.identity.sign_in(*who, place)
    context = context_of(session.session)
    sites, _ = services.reading.page("site", "", "", "", 10)
    scan = services.delivery.attach(
        letter.scan_name, letter.media_type, io.BytesIO(letter.scan), len(letter.scan)
    )
    fields = {
        "organisation": site["name"],
        "sites": [row.number for row in sites],
        "statement": STATEMENT,
        "signed_by": letter.signed_by,
        "addressee": letter.addressee,
        "channel": letter.channel,
        "covers_from": letter.sent_on,
    }
    kind = "certification_letter"
    made = services.door.submit(Change("create", kind, fields=fields), context).entries[0]
    signed = Change("sign_on_paper", kind, made.number, fields={"handwritten_scan": scan}, expected_version=1)
    services.door.submit(signed, context)
    sent = Change("send", kind, made.number, fields={"sent_on": letter.sent_on}, expected_version=2)
    services.door.submit(sent, context)
    services.identity.sign_out(session.session)
    return str(made.number)


def _site(given: Mapping[str, str], keeping: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": given["name"],
        "code": given["code"],
        "address": given["address"],
        "tz": given["tz"],
        "regulated_as": [{"authority": given["authority"], "predicate": given["predicate"]}],
        "system_class": "closed",
        "time_source": ", ".join(sources(keeping)) or "none",
    }


def _anchors(keeping: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    kind = keeping.get("anchor", "none")
    if kind == "none":
        return ()
    one: dict[str, Any] = {"name": "first", "type": kind, "target": keeping.get("anchor_to", "")}
    proof = {"witness": "vkey", "rfc3161": "roots"}.get(kind)
    return (one | ({proof: keeping.get("anchor_proof", "")} if proof else {}),)


def wanted(root: Path) -> bool:
    """Whether a folder is free for an installation: not there, or empty."""
    return not root.exists() or (root.is_dir() and not any(root.iterdir()))


def set_up(
    home: Home,
    place: Listening,
    listener: socket.socket,
    say: Callable[[str], None],
    done: threading.Event,
    database_url: str = "",
) -> bool:
    """Serve the set-up until it has founded or is told to stop; return whether it has founded."""
    from coverslip.web.serving import Serving
    from coverslip.web.setup import Ending, create_setup

    keep_to_itself()
    machine = Machine(home, database_url)
    gate = Gate(
        lambda code: say(f"set-up code: {code}"), monotonic_s, lambda text: say(f"set-up warning: {text}")
    )
    ended = threading.Event()
    state = SetUp(machine, monotonic_s)
    servers: list[uvicorn.Server] = []

    def close() -> None:
        # Whoever connects from here on waits at the listener for the installation itself.
        for one in servers[0].servers:
            one.get_loop().call_soon_threadsafe(one.close)

    app = create_setup(state, gate, Serving(place.secure), Ending(close, ended.set))
    server = uvicorn.Server(fronting.config(fronting.Front(app, place), tls=place.tls(), lifespan=False))
    servers.append(server)
    running = threading.Thread(
        target=server.run, kwargs={"sockets": [listener.dup()]}, name="set-up", daemon=True
    )
    running.start()
    say(f"set-up: {place.origins[0]}/setup")
    try:
        while not (done.wait(0.1) or ended.is_set()) and running.is_alive():
            pass
    finally:
        until = time.monotonic() + 10
        server.should_exit = True
        running.join(max(0.0, until - time.monotonic()))
    return ended.is_set()
