"""From an empty folder to a signed-in person, in a browser's requests alone, against the real command."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile

from coverslip.client import Coverslip
from fix_served import Served, once_started, serving
from fix_setup import PEOPLE, SITE, password_of
from fix_tls import certificate, free_port


def test_from_an_empty_folder_to_a_sign_in_without_a_restart(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    home = new_home()
    site = SITE | {"authority": "fda"}
    with serving(home, tmp_path) as served:
        code = served.said(r"^set-up code: (\S+)$")
        with served.browser() as someone:
            assert "Set-up code" in someone.get("/").text
            assert someone.client.get("/sign-in").status_code == 404
            someone.enter(code)
            assert "What will be founded" in someone.whole(site).text
            assert not home.exists(), "nothing is on disk before founding"
            founded = someone.send("review")
            assert founded.status_code == 200, founded.text
            assert "Founded" in founded.text
            # The same address, without a restart by hand: who asks meanwhile waits.
            signing = once_started(someone)
            assert signing.status_code == 200
            assert "Sign in" in signing.text
            assert someone.client.get("/setup").status_code == 404
            assert someone.client.get("/setup/site").status_code == 404
            assert someone.client.post("/setup/review", data={}).status_code >= 400
            wrong = {"username": "quinn", "password": "not the password", "workstation": "ws"}
            assert someone.client.post("/sign-in", data=wrong).status_code == 401
            right = wrong | {"password": password_of("quinn"), "zone": "UTC"}
            entered = someone.client.post("/sign-in", data=right, follow_redirects=True)
            assert entered.status_code == 200
            assert "Quinn Quality" in entered.text
        letters = _records(served, "certification_letter")
        assert [(one["state"], one["fields"]["sent_on"]) for one in letters] == [("sent", "2026-01-15")]
        served.said(r"^ready: (\S+)$")
    logs = "\n".join(
        one.read_text("utf-8", "replace") for one in [served.output, *(home / "logs").glob("*.log")]
    )
    for person in PEOPLE:
        assert password_of(person.username) not in logs
    kept = [one for one in home.rglob("*") if one.is_file() and "postgres" not in one.parts]
    assert not [one for one in kept if password_of("ada").encode() in one.read_bytes()]


def _records(served: Served, kind: str) -> list[dict[str, Any]]:
    with httpx.Client(base_url=f"{served.url}/api/v1", verify=served.verify, timeout=60) as api:
        body = {
            "username": "quinn",
            "password": password_of("quinn"),
            "workstation": "ws",
            "zone": "UTC",
        }
        token = api.post("/sessions", json=body).json()["token"]
        items = api.get("/records", params={"type": kind}, headers={"Authorization": f"Bearer {token}"})
        return list(items.json()["records"])


def test_over_tls_too_and_a_forged_name_is_refused_all_the_way(
    new_home: Callable[[], Path], tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path / "tls", "127.0.0.1")
    context = ssl.create_default_context(cafile=str(cert))
    options = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serving(new_home(), tmp_path, *options, scheme="https") as served:
        served.verify = context
        code = served.said(r"^set-up code: (\S+)$")
        with served.browser() as someone:
            assert someone.client.get("/setup", headers={"Host": "evil.example"}).status_code == 421
            first = someone.enter(code)
            assert first.headers["strict-transport-security"]
            someone.whole()
            assert someone.send("review").status_code == 200
            assert once_started(someone).headers["strict-transport-security"]
            assert someone.client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421


def test_off_the_loopback_not_even_the_set_up_is_served(new_home: Callable[[], Path], tmp_path: Path) -> None:
    home = new_home()
    command = [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(home), "--host", "192.0.2.7"]
    made = subprocess.run(
        [*command, "--port", "8443"], capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 3
    assert "a loopback address without a certificate" in made.stderr
    assert not home.exists()


@pytest.mark.parametrize("port", [True, False])
def test_a_folder_with_anything_in_it_is_not_set_up(
    new_home: Callable[[], Path], tmp_path: Path, port: bool
) -> None:
    home = new_home()
    home.mkdir()
    (home / "notes.txt").write_text("mine", "utf-8")
    command = [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(home)]
    command += ["--port", str(free_port())] if port else []
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 3
    assert "an installation of Coverslip" in made.stderr


def test_one_person_tries_out_minutes_after_founding(new_home: Callable[[], Path], tmp_path: Path) -> None:
    home = new_home()
    with serving(home, tmp_path) as served, served.browser() as someone:
        someone.enter(served.said(r"^set-up code: (\S+)$"))
        someone.whole()
        someone.send("review")
        once_started(someone)
        who = {"username": "aurel", "password": password_of("aurel"), "workstation": "ws", "zone": "UTC"}
        mine = someone.client.post("/sign-in", data=who, follow_redirects=True)
        assert 'href="/sandbox"' in mine.text
        asked = someone.client.get("/sandbox").text
        form = {name: re.search(rf'name="{name}" value="([^"]+)"', asked) for name in ("csrf", "key")}
        given = {name: found[1] for name, found in form.items() if found} | {"title": "Trying out"}
        without = someone.client.post("/sandbox", data=given | {"csrf": "0" * 64})
        assert without.status_code == 403
        made = someone.client.post("/sandbox", data=given)
        assert made.status_code == 303, re.findall(r"<dd>(.*?)</dd>", made.text)
        again = someone.client.post("/sandbox", data=given)
        assert again.headers["location"] == made.headers["location"]
        study = made.headers["location"].rpartition("/")[2]
        assert "Sandbox study" in someone.get(made.headers["location"]).text
        assert someone.client.post("/sign-out", data={"csrf": given["csrf"]}).status_code == 303
        with Coverslip(home=home) as desk:
            desk.sign_in("aurel", password_of("aurel"), place="ws", zone="UTC")
            file = tmp_path / "field.ome.tif"
            pixels = np.random.default_rng(5).integers(100, 4000, (64, 64)).astype(np.uint16)
            size = {"PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65}
            tifffile.imwrite(file, pixels, ome=True, metadata={"axes": "YX", **size})
            imported = desk.ingest(study, file, reason="Trying the import out.")
            assert imported["state"] == "registering", imported.get("why")
            image = str(imported["number"])
            act(desk, image, "verify_import")
            _until(desk, image, "available")
            set_of = {"title": "One", "study": study, "members": [image], "selection_rule": "All."}
            chosen = desk.records.create("image_set", set_of).number
            act(desk, chosen, "freeze")
            (method,) = desk.records.list("analysis_method")
            computed = {
                "title": "One",
                "study": study,
                "image_set": chosen,
                "method": f"{method['number']} v1",
            }
            run = desk.records.create("analysis_run", computed).number
            _until(desk, run, "completed")
            assert desk.records.show(run)["sandbox"] is True


def act(desk: Coverslip, number: str, name: str) -> None:
    """Do an act on the version there is."""
    desk.records.act(number, name, expected_version=int(desk.records.show(number)["version"]))


def _until(desk: Any, number: str, state: str) -> None:
    until = time.monotonic() + 60
    while (found := desk.records.show(number))["state"] != state:
        assert time.monotonic() < until, found
        time.sleep(0.5)
