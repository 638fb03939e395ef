"""A lab: everything a serving process uses, opened once and closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coverslip.alerts import Alerts
from coverslip.analysis.registry import bundled
from coverslip.analysis.rerun import Reruns
from coverslip.analysis.service import Runs
from coverslip.application.services import Services
from coverslip.bootstrap import anchors as anchoring, retaining, wiring
from coverslip.bootstrap.assurances import Assurances, assurances
from coverslip.bootstrap.working import working
from coverslip.errors import EnvironmentFault
from coverslip.exports.service import Exports, Signing
from coverslip.imaging.pool import ReaderPool
from coverslip.imaging.views import Views
from coverslip.ingest import Imports, Ingest, Unfinished
from coverslip.kernel.change import Context
from coverslip.kernel.identity import context_of
from coverslip.kernel.rows import Row
from coverslip.ledger import note
from coverslip.records.founding import SCHEDULER
from coverslip.review.access import access_gatherer
from coverslip.review.as_of import AsOf
from coverslip.review.coverage import openings_gatherer
from coverslip.review.exceptions import gatherer
from coverslip.review.recurrence import recurrence_gatherer
from coverslip.review.trail import drawn_gatherer, sample_gatherer
from coverslip.review.workspace import Workspace
from coverslip.settings import Home
from coverslip.store.anchor_rows import AnchorReading
from coverslip.store.gaps import pooled as pooled_gaps
from coverslip.store.heads import HeadsReading
from coverslip.store.lists import PostgresLists
from coverslip.store.past import PostgresPast
from coverslip.store.searching import PostgresSearch
from coverslip.store.signer_socket import SignerClient
from coverslip.store.trail import PostgresTrail
from coverslip.store.unique_sql import PostgresUnique
from coverslip.training import Matrix
from coverslip.worker.loop import Work

GATHERERS = {
    ("review_exceptions", 2): gatherer,
    ("review_openings", 1): openings_gatherer,
    ("access_snapshot", 1): access_gatherer,
    ("cause_recurrences", 1): recurrence_gatherer,
    ("trail_sample", 1): sample_gatherer,
    ("trail_drawn", 1): drawn_gatherer,
}
UPLOAD_LIMIT_BYTES = 1 << 40


@dataclass
class Lab:
    """The opened parts; ``service`` is the session of the installation's own account."""

    core: wiring.Core
    _service: Context | None = field(default=None)
    readers: ReaderPool = field(default_factory=ReaderPool)
    """Reader processes of images; none runs until an image is looked at."""

    def service(self) -> Context:
        """Return the context of the scheduler's session, opening a new one when the last has ended."""
        known = self._service
        if known is not None and self.core.accounts.session_alive(known.session):
            return known
        found = self.core.accounts.person_by_username(SCHEDULER)
        if found is None:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what="the service account",
                expected=SCHEDULER,
                found="none",
                remedy="Activate it, or found the installation anew.",
            )
        opened = self.core.identity.service_session(found[0], SCHEDULER, "coverslip worker")
        self._service = context_of(opened.session)
        return self._service

    def alerts(self) -> Alerts:
        """Return what tells people, through a record, that something needs them now."""
        c = self.core
        return Alerts(c.door, self.service, PostgresUnique(c.pool), c.accounts.now)

    def ingest(self) -> Ingest:
        """Return the service that takes deliveries."""
        c = self.core
        return Ingest(c.door, c.vault, c.reading, c.accounts, c.events, self.service, UPLOAD_LIMIT_BYTES)

    def exports(self) -> Exports:
        """Return the service that writes bundles."""
        c = self.core
        key = wiring.export_key(c.home)
        signing = Signing(
            c.facts.origin,
            c.facts.use,
            key.verifier_key.format(),
            lambda text: note.sign(text.decode(), [key]).to_bytes(),
            c.home.anchors,
        )
        return Exports(
            c.reading, c.vault, c.events, signing, c.accounts.now, c.accounts.account, HeadsReading(c.pool),
            AnchorReading(c.pool),
        )  # fmt: skip

    def worker(self) -> Work:
        """Return what a worker acts on."""
        c = self.core
        imports = Imports(c.door, c.reading, self.service)
        unfinished = Unfinished(c.door, c.reading, self.service, c.accounts.now)
        runs = Runs(c.door, c.reading, c.vault, self.service, UPLOAD_LIMIT_BYTES)
        jobs = (imports, unfinished, runs)

        def blocked(row: Row, label: str, why: str) -> None:
            today = c.accounts.now()[:10]
            self.alerts().raise_alert(
                "overdue",
                "warning",
                f"{row.label}: '{label}' was to happen by itself and waits: {why}"[:1000],
                [row.number],
                bucket=f"{row.label}/{label}/{today}",
            )

        return Work(c.door, c.reading, self.service, lambda: c.accounts.now()[:10], jobs, blocked)

    def anchors(self) -> list[dict[str, Any]]:
        """Return how each place stands that keeps checkpoints."""
        with self.core.pool.connection() as conn:
            return anchoring.lines(self.core.home, conn)

    def assurances(self) -> Assurances:
        """Return what proves records and verifies everything on demand."""
        from coverslip.bootstrap.verifying import Verifying

        c = self.core
        verifying = Verifying(c.home, c.facts.uuid, c.events, self.service, self.alerts)
        return assurances(c.home, c.reading, c.accounts, c.clock, verifying.check)

    def services(self) -> Services:
        """Return what the interface uses."""
        c = self.core
        signer = SignerClient(wiring.signer_socket(c.home))
        return Services(
            catalogue=c.catalogue,
            door=c.door,
            identity=c.identity,
            accounts=c.accounts,
            events=c.events,
            reading=c.reading,
            delivery=self.ingest(),
            exporting=self.exports(),
            receipts=lambda entry, leaf_hash, at: signer.receipt(
                entry, bytes.fromhex(leaf_hash), at
            ).decode(),
            installation=c.reading.installation,
            retaining=retaining.retentions(c.catalogue, c.reading),
            past=AsOf(c.catalogue, PostgresPast(c.pool), c.reading),
            algorithms=bundled,
            reproducing=Reruns(c.reading, c.vault),
            reviewing=Workspace(c.door, c.reading, c.events),
            anchors=self.anchors,
            gaps=lambda: pooled_gaps(c.pool),
            upload_limit_bytes=UPLOAD_LIMIT_BYTES,
            working=working(c.pool, c.store, c.door),
            lists=PostgresLists(c.pool),
            searching=PostgresSearch(c.pool),
            trails=PostgresTrail(c.pool),
            teaching=Matrix(c.reading, c.accounts.now),
            assurance=self.assurances(),
            pictures=Views(c.vault, self.readers),
        )


@contextmanager
def lab(home: Home) -> Iterator[Lab]:
    """Open a lab over a running database."""
    with wiring.core(home, {**GATHERERS, **retaining.gatherers(wiring.catalogue(home.types))}) as core:
        opened = Lab(core)
        try:
            yield opened
        finally:
            opened.readers.close()
