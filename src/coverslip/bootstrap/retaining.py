"""Retention joined to the store: the service, and the gatherers of disposal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


Made = Callable[[PostgresReading], Callable[[Row], Any]]


def gatherers(catalogue: Catalogue) -> dict[tuple[str, int], Made]:
    """Return what makes the gatherers of disposal, by name and version."""
    return {
        ("disposal_candidates", 1): lambda reading: candidates_gatherer(retentions(catalogue, reading)),
        ("disposal_tombstone", 1): lambda reading: tombstone_gatherer(
            retentions(catalogue, reading), reading
        ),
    }
