"""Retention joined to the store: the service, and the gatherers of disposal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coverslip.bootstrap import wiring
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.retention.disposing import candidates_gatherer, tombstone_gatherer
from coverslip.retention.service import Retentions
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.reading import PostgresReading
from coverslip.store.retaining import PostgresRetaining


def retentions(catalogue: Catalogue, reading: PostgresReading) -> Retentions:
    """Return the service that says how long records are kept, by the database's date."""
    pool = reading.pool
    return Retentions(catalogue, PostgresRetaining(pool), PostgresAccounts(pool).now)


def candidates(reading: PostgresReading) -> Callable[[Row], Any]:
    """Return the gatherer of what a disposal lists."""
    return candidates_gatherer(retentions(wiring.catalogue(), reading))


def tombstone(reading: PostgresReading) -> Callable[[Row], Any]:
    """Return the gatherer of what stays known."""
    return tombstone_gatherer(retentions(wiring.catalogue(), reading), reading)


GATHERERS: dict[tuple[str, int], Callable[[PostgresReading], Callable[[Row], Any]]] = {
    ("disposal_candidates", 1): candidates,
    ("disposal_tombstone", 1): tombstone,
}
