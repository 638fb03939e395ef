"""The doctor's look at the database: roles, who is let in, settings, schema, alarms, clock, backup, growth.

Rules kept here: everything is read as cs_verifier, in the words of PostgreSQL's own catalogs.
"""

from __future__ import annotations

import datetime as dt
import shutil
from typing import Any, Final

import psycopg

from coverslip.bootstrap import wiring
from coverslip.bootstrap.certifying import last_backup
from coverslip.bootstrap.doctor_keeper import LATE_S, NAME, keeper
from coverslip.bootstrap.doctor_line import Check, State, judge, looked, softer
from coverslip.bootstrap.places import read_places
from coverslip.records.organisation.alert import TYPE as ALERT
from coverslip.settings import DATABASE_ROLES, Home
from coverslip.store import fingerprint, inspection, startup
from coverslip.store.fingerprint_log import other_version, recorded, replaced
from coverslip.store.server import Cluster

Connection = psycopg.Connection[Any]
OWN_ROLES: Final = frozenset({*DATABASE_ROLES, "cs_owner"})
SETTINGS: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
    "data_checksums": ("on",),
    "wal_level": ("replica", "logical"),
    "zero_damaged_pages": ("off",),
    "ignore_checksum_failure": ("off",),
    "allow_system_table_mods": ("off",),
    "password_encryption": ("scram-sha-256",),
    "log_statement": ("none",),
    "log_min_duration_statement": ("-1",),
    "log_min_duration_sample": ("-1",),
    "log_parameter_max_length_on_error": ("0",),
}
"""Durability, integrity, and that no row value reaches a log."""
SOON_DAYS, LATER_DAYS = 14, 60


def checks(home: Home, conn: Connection) -> list[Check]:
    """Return every check that asks the database; ``conn`` is an idle connection of cs_verifier."""
    return [
        looked("no other database roles", "only Coverslip's", lambda: roles(home, conn)),
        looked("one superuser", "one, for Coverslip's own use", lambda: superusers(conn)),
        looked("nobody is let in without a password", "SCRAM for Coverslip's roles", lambda: hba(home, conn)),
        looked("schema is as published", "every object of this release", lambda: schema(conn)),
        looked("the fingerprint is kept", "an entry within two hours", lambda: kept(home, conn)),
        looked("settings keep what is written", "durable and checked", lambda: settings(conn)),
        looked("no setting waits in a file", "nothing from ALTER SYSTEM", lambda: waiting(conn)),
        looked("no alarm of the ledger", "none", lambda: alarms(conn)),
        looked("alerts are attended to", "none open", lambda: alerts(conn)),
        looked("clock is compared with a source", "within 1 s of a named source", lambda: clock(home, conn)),
        looked(NAME, f"each duty within {LATE_S} s of serving", lambda: keeper(home)),
        looked("a backup was made in time", "no older than its interval", lambda: backup(home, conn)),
        looked("room for the coming weeks", f"more than {LATER_DAYS} days", lambda: forecast(home, conn)),
    ]  # fmt: skip


def roles(home: Home, conn: Connection) -> Check:
    """Find login and other roles that are not Coverslip's own; on a site's server the site judges them."""
    own = inspection.own_prefix_roles(conn)
    extra = [*startup.foreign_roles(conn), *(name for name in own if name not in OWN_ROLES)]
    found = ", ".join(extra) or "only Coverslip's"
    if extra and wiring.installation(home).database is not None:
        remedy = "Each is a way into the database past Coverslip: keep few, and none that people share."
        return Check("no other database roles", "warning", "only Coverslip's", f"the site's {found}", remedy)
    return judge("no other database roles", not extra, "only Coverslip's", found, "Drop the roles named.")


def superusers(conn: Connection) -> Check:
    """Count who can do anything: by attribute, or as a member of somebody who can."""
    names, members = inspection.superusers(conn)
    found = ", ".join(names) + (f"; members: {', '.join(members)}" if members else "")
    remedy = "Take the attribute or the membership from the others."
    return judge("one superuser", len(names) == 1 and not members, "one", found, remedy)


def hba(home: Home, conn: Connection) -> Check:
    """Compare the server's own rules with those Coverslip writes; on a site's server look for open doors."""
    rows = inspection.hba_rules(conn)
    own = isinstance(wiring.cluster_of(home), Cluster)
    bad = [" ".join(str(p) for p in row if p) for row in rows if not _closed(row, own)]
    remedy = "Restart 'serve', which writes pg_hba.conf anew, and find out who changed it."
    expected = "SCRAM for Coverslip's roles, and nobody else"
    found = "; ".join(bad) or f"{len(rows)} rules, as expected"
    return judge("nobody is let in without a password", bool(rows) and not bad, expected, found, remedy)


def _closed(row: tuple[Any, ...], own: bool) -> bool:
    kind, databases, users, method, error = row
    if error or method == "trust":
        return False
    if method == "reject":
        return True
    if not own:
        return method in ("scram-sha-256", "cert", "gss", "ldap", "radius", "pam", "peer")
    mine = users in DATABASE_ROLES and (databases == "coverslip" or users == "cs_superuser")
    return bool(kind == "local" and method == "scram-sha-256" and mine)


def schema(conn: Connection) -> Check:
    """Name what differs from this release."""
    found, known = fingerprint.read(conn), recorded(conn)
    name, expected = "schema is as published", f"{len(found.objects)} objects of this release"
    waiting = fingerprint.pending(found)
    if waiting:
        return Check(name, "finding", expected, f"pending: {', '.join(waiting)}", "Run 'coverslip migrate'.")
    differing = fingerprint.deviations(found)
    system = replaced(known, found)
    if system is not None:
        differing = [system, *(differing or ())]
    if differing is None:
        return Check(
            name, "unknown", expected, "the list shipped is of other migrations", "Install the release anew."
        )
    shown = "; ".join(one.sentence() for one in differing[:10])
    more = f"; and {len(differing) - 10} more" if len(differing) > 10 else ""
    remedy = "Find out who changed it and put it back; 'coverslip ledger verify' says since when."
    before = other_version(known, found)
    fine = f"hash {found.hash[:16]}" + (f"; was {before} at the last fingerprint" if before else "")
    return judge(name, not differing, expected, shown + more or fine, remedy)


def kept(home: Home, conn: Connection) -> Check:
    """Look for a recent fingerprint where a server runs."""
    known = recorded(conn, newest=True)
    name, expected = "the fingerprint is kept", "an entry within two hours of serving"
    served = wiring.api_socket(home).exists()
    if not known:
        state: State = "finding" if served else "unknown"
        return Check(name, state, expected, "none yet", "Serve the installation; the keeper enters it.")
    age = _age_s(conn, known[-1].at)
    return judge(
        name, age < 7200 or not served, expected, f"index {known[-1].index}, {known[-1].at}",
        "See in logs/keeper.log why the keeper does not enter it.",
    )  # fmt: skip


def settings(conn: Connection) -> Check:
    """Find settings that let written data go, hide damage, or write values to a log."""
    have = inspection.settings(conn, tuple(SETTINGS))
    bad = [
        f"{name} is {have.get(name, 'not readable')}"
        for name, good in SETTINGS.items()
        if have.get(name) not in good
    ]
    remedy = "Take it back where it was set (the system's, a role's or the database's settings) and restart."
    found = "; ".join(bad) or f"{len(SETTINGS)} settings, as expected"
    return judge("settings keep what is written", not bad, "durable and checked", found, remedy)


def waiting(conn: Connection) -> Check:
    """Find settings that somebody wrote with ALTER SYSTEM, and mistakes in the files."""
    rows = inspection.file_settings(conn)
    found = "; ".join(f"{name} = {value} {error}".rstrip() for name, value, error in rows)
    remedy = "Take back what nobody should have set: ALTER SYSTEM RESET."
    return judge("no setting waits in a file", not rows, "nothing", found or "nothing", remedy)


def alarms(conn: Connection) -> Check:
    """Tell what the sequencer refused to let into the tree."""
    rows = inspection.alarms(conn)
    found = (
        f"{len(rows)}, newest {rows[0][0]}: entry {rows[0][3]}: {rows[0][1]}, {rows[0][2]}"
        if rows
        else "none"
    )
    remedy = "Run 'coverslip ledger verify': it names the record. Somebody wrote past the application."
    return judge("no alarm of the ledger", not rows, "none", found, remedy)


def alerts(conn: Connection) -> Check:
    """Count alerts nobody has acknowledged."""
    rows = inspection.in_states(conn, ALERT.name, ("open", "escalated"))
    found = f"{len(rows)} open, newest {rows[0][0]}: {rows[0][1]}" if rows else "none open"
    return judge("alerts are attended to", not rows, "none open", found, "Acknowledge them.", "warning")


def clock(home: Home, conn: Connection) -> Check:
    """Read what the keeper measured last."""
    name, expected = "clock is compared with a source", "within 1 s of a named source"
    row = inspection.clock(conn)
    remedy = (
        "Name a source: 'coverslip clock set'. Signing is refused in a regulated installation until then."
    )
    if row is None or not row[5]:
        found = "never measured" if row is None else f"last measured {row[6]}"
        return Check(name, "unknown", expected, found, "Serve the installation; the keeper measures.")
    offset, source, server, why, good = row[:5]
    if source == "none":
        return Check(name, softer(home), expected, str(why) or "no source is named", remedy)
    found = f"{offset / 1e6:+.6f} s from {source} {server}"
    return judge(name, bool(good), expected, found, "Set the host's clock by its time service.")


def backup(home: Home, conn: Connection) -> Check:
    """Compare the age of the newest backup on the ledger with its interval."""
    every = read_places(home).every_hours
    name, expected = "a backup was made in time", f"one in the last {every + every // 2} hours"
    with wiring.core(home, size=1) as core:
        last = last_backup(core)
    remedy = "Make one: 'coverslip backup'."
    if last is None:
        return Check(name, softer(home), expected, "none yet", remedy)
    good = _age_s(conn, str(last["at"])) < every * 5400
    return judge(name, good, expected, f"last {last['at']}, index {last['index']}", remedy)


def forecast(home: Home, conn: Connection) -> Check:
    """Say how many days the space lasts, by what the last entries and the month's files took."""
    name, expected = "room for the coming weeks", f"more than {LATER_DAYS} days"
    per_day = inspection.database_per_day(conn)
    if per_day is None:
        return Check(name, "unknown", expected, "less than a day of history", "Ask again tomorrow.")
    parts = [("database", home.database, per_day), ("vault", home.vault, inspection.vault_per_day(conn))]
    days, texts = float("inf"), []
    for what, path, rate in parts:
        if not path.exists():
            continue
        free = shutil.disk_usage(path).free
        left = free / rate if rate > 0 else float("inf")
        days = min(days, left)
        texts.append(
            f"{what} grows {rate / 1024**2:.1f} MiB a day" + (f", {left:.0f} days" if rate > 0 else "")
        )
    state: State = "ok" if days > LATER_DAYS else "warning" if days > SOON_DAYS else "finding"
    return Check(name, state, expected, "; ".join(texts), "Add space before it is full.")


def _age_s(conn: Connection, at: str) -> float:
    return inspection.now_s(conn) - dt.datetime.fromisoformat(at).timestamp()
