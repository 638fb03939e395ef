"""The ground a laboratory stands on: one cluster of a worker, founded, peopled and furnished once.

The database of each stage is kept as a template, and each module that asks for ``lab`` gets a copy of it.
Only the cost of deriving keys is lowered, in the fixtures and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql

from coverslip.bootstrap import founding, retaining, wiring
from coverslip.kernel import keys
from coverslip.kernel.change import Context
from coverslip.kernel.clock import ClockState
from coverslip.kernel.commit import Door
from coverslip.kernel.events import Events
from coverslip.kernel.genesis import Founder, Genesis
from coverslip.kernel.identity import Identity
from coverslip.kernel.rows import NIL
from coverslip.records.founding import charter
from coverslip.review.access import access_gatherer
from coverslip.review.coverage import openings_gatherer
from coverslip.review.exceptions import gatherer
from coverslip.review.recurrence import recurrence_gatherer
from coverslip.review.trail import drawn_gatherer, sample_gatherer
from coverslip.settings import Home
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.ledger_sql import PostgresStore, writer_pool
from coverslip.store.migrate import migrate, open_installation
from coverslip.store.reading import PostgresReading
from coverslip.store.signer import Signer
from coverslip.vault.local import LocalVault
from fix_lab import CHEAP, FOUNDERS, LATER, ORIGIN, SITE, STAFF, TODAY, Lab, secret_of
from fix_store import open_to_roles


class Grounds:
    """One cluster with its template databases. One database is open at a time."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.device_key = Ed25519PrivateKey.generate()
        self.numbers: dict[str, str] = {}
        self._numbers: dict[str, dict[str, str]] = {}
        self._memories: dict[str, dict[Path, bytes]] = {}
        self._remembering = (self.home.signer / "journal", self.home.anchors)
        people = tuple(
            {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
        )
        founding.init(
            root,
            founding.Founding(ORIGIN, "evaluation", SITE, people),
            {u: secret_of(u) for u, *_ in FOUNDERS},
        )
        self.cluster = wiring.cluster_of(self.home)
        self.busy = threading.Lock()

    def admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**{**self.cluster.dsn("cs_superuser"), "dbname": "postgres"}, autocommit=True)

    def keep(self, name: str) -> None:
        """Keep the database as it is now, and what signer and anchor remember of it, as template ``name``."""
        self._numbers[name] = dict(self.numbers)
        self._memories[name] = {path: path.read_bytes() for path in self._remembering if path.exists()}
        with self.admin() as admin:
            admin.execute(
                sql.SQL("create database {} template coverslip owner cs_owner").format(sql.Identifier(name))
            )

    def bring(self, name: str) -> None:
        """Put a copy of a template in the place of the database, and of what is remembered of it."""
        if name in self._numbers:
            self.numbers.clear()
            self.numbers.update(self._numbers[name])
        for path in self._remembering if name in self._memories else ():
            path.write_bytes(self._memories[name].get(path, b""))
        with self.admin() as admin:
            admin.execute("drop database if exists coverslip with (force)")
            admin.execute(sql.SQL("create database coverslip template {}").format(sql.Identifier(name)))
            open_to_roles(admin)

    @contextmanager
    def open(self, template: str = "", clock: ClockState | None = None) -> Iterator[Lab]:
        """Open the database, or a new copy of a template, as a laboratory."""
        assert self.busy.acquire(blocking=False), "another laboratory of this process is still open"
        try:
            if template:
                self.bring(template)
            with pytest.MonkeyPatch.context() as patch, self._lab(clock or ClockState()) as lab:
                patch.setattr(keys, "_COST", CHEAP)
                yield lab
        finally:
            self.busy.release()

    @contextmanager
    def _lab(self, clock: ClockState) -> Iterator[Lab]:
        admission = bytes.fromhex(self.home.secret("admission.key").read_text("ascii").strip())
        state = {"clock": clock}
        with (
            closing(Signer(self.home.signer, ORIGIN)) as signer,
            writer_pool(wiring.conninfo(self.home, "cs_writer"), 12) as pool,
        ):
            store, accounts, reading = (
                PostgresStore(pool, admission),
                PostgresAccounts(pool),
                PostgresReading(pool),
            )
            events = Events(store, accounts, lambda: state["clock"])
            identity = Identity(accounts, events, accounts.now)
            door = Door(
                wiring.catalogue().recalling(lambda: wiring._definitions(pool)),
                store,
                identity,
                lambda: state["clock"],
                events,
                {
                    ("review_exceptions", 2): gatherer(reading),
                    ("review_openings", 1): openings_gatherer(reading),
                    ("access_snapshot", 1): access_gatherer(reading),
                    ("cause_recurrences", 1): recurrence_gatherer(reading),
                    **{n: made(reading) for n, made in retaining.gatherers(wiring.catalogue()).items()},
                    ("trail_sample", 1): sample_gatherer(reading),
                    ("trail_drawn", 1): drawn_gatherer(reading),
                },
                wiring.kept_in(LocalVault(self.home.vault)),
            )
            lab = Lab(
                self.home,
                self.cluster,
                store,
                accounts,
                reading,
                events,
                identity,
                door,
                LocalVault(self.home.vault),
                signer,
                self.numbers,
                self.device_key,
                state,
            )
            try:
                yield lab
            finally:
                lab.readers.close()


def _settle(lab: Lab) -> None:
    """Certification and site: signing is in use here."""
    quinn = lab.quinn
    letter = quinn.create(
        "certification_letter",
        organisation="Test Lab",
        sites=["SITE-01"],
        statement="Our signatures bind.",
        signed_by="Q",
        addressee="FDA",
        channel="electronic",
        covers_from=TODAY.isoformat(),
    )
    quinn.do(letter, "sign_on_paper", handwritten_scan=lab.attach())
    quinn.do(letter, "send", sent_on=TODAY.isoformat())
    quinn.do("SITE-01", "activate", sign=True)
    lab.n["letter"] = letter


def _people(lab: Lab) -> None:
    for username, name, roles in STAFF:
        number = lab.invite(username, name, roles)
        lab.acknowledge(username, number)


def _instrument(lab: Lab) -> None:
    public = lab.device_key.public_key().public_bytes_raw().hex()
    number = lab.mia.create(
        "instrument",
        name="Widefield 1",
        make="Molecular Devices",
        model="IX",
        serial="IX-20417",
        interval_months=60,
        device_key=public,
        owner=lab.number_of("mia"),
    )
    lab.mia.do(number, "install", firmware="6.1", location="Room 12")
    point = {"point": "10 um", "nominal": "10.00", "reading": "10.01", "limit": "0.05", "unit": "um"}
    calibration = lab.mia.create(
        "calibration",
        sign=True,
        instrument=number,
        performed_on=TODAY.isoformat(),
        standard="Micrometer SM-7",
        standard_certificate="C-1",
        standard_expires=LATER,
        as_found=[point],
        next_due=LATER,
    )
    lab.rita.do(calibration, "review")
    lab.quinn.do(calibration, "accept", sign=True)
    lab.quinn.do(number, "put_in_service", sign=True)
    lab.n |= {"instrument": number, "calibration": calibration}


def _master(lab: Lab, kind: str, /, **fields: Any) -> str:
    number = lab.aurel.create(kind, **fields)
    lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    return number


def _method(lab: Lab) -> None:
    digest = hashlib.sha256(b"code").hexdigest()
    algorithm = _master(
        lab,
        "algorithm",
        title="Nuclei",
        semver="1.0.0",
        kind="classical",
        source="here",
        entry_point="nuclei:run",
        code_hash=digest,
        env_digest=digest,
        operating_limits={"x": 1},
        intended_use="Counting.",
        deterministic=True,
    )
    parameters = _master(
        lab,
        "parameter_set",
        title="Defaults",
        algorithm=algorithm,
        rationale="Tried.",
        values=[{"name": "sigma", "value": "1"}],
    )
    method = _master(
        lab,
        "analysis_method",
        title="Count",
        algorithm=algorithm,
        parameters=parameters,
        sop=f"{lab.n['sop']} v1",
        outputs=[{"quantity_name": "count", "unit": "1", "digits": 0}],
        intended_use="Counting.",
        permitted_runs=1,
    )
    lab.n |= {"algorithm": algorithm, "parameters": parameters, "method": method}


def _furnish(lab: Lab) -> None:
    lab.n["sop"] = lab.new_sop()
    lab.approve_sop(lab.n["sop"])
    assert lab.work().due() == 1
    for username in ("alan", "olga", "rex"):
        lab.train(username, f"{lab.n['sop']} v1")
    _instrument(lab)
    lab.n["study"] = lab.new_study()
    lab.start_study(lab.n["study"])
    lab.n["session"] = lab.new_session()
    lab.start_session(lab.n["session"])
    _method(lab)


def furnish(lab: Lab) -> None:
    """Let a laboratory just founded settle, take on people and get to work."""
    _settle(lab)
    _people(lab)
    _furnish(lab)


def _found_production(grounds: Grounds) -> None:
    """Found a second log in the same cluster, of a regulated installation."""
    with grounds.admin() as admin:
        admin.execute("drop database if exists coverslip with (force)")
    grounds.cluster.create_roles()
    admin_dsn = wiring.conninfo(grounds.home, "cs_superuser")
    migrate(admin_dsn)
    open_installation(
        admin_dsn, origin=ORIGIN, use="regulated", uuid=uuid4(), created_at=dt.datetime.now(dt.UTC)
    )
    founders = tuple(Founder(u, n, f"{u}@lab.example", r, secret_of(u)) for u, n, r in FOUNDERS)
    with grounds.open() as lab:
        context = Context(NIL, NIL, "password", "genesis", "local", "tests", "UTC")
        genesis = Genesis(lab.door.catalogue, lab.store, lab.accounts)
        genesis.run(founders, charter(founders, SITE), context, ClockState().value())
    grounds.keep("production")


@pytest.fixture(scope="session")
def grounds() -> Iterator[Grounds]:
    """The cluster of this worker: founded, peopled and furnished once."""
    memory = Path("/dev/shm")  # where there is one, flushing costs nothing; nothing here outlives the tests
    root = Path(tempfile.mkdtemp(prefix="cl-", dir=memory if os.access(memory, os.W_OK) else None))
    root.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", CHEAP)
        made = Grounds(root / "home")
        with made.cluster.running():
            made.keep("bare")
            with made.open() as lab:
                furnish(lab)
            made.keep("world")
            yield made
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def lab(grounds: Grounds) -> Iterator[Lab]:
    """A peopled installation for one module: SOP in force, study and session under way, method approved."""
    with grounds.open("world") as found:
        yield found


@pytest.fixture(scope="module")
def bare_lab(grounds: Grounds) -> Iterator[Lab]:
    """An installation just founded: three founders, no certification yet."""
    with grounds.open("bare") as found:
        yield found


@pytest.fixture(scope="module")
def production_lab(grounds: Grounds) -> Iterator[Lab]:
    """A regulated installation, just founded; its clock is as the test says."""
    with grounds.admin() as admin:
        known = admin.execute("select 1 from pg_database where datname = 'production'").fetchone()
    if known is None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "_COST", CHEAP)
            _found_production(grounds)
    with grounds.open("production") as found:
        yield found
