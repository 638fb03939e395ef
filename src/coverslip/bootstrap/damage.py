"""Damage on the disk: what a check finds where PostgreSQL cannot believe its own pages.

Rules kept here: pages, entries and records are named first, by reading around what cannot be read. Fields are
named by reading it all the same, only over a database that this process started and stops again: what such a
reading leaves in a running server's memory would be served to people as if it were sound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from coverslip.bootstrap import wiring
from coverslip.settings import Home
from coverslip.store import check_pages
from coverslip.store.findings import Report
from coverslip.store.server import Cluster

Judge = Callable[[psycopg.Connection[Any]], Report]


def own(home: Home) -> bool:
    """Whether the home's database is its own and stopped: whoever starts it now has it alone."""
    cluster = wiring.cluster_of(home)
    return isinstance(cluster, Cluster) and cluster.status().state != "running"


def judged(home: Home, alone: bool, judge: Judge) -> Report:
    """Return what ``judge`` reports; with damaged pages, these and what lies in them besides.

    ``alone`` says that nobody else uses the running database.
    """
    try:
        with wiring.connection(home, "cs_verifier") as conn:
            return judge(conn)
    except check_pages.UNREADABLE as error:
        said = str(error.diag.message_primary or error)
    with wiring.connection(home, "cs_verifier") as conn:
        report = check_pages.name(conn, said)
    if alone:
        _read_on(home, judge, report)
    else:
        report.add("page", "fields were not compared: stop the server and ask again to have them named")
    return report


def _read_on(home: Home, judge: Judge, report: Report) -> None:
    try:
        with wiring.connection(home, "cs_superuser") as conn:
            check_pages.believe_anyway(conn)
            more = judge(conn)
    except check_pages.UNREADABLE as error:
        report.add("page", f"fields were not compared: {error.diag.message_primary or error}")
        return
    report.counts.update(more.counts)
    report.findings += more.findings
