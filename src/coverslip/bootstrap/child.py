"""A child process of ``serve``: ``python -m coverslip.bootstrap.child ROLE HOME``."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverslip.application.services import Services
from coverslip.bootstrap import quarantine, wiring
from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import lab
from coverslip.bootstrap.listening import Listening, listening
from coverslip.bootstrap.signing import open_signer
from coverslip.client.secrecy import keep_to_itself
from coverslip.errors import CoverslipError
from coverslip.kernel.passkeys import Party
from coverslip.settings import Home
from coverslip.store.signer_socket import SignerClient, SignerServer
from coverslip.web.serving import Serving


def _stopping() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _signer(home: Home) -> None:
    stop = _stopping()
    signer = open_signer(home)
    server = SignerServer(signer, wiring.signer_socket(home)).start()
    stop.wait()
    server.stop()
    signer.close()


def _sequencer(home: Home) -> None:
    sequencer_of(home, SignerClient(wiring.signer_socket(home))).run(_stopping())


def _worker(home: Home) -> None:
    from coverslip.worker.loop import run

    stop = _stopping()
    with lab(home) as found:
        run(found.worker(), stop)


def _keeper(home: Home) -> None:
    from coverslip.bootstrap.duties import duties
    from coverslip.keeper.loop import run

    stop = _stopping()
    with lab(home) as found:
        run(duties(found), stop)


def _web(home: Home, place: Listening, reason: str = "", inherited: int | None = None) -> None:
    from coverslip.bootstrap import fronting
    from coverslip.bootstrap.faces import faces

    opened = quarantine.quarantined(home, quarantine.from_argument(reason)) if reason else _services(home)
    with opened as services:
        services.identity.ring.party = _party(place)
        path = wiring.api_socket(home)
        path.unlink(missing_ok=True)
        private = [wiring.bind_unix(path)]
        wiring.name_address(home, path)
        public = []
        if inherited is not None:
            public = [socket.socket(fileno=inherited)]
        elif place.port is not None:
            public = [wiring.bind(place.host, place.port)]
        fronting.run(faces(services, Serving(place.secure)), place, private, public)


def _party(place: Listening) -> Party:
    """Return for whom passkeys are made: the first name this server is known by, whatever a request says."""
    if place.secure and place.origins:
        return Party.of(place.origins[0])
    return Party.of(f"http://localhost:{place.port}" if place.port is not None else "http://localhost")


@contextmanager
def _services(home: Home) -> Iterator[Services]:
    with lab(home) as found:
        yield found.services()


def main(arguments: list[str] | None = None) -> int:
    """Run one role until told to stop; return 3 when the environment does not allow it, 4 when the database
    contradicts what was signed."""
    parser = argparse.ArgumentParser(prog="coverslip.bootstrap.child")
    parser.add_argument("role", choices=("signer", "sequencer", "worker", "keeper", "web"))
    parser.add_argument("home", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--name", action="append", default=[])
    parser.add_argument("--quarantine", default="")
    parser.add_argument("--fd", type=int, help="A listening socket that was inherited.")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    keep_to_itself()
    home = Home(given.home)
    try:
        if given.role == "web":
            place = listening(given.host, given.port, given.tls_cert, given.tls_key, given.name)
            _web(home, place, given.quarantine, given.fd)
        else:
            roles = {"signer": _signer, "sequencer": _sequencer, "worker": _worker, "keeper": _keeper}
            roles[given.role](home)
    except CoverslipError as error:
        logging.getLogger("coverslip").error("%s %s %s", given.role, error, error.remedy)
        return quarantine.CONTRADICTED if error.code == "RECOVERY_REQUIRED" else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
