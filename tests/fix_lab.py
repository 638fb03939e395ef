"""Fixtures that run a whole installation in process: real PostgreSQL, real vault, the one door.

Here is who is in a laboratory and what it is asked; ``fix_works`` has what is made in one, ``fix_caller`` who
calls its interface, ``fix_together`` what happens at one moment; ``fix_grounds`` makes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.alerts import Alerts
from coverslip.analysis.rerun import Reruns
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
from coverslip.review.as_of import AsOf
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
from fix_works import LATER as LATER, TODAY, Works

ORIGIN = "lab.example/site1"
CHEAP = {"memory_kib": 64, "time_cost": 1, "parallelism": 1}
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
class Lab(Works):
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


@contextmanager
def refused(code: str) -> Iterator[list[CoverslipError]]:
    """Expect an error of the catalogue with this code; yields a list that holds it afterwards."""
    caught: list[CoverslipError] = []
    with pytest.raises(CoverslipError) as found:
        yield caught
    assert found.value.code == code, f"{found.value.code}: {found.value.message}"
    caught.append(found.value)
