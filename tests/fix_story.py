"""A finished main job: one installation in which everything from genesis to a release has happened.

It is played once per test run through the public interface, with a real database, worker, signer and
isolated analysis, and kept stopped; tests work on copies. Only the cost of deriving keys is lowered. Beside
the finished home lies ``older``, a copy of the whole home from the middle of the story.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.analysis import registry
from coverslip.api.app import create_app
from coverslip.bootstrap import founding, wiring
from coverslip.bootstrap.labs import Lab, lab
from coverslip.kernel import keys
from coverslip.ledger import canonical
from coverslip.settings import Home
from coverslip.store.signer import Signer
from coverslip.store.signer_socket import SignerClient, SignerServer
from coverslip.worker.loop import run as work

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the test client's own library announces a successor
    from fastapi.testclient import TestClient

ORIGIN = "story.example/site1"
_CHEAP = {"memory_kib": 64, "time_cost": 1, "parallelism": 1}
_TODAY = dt.date.today().isoformat()
_LATER = (dt.date.today() + dt.timedelta(days=300)).isoformat()
_IMAGES = Path(registry.__file__).parents[1] / "cli" / "demo" / "images"
_ROOT = "COVERSLIP_STORY_ROOT"
_FOUNDERS = (
    ("ada", "Ada Admin", ["ADM"]),
    ("quinn", "Quinn Quality", ["QA"]),
    ("aurel", "Aurel Author", ["AUT", "SEC", "TRN"]),
)
_STAFF = (
    ("alan", "Alan Analyst", ("ANL", "OPR")),
    ("rita", "Rita Reviewer", ("REV",)),
    ("vera", "Vera Quality", ("QA",)),
    ("sam", "Sam Director", ("SDR",)),
    ("mia", "Mia Metrology", ("MET",)),
)


def pytest_configure(config: pytest.Config) -> None:
    """Name one folder for all processes of this run; nothing is made before a test asks."""
    if _ROOT not in os.environ:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
        os.environ[_ROOT] = f"{memory}/cst-{os.getpid()}"
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(_ROOT), ignore_errors=True))


def secret_of(username: str) -> str:
    """Return the password of a person of the story."""
    return f"walnut harbour {len(username)} lantern"


@dataclass(frozen=True)
class Story:
    """Where the finished home lies (stopped; never change it) and what its records are called."""

    home: Path
    older: Path
    bundles: Path
    numbers: dict[str, str]


class Person:
    """Somebody who works through the interface, in one session."""

    def __init__(self, client: TestClient, username: str) -> None:
        self._client, self.username = client, username
        opened = client.post(
            "/api/v1/sessions",
            json={"username": username, "password": secret_of(username), "workstation": f"ws-{username}",
                  "zone": "America/New_York"},
        )  # fmt: skip
        assert opened.status_code == 201, opened.text
        self._headers = {"Authorization": f"Bearer {opened.json()['token']}"}

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return the response of a request."""
        headers = self._headers | more.pop("headers", {})
        return self._client.request(method, f"/api/v1{path}", headers=headers, **more)

    def show(self, number: str) -> dict[str, Any]:
        """Return a record."""
        found = self.ask("GET", f"/records/{number}")
        assert found.status_code == 200, found.text
        value: dict[str, Any] = found.json()
        return value

    def new(self, kind: str, /, *, sign: bool = False, why: str = "", **fields: Any) -> str:
        """Create a record and return its number."""
        body: dict[str, Any] = {"type": kind, "fields": fields} | ({"reason": why} if why else {})
        if sign:
            shown = self.ask("POST", "/records/preview", json=body).json()["shown"]
            body["signature"] = self._signature(shown)
        made = self.ask("POST", "/records", json=body)
        assert made.status_code == 201, (kind, made.text)
        return str(made.json()["entries"][0]["number"])

    def do(self, number: str, act: str, /, *, sign: bool = False, why: str = "", **fields: Any) -> Any:
        """Do an act on the version now there; return the response."""
        body: dict[str, Any] = {"expected_version": self.show(number)["version"], "fields": fields}
        if why:
            body["reason"] = why
        if sign:
            body["signature"] = self._signature(self.ask("GET", f"/records/{number}/view").json()["shown"])
        path = f"/records/{number}/edit" if act == "edit" else f"/records/{number}/acts/{act}"
        return self.ask("POST", path, json=body)

    def must(self, number: str, *acts: str, **more: Any) -> None:
        """Do acts, one after the other, with the same sign, why and fields."""
        for act in acts:
            done = self.do(number, act, **more)
            assert done.status_code == 200, (number, act, done.text)

    def open_items(self, case: str) -> None:
        """Open what must be opened of a review case, and its whole trail."""
        for item in self.ask("GET", f"/reviews/{case}").json()["coverage"]["unopened"]:
            assert self.ask("GET", f"/reviews/{case}/items/{item['key']}").status_code == 200
        page = 1
        while page:
            page = self.ask("GET", f"/reviews/{case}/trail?page={page}").json()["next"]

    def until(self, number: str, done: Callable[[str], bool], seconds: float = 60) -> dict[str, Any]:
        """Wait for the worker to bring a record into a state."""
        deadline = time.monotonic() + seconds
        while not done((found := self.show(number))["state"]):
            assert time.monotonic() < deadline, f"{number} stays {found['state']}"
            time.sleep(0.05)
        return found

    def _signature(self, shown: str) -> dict[str, str]:
        return {"username": self.username, "password": secret_of(self.username), "shown": shown}


@contextmanager
def running(root: Path) -> Iterator[TestClient]:
    """Run a home's database, signer, sequencer, worker and interface in this process."""
    with opened(root) as found:
        yield TestClient(create_app(found.services()))


@contextmanager
def opened(root: Path) -> Iterator[Lab]:
    """Run a home's database, signer, sequencer and worker in this process."""
    home, stop = Home(root), threading.Event()
    with wiring.database(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", _CHEAP)
        signer = Signer(home.signer, ORIGIN)
        server = SignerServer(signer, wiring.signer_socket(home)).start()
        sequencer = founding.sequencer_of(home, SignerClient(wiring.signer_socket(home)))
        threads = [threading.Thread(target=sequencer.run, args=(stop,))]
        with lab(home) as found:
            threads += [threading.Thread(target=work, args=(found.worker(), stop))]
            for one in threads:
                one.start()
            try:
                yield found
            finally:
                stop.set()
                for one in threads:
                    one.join()
                while sequencer.step().integrated:  # what the last second brought is signed too
                    pass
                sequencer.close()
                server.stop()
                signer.close()


def copy_home(home: Path, target: Path) -> Path:
    """Copy a stopped home as an operator would."""
    subprocess.run(["cp", "-a", str(home), str(target)], check=True)
    return target


@pytest.fixture(scope="session")
def story() -> Story:
    """The finished main job, played once per run, whichever process needs it first."""
    root = Path(os.environ[_ROOT])
    root.mkdir(mode=0o711, exist_ok=True)
    with open(root / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "numbers.json").exists():
            _play(root)
    numbers = json.loads((root / "numbers.json").read_text("utf-8"))
    return Story(root / "home", root / "older", root / "bundles", numbers)


@pytest.fixture
def story_home(story: Story) -> Iterator[Path]:
    """A stopped copy of the finished home, to do anything to."""
    parent = Path(tempfile.mkdtemp(prefix="c-", dir=story.home.parent))
    parent.chmod(0o711)
    yield copy_home(story.home, parent / "home")
    wiring.cluster_of(Home(parent / "home")).stop("immediate")
    shutil.rmtree(parent)


# --- the story -------------------------------------------------------------------------------------


def _play(root: Path) -> None:
    home, n = root / "home", dict[str, str]()
    for name in ("home", "older", "bundles"):
        shutil.rmtree(root / name, ignore_errors=True)  # of a process that failed half way
    people = tuple(
        {"username": u, "name": name, "email": f"{u}@story.example", "roles": roles}
        for u, name, roles in _FOUNDERS
    )
    site = {
        "name": "Story site", "code": "STO", "address": "1 Slide Street", "tz": "America/New_York",
        "regulated_as": [{"authority": "fda", "predicate": "drug"}], "system_class": "closed",
        "time_source": "none",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", _CHEAP)
        founding.init(
            home, founding.Founding(ORIGIN, "evaluation", site, people),
            {u: secret_of(u) for u, *_ in _FOUNDERS},
        )  # fmt: skip
    _played(home, n, _people, _procedure)
    copy_home(home, root / "older")
    _played(home, n, _acquisition, _method, _analysis, _release)
    (root / "bundles").mkdir()
    n["bundles"] = str(root / "bundles")
    _played(home, n, _export)
    (root / "numbers.json").write_text(json.dumps(n), "utf-8")


def _played(home: Path, n: dict[str, str], *chapters: Callable[[Cast, dict[str, str]], None]) -> None:
    """Play chapters in one run of the home; everybody signs out at the end of each."""
    with running(home) as client:
        for chapter in chapters:
            cast = Cast(client)
            chapter(cast, n)
            cast.leave()


class Cast:
    """Those who play a chapter; signed in when first named."""

    def __init__(self, client: TestClient) -> None:
        self.client, self._present = client, dict[str, Person]()

    def __call__(self, *names: str) -> tuple[Person, ...]:
        for name in names:
            self._present.setdefault(name, Person(self.client, name))
        return tuple(self._present[name] for name in names)

    def leave(self) -> None:
        """Sign everybody out."""
        for one in self._present.values():
            assert one.ask("DELETE", "/sessions/current").status_code == 204


def _people(cast: Cast, n: dict[str, str]) -> None:
    ada, quinn, aurel = cast("ada", "quinn", "aurel")
    scan = quinn.ask("PUT", "/attachments/letter.pdf/files", content=b"%PDF-1.4 scan",
                     headers={"content-type": "application/pdf"}).json()  # fmt: skip
    n["letter"] = quinn.new(
        "certification_letter", organisation="Story Lab", sites=["SITE-01"], statement="Our signatures bind.",
        signed_by="Q", addressee="FDA", channel="electronic", covers_from=_TODAY,
    )  # fmt: skip
    quinn.must(n["letter"], "sign_on_paper", handwritten_scan=scan)
    quinn.must(n["letter"], "send", sent_on=_TODAY)
    quinn.must(n["letter"], "acknowledge", sign=True)
    quinn.must("SITE-01", "activate", sign=True)
    for username, name, roles in _STAFF:
        user = ada.new("user", username=username, printed_name=name, kind="person", email=f"{username}@x.org")
        code = ada.ask("POST", f"/records/{user}/invitation").json()["code"]
        enrolled = cast.client.post(
            "/api/v1/enrolments",
            json={"code": code, "username": username, "password": secret_of(username),
                  "workstation": f"ws-{username}", "zone": "America/New_York"},
        )  # fmt: skip
        assert enrolled.status_code == 201, enrolled.text
        seen = [{"document_kind": "passport", "manner": "in person", "on": _TODAY}]
        aurel.must(user, "activate", sign=True, identity_check=seen)
        for role in roles:
            grant = ada.new(
                "role_grant", person=user, role=f"ROLE-{role}", start=_TODAY, justification="For the study.",
                why="For the study.",
            )  # fmt: skip
            quinn.must(grant, "approve", sign=True)
            n[f"grant_{role}"] = grant
        (one,) = cast(username)
        _train(aurel, one, user, "POL-0001")
        one.new(
            "esign_acknowledgement", sign=True, person=user, policy="POL-0001", statement="I have read it."
        )
        n[username] = user


def _train(trainer: Person, learner: Person, user: str, document: str) -> None:
    made = trainer.new("training_record", person=user, document=document, depth="read_understood", due=_TODAY)
    learner.must(made, "complete", sign=True)


def _procedure(cast: Cast, n: dict[str, str]) -> None:
    quinn, aurel, alan, rita = cast("quinn", "aurel", "alan", "rita")
    n["sop"] = sop = aurel.new("document_sop", title="Counting nuclei", criticality="gxp_critical")
    aurel.must(
        sop, "edit", why="Filling in the first draft.", body="1. Image. 2. Count.",
        change_summary="First version.", training_depth="read_understood",
        audience=["ROLE-ANL", "ROLE-REV"], effective_date=_TODAY,
    )  # fmt: skip
    aurel.must(sop, "submit", sign=True)
    rita.must(sop, "review", sign=True)
    quinn.must(sop, "approve", sign=True)
    _train(aurel, alan, n["alan"], f"{sop} v1")
    _train(aurel, rita, n["rita"], f"{sop} v1")
    quinn.until(sop, lambda state: state == "effective")


def _acquisition(cast: Cast, n: dict[str, str]) -> None:
    quinn, alan, rita, sam, mia = cast("quinn", "alan", "rita", "sam", "mia")
    device = Ed25519PrivateKey.generate()
    n["instrument"] = ins = mia.new(
        "instrument", name="Widefield 1", make="Molecular Devices", model="ImageXpress", serial="5165008",
        interval_months=12, device_key=device.public_key().public_bytes_raw().hex(), owner=n["mia"],
    )  # fmt: skip
    mia.must(ins, "install", firmware="6.1", location="Room 12")
    point = {"point": "10 um", "nominal": "10.00", "reading": "10.01", "limit": "0.05", "unit": "um"}
    cal = mia.new(
        "calibration", sign=True, instrument=ins, performed_on=_TODAY, standard="Stage micrometer SM-7",
        standard_certificate="C-1", standard_expires=_LATER, as_found=[point], next_due=_LATER,
    )  # fmt: skip
    rita.must(cal, "review", sign=True)
    quinn.must(cal, "accept", sign=True)
    quinn.must(ins, "put_in_service", sign=True)
    n["study"] = study = sam.new(
        "study", title="Nuclei in control wells", kind="release_assay", director=n["sam"],
        objectives="Count nuclei.", protocol=f"{n['sop']} v1", site="SITE-01", retention_class="DRUG",
    )  # fmt: skip
    sam.must(study, "accept_responsibility", sign=True)
    quinn.must(study, "approve", sign=True)
    sam.must(study, "start")
    n["session"] = acq = alan.new("acquisition_session", title="Plate 1", study=study, operator=n["alan"],
                                  instrument=ins, method=f"{n['sop']} v1")  # fmt: skip
    alan.must(acq, "start", settings={"objective": "20x"}, checks=[{"check": "lamp", "result": "pass"}],
              device_clock_offset_ms=40)  # fmt: skip
    images = sorted(_IMAGES.glob("AS_*.tif"))
    assert len(images) == 3
    headers = _device_session(cast.client, ins, device)
    for sequence, path in enumerate(images, 1):
        n[f"image{sequence}"] = _deliver(cast.client, headers, device, ins, acq, path, sequence)
    alan.must(acq, "complete")
    n["hold"] = quinn.new("hold", subject=n["image3"], reason="A bubble in the well was reported.")
    n["set"] = alan.new("image_set", title="Nuclear channel", study=study, members=[n["image1"]],
                        selection_rule="All DNA channel images.")  # fmt: skip
    alan.must(n["set"], "freeze", sign=True)


def _device_session(client: TestClient, ins: str, device: Ed25519PrivateKey) -> dict[str, str]:
    at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    said = canonical.encode({"device": ins, "log": ORIGIN, "at": at, "nonce": os.urandom(16).hex()})
    body = {"device": ins, "statement": said.hex(), "signature": device.sign(said).hex()}
    opened = client.post("/api/v1/sessions/device", json=body)
    assert opened.status_code == 201, opened.text
    return {"Authorization": f"Bearer {opened.json()['token']}"}


def _deliver(
    client: TestClient, headers: dict[str, str], device: Ed25519PrivateKey, ins: str, acq: str, path: Path,
    sequence: int,
) -> str:  # fmt: skip
    data = path.read_bytes()
    said = {
        "name": path.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        "sequence": sequence, "taken_at": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    signed = canonical.encode(said | {"device": ins, "session": acq})
    said["signature"] = device.sign(b"coverslip-delivery-v1\n" + signed).hex()
    manifest = {"Coverslip-Manifest": canonical.encode(said).hex()}
    taken = client.put(f"/api/v1/sessions/{acq}/files", content=data, headers=headers | manifest)
    assert taken.status_code == 201, taken.text
    return str(taken.json()["number"])


def _method(cast: Cast, n: dict[str, str]) -> None:
    quinn, aurel = cast("quinn", "aurel")
    shipped = registry.NUCLEUS_COUNT
    n["algorithm"] = aurel.new(
        "algorithm", title="Nucleus count", semver="1.0.0", kind="classical", source="bundled",
        entry_point=shipped.entry_point, code_hash=registry.code_hash(),
        env_digest=registry.env_digest(shipped.imports), operating_limits=dict(shipped.limits),
        intended_use=shipped.intended_use, deterministic=True,
    )  # fmt: skip
    _approve(aurel, quinn, n["algorithm"])
    values = [
        {"name": p.name, "value": p.default, "allowed_lo": p.low, "allowed_hi": p.high}
        for p in shipped.parameters
    ]
    n["parameters"] = aurel.new("parameter_set", title="Defaults", algorithm=f"{n['algorithm']} v1",
                                values=values, rationale="As validated.")  # fmt: skip
    _approve(aurel, quinn, n["parameters"])
    n["method"] = aurel.new(
        "analysis_method", title="Count nuclei", algorithm=f"{n['algorithm']} v1",
        parameters=f"{n['parameters']} v1", sop=f"{n['sop']} v1", permitted_runs=1,
        outputs=[{"quantity_name": "count", "unit": "1", "digits": 0}], intended_use="Counting nuclei.",
    )  # fmt: skip
    _approve(aurel, quinn, n["method"])


def _approve(author: Person, approver: Person, number: str) -> None:
    author.must(number, "submit", sign=True)
    approver.must(number, "approve", sign=True)


def _analysis(cast: Cast, n: dict[str, str]) -> None:
    (alan,) = cast("alan")
    n["run"] = run = alan.new("analysis_run", title="Nuclei per field", study=n["study"], image_set=n["set"],
                              method=f"{n['method']} v1")  # fmt: skip
    done = alan.until(run, lambda state: state not in ("queued", "running"))
    assert done["state"] == "completed", done["fields"]
    n["results"] = str(done["fields"]["results"]["number"])
    alan.must(run, "edit", why="The interpretation was missing.", interpretation="Counts are plausible.")
    alan.must(run, "submit", sign=True)
    links = alan.ask("GET", f"/records/{run}/links").json()
    n["review"] = next(one["number"] for one in links if one["type"] == "review_case")
    refused = alan.do(n["review"], "start")
    assert refused.status_code >= 400, "a reviewer is somebody else"


def _release(cast: Cast, n: dict[str, str]) -> None:
    rita, quinn, vera = cast("rita", "quinn", "vera")
    rita.must(n["review"], "start")
    items = rita.show(n["review"])["fields"]["exceptions"]["items"]
    answers = [{"exception": i["key"], "answer": "Looked at."} for i in items if i["severity"] != "info"]
    asked = [{"question": "Images opened?", "answer": "yes"}]
    rita.must(n["review"], "answer", checklist=asked, answers=answers)
    rita.open_items(n["review"])
    rita.must(n["review"], "technical", sign=True)
    quinn.open_items(n["review"])
    quinn.must(n["review"], "qa_decide", sign=True)
    n["release"] = vera.new("release_decision", subject=n["run"], review_case=n["review"],
                            basis="Reviewed and within limits.")  # fmt: skip
    vera.must(n["release"], "release", sign=True)


def _export(cast: Cast, n: dict[str, str]) -> None:
    """Write three bundles: the release whole, the release filtered, and one record that stands alone."""
    folder = Path(n.pop("bundles"))
    (vera,) = cast("vera")
    for name, number, body in (
        ("release", n["release"], {}),
        ("filtered", n["release"], {"filter": "RUN,RES"}),
        ("single", "SITE-01", {}),
    ):
        made = vera.ask("POST", f"/records/{number}/export", json=body)
        assert made.status_code == 200, made.text
        (folder / f"{name}.zip").write_bytes(made.content)
