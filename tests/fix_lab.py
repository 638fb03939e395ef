"""Fixtures that run a whole installation in process: real PostgreSQL, real vault, the one door.

Here is what is done in a laboratory and what it is asked; ``fix_grounds`` makes one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response

from coverslip.alerts import Alerts
from coverslip.analysis.rerun import Reruns
from coverslip.api.app import create_app
from coverslip.application.services import Services
from coverslip.bootstrap import founding, retaining, wiring
from coverslip.bootstrap.assurances import Assurances, assurances
from coverslip.bootstrap.checking import projector
from coverslip.bootstrap.working import working
from coverslip.errors import CoverslipError
from coverslip.exports.service import Exports, Signing
from coverslip.imaging.pool import ReaderPool
from coverslip.imaging.views import Views
from coverslip.ingest import Ingest
from coverslip.kernel.change import Change, Context, Credential, Receipt
from coverslip.kernel.clock import ClockState
from coverslip.kernel.commit import Door
from coverslip.kernel.events import Events
from coverslip.kernel.identity import Identity, Place, SignedIn, context_of
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical, note
from coverslip.records.founding import SCHEDULER
from coverslip.records.quality import change
from coverslip.review.as_of import AsOf
from coverslip.review.workspace import Workspace
from coverslip.settings import Home
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.clock_sql import PostgresClock
from coverslip.store.ledger_sql import PostgresStore
from coverslip.store.lists import PostgresLists
from coverslip.store.past import PostgresPast
from coverslip.store.reading import PostgresReading
from coverslip.store.replay import replay
from coverslip.store.searching import PostgresSearch
from coverslip.store.server import Cluster
from coverslip.store.signer import Signer
from coverslip.store.trail import PostgresTrail
from coverslip.store.unique_sql import PostgresUnique
from coverslip.training import Matrix
from coverslip.vault.local import LocalVault
from coverslip.worker.loop import Work

with warnings.catch_warnings():
    # The client of the locked httpx works as it is; its successor is not in the lock file.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*httpx.*")
    from fastapi.testclient import TestClient

ORIGIN = "lab.example/site1"
CHEAP = {"memory_kib": 64, "time_cost": 1, "parallelism": 1}
TODAY = dt.datetime.now(dt.UTC).date()
LATER = (TODAY + dt.timedelta(days=900)).isoformat()
SHOWN = "5" * 64
"""Stands for the hash of a view; that it is the right one is the interface's to ask, not the door's."""
SITE = {
    "name": "Test site",
    "code": "TS",
    "address": "1 Slide Street",
    "tz": "America/New_York",
    "regulated_as": [{"authority": "fda", "predicate": "drug"}],
    "system_class": "closed",
    "time_source": "none",
}
FOUNDERS = (
    ("ada", "Ada Admin", ("ADM",)),
    ("quinn", "Quinn Quality", ("QA",)),
    ("aurel", "Aurel Author", ("AUT", "SEC", "TRN")),
)
STAFF = (
    ("alan", "Alan Analyst", ("ANL", "OPR")),
    ("olga", "Olga Operator", ("ANL", "OPR")),
    ("rita", "Rita Reviewer", ("REV",)),
    ("rex", "Rex Both", ("REV", "ANL", "OPR", "AUT")),
    ("vera", "Vera Quality", ("QA",)),
    ("sam", "Sam Director", ("SDR",)),
    ("mia", "Mia Metrology", ("MET",)),
    ("nora", "Nora Nobody", ()),
)


def secret_of(username: str) -> str:
    """Return the password of a person of the laboratory."""
    return f"walnut harbour {len(username)} lantern"


class Person:
    """Somebody at the door, in a session of their own."""

    def __init__(self, lab: Lab, username: str, opened: SignedIn) -> None:
        self.lab, self.username, self.opened = lab, username, opened
        self.context: Context = context_of(opened.session)
        self.token = opened.token
        self.secret = secret_of(username)

    @property
    def uid(self) -> str:
        return self.context.person

    @property
    def credential(self) -> Credential:
        return Credential(self.username, self.secret)

    def credential_for(self, change: Change) -> Credential:
        """Return what this person gives to sign one change."""
        return self.credential

    def submit(self, change: Change, credential: Credential | None = None) -> Receipt:
        return self.lab.door.submit(change, self.context, credential)

    def create(
        self,
        kind: str,
        /,
        *,
        sign: bool = False,
        next_of: str = "",
        why: str = "",
        key: str = "",
        **fields: Any,
    ) -> str:
        """Create a record, or the next revision of one, and return its number."""
        change = Change("create", kind, next_of, 0, fields, why, None, SHOWN if sign else "", key)
        return self.submit(change, self.credential if sign else None).entries[0].number

    def do(
        self,
        number: str,
        act: str,
        /,
        *,
        sign: bool = False,
        why: str = "",
        version: int | None = None,
        revision: int = 0,
        key: str = "",
        credential: Credential | None = None,
        shown: str = SHOWN,
        **fields: Any,
    ) -> Receipt:
        """Do an act on the version now there, or on ``version``."""
        row = self.lab.row(number, revision)
        change = Change(
            act,
            row.type,
            number,
            revision or row.revision,
            fields,
            why,
            row.version if version is None else version,
            shown if sign else "",
            key,
        )
        return self.submit(change, credential or (self.credential if sign else None))


@dataclass
class Lab:
    """An opened installation. ``state["clock"]`` may be replaced; ``n`` has the numbers of shared records."""

    home: Home
    cluster: Cluster
    store: PostgresStore
    accounts: PostgresAccounts
    reading: PostgresReading
    events: Events
    identity: Identity
    door: Door
    vault: LocalVault
    signer: Signer
    n: dict[str, str]
    device_key: Ed25519PrivateKey
    state: dict[str, ClockState]
    _people: dict[str, Person] = field(default_factory=dict)
    readers: ReaderPool = field(default_factory=ReaderPool)

    # --- people --------------------------------------------------------------------------------

    def sign_in(self, username: str, workstation: str = "") -> Person:
        """Open a new session."""
        place = Place(workstation or f"ws-{username}", "127.0.0.1", "tests", "America/New_York")
        return Person(self, username, self.identity.sign_in(username, secret_of(username), place))

    def person(self, username: str) -> Person:
        """Return somebody, signed in once."""
        if username not in self._people:
            self._people[username] = self.sign_in(username)
        return self._people[username]

    def forget_sessions(self) -> None:
        """Let everybody sign in anew before their next act."""
        self._people.clear()

    def __getattr__(self, username: str) -> Person:
        if username.startswith("_") or username not in {name for name, *_ in (*FOUNDERS, *STAFF)}:
            raise AttributeError(username)
        return self.person(username)

    def service(self) -> Context:
        """Return the context of the installation's own account."""
        if "scheduler" not in self._people:
            found = self.accounts.person_by_username(SCHEDULER)
            assert found is not None
            opened = self.identity.service_session(found[0], SCHEDULER, "tests")
            self._people["scheduler"] = Person(self, SCHEDULER, opened)
        return self._people["scheduler"].context

    def machine(self, number: str, act: str, reason: str = "", **fields: Any) -> Receipt:
        """Let the service account do an act."""
        return self.door.submit(Change(act, number=number, fields=fields, reason=reason), self.service())

    def device(self) -> Context:
        """Return a session of the instrument."""
        found = self.accounts.device(self.n["instrument"])
        assert found is not None
        statement = canonical.encode(
            {
                "device": self.n["instrument"],
                "log": ORIGIN,
                "at": self.accounts.now(),
                "nonce": os.urandom(16).hex(),
            }
        )
        opened = self.identity.device_session(
            found[0],
            found[1],
            statement,
            self.device_key.sign(statement),
            Place("ins", "127.0.0.1", "tests", "UTC"),
        )
        return context_of(opened.session)

    def invite(self, username: str, name: str, roles: tuple[str, ...]) -> str:
        """Make a new person through everything a person goes through; return their number."""
        number = self.ada.create(
            "user", username=username, printed_name=name, kind="person", email=f"{username}@lab.example"
        )
        self.enrol(number, username)
        check = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
        self.aurel.do(number, "activate", sign=True, identity_check=check)
        for role in roles:
            self.grant(number, role)
        return number

    def enrol(self, number: str, username: str) -> None:
        """Use an enrolment code as its owner."""
        code = self.identity.invite(self.row(number).uid, self.ada.uid)
        opened, made, _ = self.identity.begin_enrolment(
            code, username, secret_of(username), Place("w", "127.0.0.1", "t", "UTC")
        )
        row = self.row(number)
        key = {
            "kid": made.kid,
            "scheme": made.wrapped["scheme"],
            "public": made.public,
            "enrolled_at": opened.session.opened_at,
        }
        change = Change(
            "enrol", number=number, fields={"signing_keys": [key]}, expected_version=row.version, shown=SHOWN
        )
        self.door.submit(change, context_of(opened.session), Credential(username, secret_of(username)))
        self.identity.sign_out(opened.session)

    def grant(self, person: str, role: str, **more: Any) -> str:
        """Grant a role; return the grant's number."""
        number = self.ada.create(
            "role_grant", person=person, role=f"ROLE-{role}", justification="Needed here.", **more
        )
        self.quinn.do(number, "approve", sign=True)
        return number

    def acknowledge(self, username: str, person: str) -> None:
        """Let a person acknowledge the signature policy."""
        self.person(username).create(
            "esign_acknowledgement",
            sign=True,
            person=person,
            policy="POL-0001",
            statement="I have read this policy.",
        )

    def number_of(self, username: str) -> str:
        """Return the number of a person."""
        found = self.accounts.person_by_username(username)
        assert found is not None
        return str(found[1]["number"])

    # --- looking -------------------------------------------------------------------------------

    def row(self, number: str, revision: int = 0) -> Row:
        """Return a record as it is now."""
        row = self.reading.find(number, revision)
        assert row is not None, f"{number} is not there"
        return row

    def history(self, number: str, revision: int = 0) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it."""
        return self.reading.history(self.row(number, revision).uid)

    def refusals(self, number: str = "") -> list[dict[str, Any]]:
        """Return the details of refusal entries, about one record or of the whole log."""
        if number:
            return [e["sections"]["detail"] for e in self.history(number) if e["type"] == "refusal"]
        return [
            canonical.decode(bytes(r[1]))
            for r in self.ask(
                "select e.id, b.fixed from ledger.entry e join ledger.body b on b.entry_id = e.id"
                " where convert_from(e.leaf, 'UTF8')::jsonb ->> 'type' = 'refusal' order by e.id"
            )
        ]

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return rows of a query as the verifier role or better sees them."""
        with psycopg.connect(**self.cluster.dsn("cs_superuser"), autocommit=True) as conn:
            return conn.execute(query, values).fetchall()

    def entries(self) -> int:
        """Return how many entries the ledger has."""
        return int(self.ask("select count(*) from ledger.entry")[0][0])

    def work(self) -> Work:
        """Return a worker without jobs."""
        return Work(self.door, self.reading, self.service, lambda: self.accounts.now()[:10], ())

    def alerts(self) -> Alerts:
        """Return what raises alerts."""
        return Alerts(self.door, self.service, PostgresUnique(self.accounts._pool), self.accounts.now)

    def ingest(self) -> Ingest:
        """Return the service that takes deliveries."""
        return Ingest(self.door, self.vault, self.reading, self.accounts, self.events, self.service, 1 << 30)

    def assurances(self) -> Assurances:
        """Return what proves records and verifies everything on demand."""
        from coverslip.bootstrap.verifying import Verifying

        uuid = wiring.installation(self.home).uuid
        verifying = Verifying(self.home, uuid, self.events, self.service, self.alerts)
        clock = PostgresClock(self.reading.pool)
        return assurances(self.home, self.reading, self.accounts, clock, verifying.check)

    def integrate(self) -> None:
        """Give what waits its place in the tree, and sign a checkpoint."""
        with closing(founding.sequencer_of(self.home, self.signer)) as sequencer:
            while sequencer.step().integrated:
                pass

    def services(self) -> Services:
        """Return what the interface uses."""
        key = wiring.export_key(self.home)
        signing = Signing(
            ORIGIN,
            "evaluation",
            key.verifier_key.format(),
            lambda text: note.sign(text.decode(), [key]).to_bytes(),
            self.home.anchors,
        )
        exports = Exports(
            self.reading, self.vault, self.events, signing, self.accounts.now, self.accounts.account
        )
        return Services(
            catalogue=self.door.catalogue,
            door=self.door,
            identity=self.identity,
            accounts=self.accounts,
            events=self.events,
            reading=self.reading,
            delivery=self.ingest(),
            exporting=exports,
            reproducing=Reruns(self.reading, self.vault),
            reviewing=self.workspace(),
            receipts=lambda entry, hashed, at: self.signer.receipt(entry, bytes.fromhex(hashed), at).decode(),
            installation=self.reading.installation,
            retaining=retaining.retentions(self.door.catalogue, self.reading),
            past=AsOf(self.door.catalogue, PostgresPast(self.reading.pool), self.reading),
            upload_limit_bytes=1 << 22,
            working=working(self.accounts._pool, self.store, self.door),
            lists=PostgresLists(self.reading.pool),
            searching=PostgresSearch(self.reading.pool),
            trails=PostgresTrail(self.reading.pool),
            teaching=Matrix(self.reading, self.accounts.now),
            assurance=self.assurances(),
            pictures=Views(self.vault, self.readers),
        )

    def attach(self, name: str = "scan.pdf", data: bytes = b"%PDF-1.4 scan") -> dict[str, Any]:
        """Keep a file and return the value that names it."""
        import io

        return self.ingest().attach(name, "application/pdf", io.BytesIO(data), len(data))

    def replay(self) -> list[str]:
        """Rebuild every projection from the ledger; return what differs from what is stored."""
        with psycopg.connect(**self.cluster.dsn("cs_verifier"), autocommit=True) as conn:
            report = replay(conn, projector(conn))
        return [finding.sentence() for finding in report.findings]

    # --- shared records ------------------------------------------------------------------------

    def new_sop(self, title: str = "Counting nuclei", **more: Any) -> str:
        """Return a new SOP in draft, ready to be submitted."""
        fields = {
            "title": title,
            "criticality": "gxp_critical",
            "body": "1. Image. 2. Count.",
            "change_summary": "First version.",
            "training_depth": "read_understood",
            "audience": [],
            "effective_date": TODAY.isoformat(),
        }
        return self.aurel.create("document_sop", **(fields | more))

    def approved_change(self, title: str = "Another way of counting") -> str:
        """Return a change that quality approved, on which a next version of a document can rest."""
        impact = [{"area": a, "effect": "none", "why": "The text alone changes."} for a in change.AREAS]
        fields = {
            "title": title,
            "kind": "document",
            "description": "The text is made clearer.",
            "reason": "People asked what it means.",
            "change_class": "minor",
            "impact": impact,
            "plan": [{"action": "Write the next version.", "owner": self.number_of("aurel"), "due": LATER}],
            "test_plan": "Read by somebody who does the work.",
            "rollback": "The version before it goes on.",
            "effective_from": TODAY.isoformat(),
        }
        number = self.aurel.create("change", **fields)
        self.aurel.do(number, "submit", sign=True)
        self.quinn.do(number, "approve", sign=True)
        return number

    def approve_sop(self, number: str, revision: int = 0) -> None:
        """Bring a draft to ``approved``."""
        self.aurel.do(number, "submit", sign=True, revision=revision)
        self.rita.do(number, "review", sign=True, revision=revision)
        self.quinn.do(number, "approve", sign=True, revision=revision)

    def train(self, username: str, document: str, **more: Any) -> str:
        """Train a person on a document version; return the record's number."""
        number = self.aurel.create(
            "training_record",
            person=self.number_of(username),
            document=document,
            depth="read_understood",
            due=TODAY.isoformat(),
            **more,
        )
        self.person(username).do(number, "complete", sign=True)
        return number

    def new_study(self, kind: str = "release_assay", /, **more: Any) -> str:
        """Return a study in draft."""
        fields = {
            "title": "Nuclei in control wells",
            "kind": kind,
            "director": self.number_of("sam"),
            "objectives": "Count nuclei.",
        } | more
        if kind != "sandbox":
            fields.setdefault("protocol", f"{self.n['sop']} v1")
        return self.sam.create("study", **fields)

    def start_study(self, number: str) -> None:
        """Bring a study to ``in_progress``."""
        self.sam.do(number, "accept_responsibility", sign=True)
        self.quinn.do(number, "approve", sign=True)
        self.sam.do(number, "start")

    def new_session(self, **more: Any) -> str:
        """Return an acquisition session, prepared."""
        fields = {
            "title": "Plate 1",
            "study": self.n["study"],
            "operator": self.number_of("alan"),
            "instrument": self.n["instrument"],
            "method": f"{self.n['sop']} v1",
        } | more
        return self.alan.create("acquisition_session", **fields)

    def start_session(self, number: str) -> None:
        """Start an acquisition session."""
        self.alan.do(
            number,
            "start",
            settings={"objective": "20x"},
            checks=[{"check": "lamp", "result": "pass"}],
            device_clock_offset_ms=40,
        )

    def new_image(self, session: str = "", study: str = "") -> str:
        """Return an available image, registered by the service."""
        name = f"{uuid4().hex}.tif"
        data = os.urandom(64)
        kept = self.attach(name, data)
        fields = {
            "name": name,
            "study": study or self.n["study"],
            "session": session or self.n["session"],
            "kind": "raw",
        }
        made = self.door.submit(Change("create", "image", fields=fields), self.service()).entries[0].number
        read = {
            "files": [kept],
            "root": kept["root"],
            "format": "tiff",
            "uncalibrated": True,
            "dims": {"x": 8, "y": 8, "z": 1, "c": 1, "t": 1, "levels": 1},
            "checks": [{"check": "parses", "verdict": "pass", "sentence": "The file reads."}],
        }
        self.machine(made, "accept", **read)
        return made

    def new_set(self) -> str:
        """Return a frozen image set of one new image."""
        number = self.alan.create(
            "image_set", title="Control wells", study=self.n["study"], members=[self.new_image()]
        )
        self.alan.do(number, "freeze", sign=True)
        return number

    def new_run(self, person: Person | None = None, **more: Any) -> str:
        """Return a queued run on a set of its own."""
        fields = {"title": "Planned count", "study": self.n["study"], "method": self.n["method"]} | more
        if "image_set" not in fields:
            fields["image_set"] = self.new_set()
        return (person or self.alan).create("analysis_run", **fields)

    def results_of(self, run: str) -> dict[str, Any]:
        """Return the fields of a result set of a running run of the laboratory's method."""
        row = {
            "position": "A01",
            "quantity_name": "count",
            "unit": "1",
            "value": "12",
            "digits": 0,
            "status": "no_limit",
        }
        return {
            "title": "Results",
            "run": run,
            "method": f"{self.n['method']} v1",
            "algorithm": f"{self.n['algorithm']} v1",
            "parameters": f"{self.n['parameters']} v1",
            "csv": self.attach("r.csv", run.encode()),
            "row_hashes_root": hashlib.sha256(b"code").hexdigest(),
            "rows": [row],
        }

    def new_review(self, **more: Any) -> tuple[str, str]:
        """Return a run submitted by Alan and its review case, queued."""
        run = self.new_run(**more)
        self.machine(run, "start")
        fields = self.results_of(run)
        results = (
            self.door.submit(Change("create", "result_set", fields=fields), self.service()).entries[0].number
        )
        log = self.attach("log.txt", run.encode())
        digest = hashlib.sha256(b"code").hexdigest()
        self.machine(run, "finish", env_digest=digest, log=log, results=results)
        made = self.alan.do(run, "submit", sign=True)
        return run, next(e.number for e in made.entries if e.type == "review_case")

    def review(self, case: str, who: str = "rita") -> None:
        """Do the whole technical review of a case."""
        person: Person = getattr(self, who)
        person.do(case, "start")
        items = self.row(case).fields["exceptions"]["items"]
        answers = [{"exception": i["key"], "answer": "Seen and understood."} for i in items]
        checklist = [{"question": "Are all images there?", "answer": "yes"}]
        person.do(case, "answer", checklist=checklist, answers=answers, conclusion="It is right.")
        self.open_items(case, person)
        person.do(case, "technical", sign=True)

    def workspace(self) -> Workspace:
        """Return what shows a review case and records what of it was opened."""
        return Workspace(self.door, self.reading, self.events)

    def open_items(self, case: str, person: Person) -> None:
        """Have everything sent to a person that must be opened before a case is decided."""
        space, row = self.workspace(), self.row(case)
        for item in space.coverage(row).items:
            if item.needed:
                space.item(row, item.key, person.context)
        page = 1
        while page:
            page = int(space.trail(row, person.context, page)["next"])

    def new_release(self) -> tuple[str, str]:
        """Return an accepted run and the release decision proposed for it by Quinn."""
        run, case = self.new_review()
        self.review(case)
        self.open_items(case, self.vera)
        self.vera.do(case, "qa_decide", sign=True)
        return run, self.quinn.create(
            "release_decision", subject=run, review_case=case, basis="Reviewed and accepted."
        )


class Caller:
    """Somebody at the REST interface, signed in over it, or nobody."""

    def __init__(self, client: TestClient, username: str = "", token: str = "") -> None:
        self.client, self.username, self.token = client, username, token

    def request(self, method: str, path: str, **more: Any) -> Response:
        """Call a route below ``/api/v1``; whatever it answers holds no trace of the inside."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = self.client.request(
            method, f"/api/v1{path}", headers=headers | more.pop("headers", {}), **more
        )
        assert response.status_code != 500, response.text
        assert "Traceback" not in response.text
        assert 'File "' not in response.text
        return response

    def get(self, path: str) -> Any:
        """Return the value of a route that answers 200."""
        response = self.request("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any, **headers: str) -> Response:
        """Post JSON; ``idempotency_key="…"`` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, json=body, headers=named)

    def new(self, kind: str, /, **fields: Any) -> str:
        """Create a record and return its number."""
        response = self.post("/records", {"type": kind, "fields": fields})
        assert response.status_code == 201, response.text
        return str(response.json()["entries"][0]["number"])

    def signature(self, number: str) -> dict[str, str]:
        """Return the components and the hash of the view that is shown now."""
        shown = self.get(f"/records/{number}/view")["shown"]
        return {"username": self.username, "password": secret_of(self.username), "shown": shown}


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[Callable[[str], Caller]]:
    """Give callers of the interface by user name; the empty name is nobody."""
    client = TestClient(
        create_app(lab.services()), raise_server_exceptions=False, client=("127.0.0.1", 50000)
    )
    known: dict[str, Caller] = {}

    def give(username: str) -> Caller:
        if username not in known:
            known[username] = Caller(client, username, getattr(lab, username).token if username else "")
        return known[username]

    yield give
    client.close()


@contextmanager
def refused(code: str) -> Iterator[list[CoverslipError]]:
    """Expect an error of the catalogue with this code; yields a list that holds it afterwards."""
    caught: list[CoverslipError] = []
    with pytest.raises(CoverslipError) as found:
        yield caught
    assert found.value.code == code, f"{found.value.code}: {found.value.message}"
    caught.append(found.value)


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts at once, one thread each, from one barrier; return results or the errors they raised."""
    barrier = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = acts[index]()
        except CoverslipError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "an act hangs"
    return results


class Meeting:
    """Lets commands of chosen threads meet between deciding and committing, and go on in a given order."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]) -> None:
        self._order = order
        self._arrived = threading.Barrier(len(order))
        self._turn = {name: threading.Event() for name in order}
        self._turn[order[0]].set()
        self._mine = threading.local()
        self._commit = lab.store.commit
        monkeypatch.setattr(lab.store, "commit", self._wait)

    def _wait(self, batch: Any) -> Any:
        name = getattr(self._mine, "name", None)
        if name is None or {entry.kind for entry in batch.entries} <= {"session", "installation"}:
            return self._commit(batch)
        self._mine.name = None  # only the first commit of an act meets; a second attempt goes on at once
        self._arrived.wait(30)
        assert self._turn[name].wait(30)
        try:
            return self._commit(batch)
        finally:
            following = self._order.index(name) + 1
            if following < len(self._order):
                self._turn[self._order[following]].set()

    def run(self, **acts: Callable[[], Any]) -> dict[str, Any]:
        """Run the acts named in the order; return results or errors by name."""

        def named(name: str) -> Callable[[], Any]:
            def act() -> Any:
                self._mine.name = name
                return acts[name]()

            return act

        return dict(zip(self._order, together(*(named(n) for n in self._order)), strict=True))


def at_version(context: Context, **changes: Any) -> Context:
    """Return a context with something replaced."""
    return replace(context, **changes)
