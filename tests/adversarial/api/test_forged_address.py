"""Where somebody sits is what the connection says, never what a header says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import httpx

from coverslip.bootstrap import wiring
from coverslip.settings import Home


def test_a_forwarded_address_is_not_believed(founded_stopped: Home) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with wiring.database(founded_stopped):
        command = [sys.executable, "-m", "coverslip.bootstrap.child", "web", str(founded_stopped.root)]
        environment = os.environ | {"FORWARDED_ALLOW_IPS": "*"}
        with subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], env=environment) as web:
            try:
                _wait(port)
                answer = httpx.post(
                    f"http://127.0.0.1:{port}/api/v1/sessions",
                    json={"username": "nobody-here", "password": "walnut harbour lantern"},
                    headers={
                        "X-Forwarded-For": "10.9.9.1",
                        "X-Forwarded-Proto": "https",
                        "Forwarded": "for=10.9.9.1",
                    },
                    timeout=60,
                )
            finally:
                web.terminate()
        assert answer.status_code == 401, answer.text
        with wiring.connection(founded_stopped, "cs_superuser") as conn:
            places = conn.execute(
                "select coalesce(string_agg(places::text, ' '), '') from ops.throttle"
            ).fetchone()
            bodies = conn.execute(
                "select count(*) from ledger.body where position('10.9.9.1'::bytea in erasable) > 0"
                " or position('10.9.9.1'::bytea in fixed) > 0"
            ).fetchone()
    assert places is not None
    assert "10.9.9.1" not in places[0]
    assert bodies == (0,)


def _wait(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the interface did not listen")
