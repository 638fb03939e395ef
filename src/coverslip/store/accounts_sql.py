"""Accounts in PostgreSQL: sessions, wrapped keys, enrolment codes, counters.

Rules kept here: one statement each, committed by itself; tokens and codes are kept as hashes only;
nothing is deleted, it is ended, revoked or used.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from coverslip.errors import Invalid
from coverslip.kernel.accounts import Session
from coverslip.settings import Limits
from coverslip.store.pool import Pool

IDLE_MINUTES = Limits().idle_lock_minutes

_OPEN = (
    "ended_at is null and expires_at > clock_timestamp()"
    " and not exists (select from projection.authority a where a.person = ops.session.person"
    " and a.kind = 'account'"
    " and (a.valid_from > clock_timestamp() or a.valid_to <= clock_timestamp()))"
)
"""A session ends with the days for which its account is valid."""
_LEFT = "(seen_at <= clock_timestamp() - %(idle)s * interval '1 minute')"
_PERSONAL = "kind in ('password', 'passkey')"
_LIVE = f"{_OPEN} and locked_at is null and not {_LEFT}"
"""A person's session that is left alone locks, any other ends."""
_OPENS = (
    "e.used_at is null and e.expires_at > clock_timestamp() and not exists (select from ops.enrolment later"
    " where later.person = e.person and later.created_at > e.created_at)"
)
_DESTROYED = (
    "update ops.credential c set revoked_at = clock_timestamp(), secret = null,"
    " data = data - 'sealed' - 'salt' - 'nonce' where c.person = %(p)s and c.kind = 'signing'"
)
_SESSION = (
    "session, person, username, kind, workstation, address, client, zone,"
    " opened_at, seen_at, expires_at, period, data, key_id,"
    " locked_at is not null as locked"
)


class PostgresAccounts:
    """The kernel's ``Accounts`` on a pool of role cs_writer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def _one(self, sql: str, **values: Any) -> dict[str, Any] | None:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql, values)
            return cursor.fetchone() if cursor.description else None

    def _all(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, values).fetchall()

    def now(self) -> str:
        """Return the database time, UTC, microseconds."""
        row = self._one("select ops.iso(clock_timestamp()) as now")
        return str(row["now"]) if row else ""

    # --- people and devices --------------------------------------------------------------------

    def person_by_username(self, username: str) -> tuple[str, dict[str, Any]] | None:
        """Return (person id, account data) of an account that may act."""
        row = self._one(
            "select person, data from projection.authority where kind = 'account' and code = %(name)s"
            " and coalesce(valid_from <= clock_timestamp(), true)"
            " and coalesce(valid_to > clock_timestamp(), true)",
            name=username,
        )
        return (str(row["person"]), row["data"]) if row else None

    def account(self, person: str) -> dict[str, Any] | None:
        """Return name, user name and number of a person or device that may act."""
        row = self._one(
            "select kind, code, data from projection.authority"
            " where person = %(p)s and kind in ('account', 'device')",
            p=person,
        )
        return {**row["data"], "username": row["code"], "kind": row["kind"]} if row else None

    def device(self, number: str) -> tuple[str, dict[str, Any]] | None:
        """Return (id, data with the public key) of a device in service."""
        row = self._one(
            "select person, data from projection.authority where kind = 'device' and code = %(n)s", n=number
        )
        return (str(row["person"]), row["data"]) if row else None

    # --- keys ----------------------------------------------------------------------------------

    def credential(self, person: str) -> dict[str, Any] | None:
        """Return the wrapped signing key in force: the one the account lists last, else the latest."""
        row = self._one(
            "select c.data from ops.credential c"
            " where c.person = %(p)s and c.kind = 'signing' and c.revoked_at is null"
            " order by exists (select from projection.authority a where a.person = c.person"
            " and a.kind = 'account' and a.data -> 'kids' ->> -1 = c.key_id) desc, c.created_at desc limit 1",
            p=person,
        )
        return row["data"] if row else None

    def put_credential(self, person: str, key_id: str, wrapped: dict[str, Any]) -> None:
        """Keep a wrapped key and revoke the person's earlier ones."""
        self._one(
            "with gone as (update ops.credential set revoked_at = clock_timestamp(), secret = null,"
            " data = data - 'sealed' - 'salt' - 'nonce'"
            " where person = %(p)s and kind = 'signing' and key_id <> %(k)s and revoked_at is null)"
            " insert into ops.credential(person, kind, key_id, data) values (%(p)s, 'signing', %(k)s, %(d)s)",
            p=person,
            k=key_id,
            d=Jsonb(wrapped),
        )

    def add_credential(self, person: str, key_id: str, wrapped: dict[str, Any]) -> None:
        """Keep a wrapped key beside what the person has; the door has yet to decide on it."""
        self._one(
            "insert into ops.credential(person, kind, key_id, data) values (%(p)s, 'signing', %(k)s, %(d)s)",
            p=person,
            k=key_id,
            d=Jsonb(wrapped),
        )

    def keep_credential(self, person: str, key_id: str) -> None:
        """Destroy the person's wrapped keys from before this one."""
        self._one(
            f"{_DESTROYED} and c.revoked_at is null and c.created_at < (select k.created_at"  # noqa: S608
            " from ops.credential k where k.person = %(p)s and k.kind = 'signing' and k.key_id = %(k)s)",
            p=person,
            k=key_id,
        )

    # --- passkeys ------------------------------------------------------------------------------

    def add_passkey(self, person: str, key_id: str, data: dict[str, Any]) -> None:
        """Keep how to find a passkey. Raises DUP where its authenticator's id or its key is known already."""
        try:
            self._one(
                "insert into ops.credential(person, kind, key_id, data)"
                " values (%(p)s, 'passkey', %(k)s, %(d)s)",
                p=person,
                k=key_id,
                d=Jsonb(data | {"kid": key_id}),
            )
        except UniqueViolation:
            raise Invalid("DUP", what="This passkey", existing="a passkey added before") from None

    def passkeys(self, person: str) -> list[dict[str, Any]]:
        """Return what is kept of the person's passkeys, oldest first."""
        rows = self._all(
            "select data, ops.iso(created_at) as added_at from ops.credential"
            " where person = %(p)s and kind = 'passkey' and revoked_at is null order by created_at",
            p=person,
        )
        return [{**row["data"], "added_at": row["added_at"]} for row in rows]

    def passkey_owner(self, credential_id: str) -> str:
        """Return whose passkey has this id (hex); empty where nobody's."""
        row = self._one(
            "select person from ops.credential"
            " where kind = 'passkey' and data ->> 'credential_id' = %(c)s and revoked_at is null",
            c=credential_id,
        )
        return str(row["person"]) if row else ""

    def use_passkey(self, person: str, key_id: str, was: int, count: int, *, backed_up: bool) -> bool:
        """Raise a passkey's counter from what it was and note the use; false where that is not what it is."""
        row = self._one(
            "update ops.credential set data = data || jsonb_build_object('count', %(n)s::bigint,"
            " 'used_at', ops.iso(clock_timestamp()), 'backed_up', %(b)s::boolean),"
            " changed_at = clock_timestamp() where person = %(p)s and kind = 'passkey' and key_id = %(k)s"
            " and revoked_at is null and (data ->> 'count')::bigint = %(w)s returning 1 as done",
            p=person,
            k=key_id,
            w=was,
            n=count,
            b=backed_up,
        )
        return row is not None

    def drop_passkey(self, person: str, key_id: str) -> None:
        """Forget how to find a passkey."""
        self._one(
            "update ops.credential set revoked_at = clock_timestamp(), changed_at = clock_timestamp()"
            " where person = %(p)s and kind = 'passkey' and key_id = %(k)s and revoked_at is null",
            p=person,
            k=key_id,
        )

    # --- one-time codes ------------------------------------------------------------------------

    def seed(self, person: str) -> dict[str, Any] | None:
        """Return id and sealed form of the seed in use."""
        return self._one(
            "select key_id as id, secret as sealed from ops.credential where person = %(p)s and kind = 'totp'"
            " and revoked_at is null and secret is not null order by created_at desc limit 1",
            p=person,
        )

    def add_seed(self, person: str, name: str, sealed: bytes, step: int) -> None:
        """Keep a sealed seed of which a code of time step ``step`` was used."""
        self._one(
            "insert into ops.credential(person, kind, key_id, secret, data)"
            " values (%(p)s, 'totp', %(k)s, %(x)s, %(d)s)",
            p=person,
            k=name,
            x=sealed,
            d=Jsonb({"step": step}),
        )

    def use_code(self, person: str, name: str, step: int) -> bool:
        """Note that a code was used; false where its step or a later one was used before."""
        row = self._one(
            "update ops.credential set data = data || jsonb_build_object('step', %(n)s::bigint),"
            " changed_at = clock_timestamp() where person = %(p)s and kind = 'totp' and key_id = %(k)s"
            " and revoked_at is null and (data ->> 'step')::bigint < %(n)s returning 1 as done",
            p=person,
            k=name,
            n=step,
        )
        return row is not None

    def drop_seed(self, person: str, name: str) -> None:
        """Destroy a seed."""
        self._one(
            "update ops.credential set revoked_at = clock_timestamp(), changed_at = clock_timestamp(),"
            " secret = null where person = %(p)s and kind = 'totp' and key_id = %(k)s",
            p=person,
            k=name,
        )

    # --- sessions ------------------------------------------------------------------------------

    def open_session(self, session: Session, token_hash: bytes) -> None:
        """Open a session known by the hash of its token."""
        self._one(
            "insert into ops.session(session, person, username, kind, token_hash, expires_at, workstation,"
            " client, address, zone, key_id)"
            " values (%(s)s, %(p)s, %(u)s, %(k)s, %(t)s, %(x)s, %(w)s, %(c)s, %(a)s, %(z)s, %(i)s)",
            s=session.id,
            p=session.person,
            u=session.username,
            k=session.kind,
            t=token_hash,
            x=session.expires_at,
            w=session.workstation,
            c=session.client,
            a=session.address,
            z=session.zone,
            i=session.key_id,
        )

    def session_by_token(self, token_hash: bytes, *, used: bool = True) -> Session | None:
        """Return a session and note that it was ``used``; one that was left alone is locked from now on."""
        row = self._one(
            "update ops.session set"  # noqa: S608 - constants of this module
            f" locked_at = case when {_LEFT} then coalesce(locked_at, clock_timestamp()) else locked_at end,"
            f" period = case when {_LEFT} or locked_at is not null then null else period end,"
            f" seen_at = case when {_LEFT} or locked_at is not null or not %(used)s then seen_at"
            " else clock_timestamp() end"
            f" where token_hash = %(t)s and {_OPEN} and ({_PERSONAL} or not {_LEFT}) returning {_SESSION}",
            t=token_hash,
            idle=IDLE_MINUTES,
            used=used,
        )
        return _session(row) if row else None

    def session_by_id(self, session: str) -> Session | None:
        """Return a live session by its id."""
        row = self._one(
            f"select {_SESSION} from ops.session where session = %(s)s and {_LIVE}",  # noqa: S608
            s=session,
            idle=IDLE_MINUTES,
        )
        return _session(row) if row else None

    def session_alive(self, session: str) -> bool:
        """Return whether a session has neither ended nor expired, noting that it was used."""
        row = self._one(
            "update ops.session set seen_at = clock_timestamp() where session = %(s)s and ended_at is null"
            " and expires_at > clock_timestamp() returning session",
            s=session,
        )
        return row is not None

    def sessions_of(self, person: str) -> list[Session]:
        """Return the person's live sessions."""
        rows = self._all(
            f"select {_SESSION} from ops.session"  # noqa: S608 - constants of this module
            f" where person = %(p)s and {_LIVE} order by opened_at",
            p=person,
            idle=IDLE_MINUTES,
        )
        return [_session(row) for row in rows]

    def open_sessions_of(self, person: str) -> list[Session]:
        """Return the person's sessions that are not over; one left alone counts as locked."""
        rows = self._all(
            f"select {_SESSION.replace('locked_at is not null', f'(locked_at is not null or {_LEFT})')}"  # noqa: S608
            f" from ops.session where person = %(p)s and {_OPEN} and ({_PERSONAL} or not {_LEFT})"
            " order by opened_at",
            p=person,
            idle=IDLE_MINUTES,
        )
        return [_session(row) for row in rows]

    def lock_session(self, session: str) -> None:
        """Lock a session; its continuous period ends."""
        self._one(
            "update ops.session set locked_at = coalesce(locked_at, clock_timestamp()), period = null"
            " where session = %(s)s and ended_at is null",
            s=session,
        )

    def unlock_session(self, session: str, token_hash: bytes) -> bool:
        """Open a locked session under a new token; false where it is over. One left alone is locked first."""
        self.lock_session(session)
        row = self._one(
            "select ops.reopen_session(%(s)s, %(t)s) as done",
            s=session,
            t=token_hash,
        )
        return bool(row and row["done"])

    def close_session(self, session: str, why: str) -> None:
        """End a session."""
        self._one(
            "update ops.session set ended_at = clock_timestamp(), ended_why = %(w)s, period = null"
            " where session = %(s)s and ended_at is null",
            s=session,
            w=why,
        )

    def set_period(self, session: str, period: str, data: dict[str, Any]) -> None:
        """Keep or clear the continuous period of a session."""
        self._one(
            "update ops.session set period = nullif(%(p)s, '')::uuid, data = data || %(d)s"
            " where session = %(s)s",
            s=session,
            p=period,
            d=Jsonb(data),
        )

    # --- sign-in times, counters, codes --------------------------------------------------------

    def sign_in_before(self, session: Session) -> dict[str, str]:
        """Return when and where this person signed in before this session; empty where they never did."""
        row = self._one(
            "select ops.iso(b.opened_at) as at, b.workstation, b.address"
            " from ops.session s join ops.session b on b.person = s.person and b.opened_at < s.opened_at"
            " and b.kind in ('password', 'passkey')"
            " where s.session = %(s)s order by b.opened_at desc limit 1",
            s=session.id,
        )
        return dict(row or {})

    def last_sign_ins(self, person: str) -> dict[str, str]:
        """Return when the person last signed in and last failed to, before this time."""
        row = self._one(
            "select ops.iso(succeeded_at) as succeeded, ops.iso(failed_at) as failed"
            " from ops.sign_in where person = %(p)s",
            p=person,
        )
        return {k: v for k, v in (row or {}).items() if v}

    def note_sign_in(self, person: str, *, succeeded: bool) -> None:
        """Remember the time of an attempt."""
        column = "succeeded_at" if succeeded else "failed_at"
        self._one(
            f"insert into ops.sign_in(person, {column}) values (%(p)s, clock_timestamp())"  # noqa: S608
            f" on conflict (person) do update set {column} = clock_timestamp()",
            p=person,
        )

    def add_enrolment(self, person: str, token_hash: bytes, created_by: str, hours: int) -> None:
        """Keep the hash of a one-time code."""
        self._one(
            "insert into ops.enrolment(enrolment, person, purpose, token_hash, created_by, expires_at)"
            " values (gen_random_uuid(), %(p)s, 'enrol', %(t)s, %(b)s,"
            " clock_timestamp() + %(h)s * interval '1 hour')",
            p=person,
            t=token_hash,
            b=created_by,
            h=hours,
        )

    def enrolment_of(self, token_hash: bytes) -> str:
        """Return whose a code is that still opens; empty otherwise."""
        row = self._one(
            f"select e.person from ops.enrolment e where e.token_hash = %(t)s and {_OPENS}",  # noqa: S608
            t=token_hash,
        )
        return str(row["person"]) if row else ""

    def take_enrolment(self, token_hash: bytes) -> tuple[str, str] | None:
        """Use up a code, and every other one of its person; return whose it is and when it was taken."""
        row = self._one(
            "with taken as (update ops.enrolment e set used_at = clock_timestamp()"  # noqa: S608
            f" where e.token_hash = %(t)s and {_OPENS} returning e.person, e.used_at), others as ("
            "update ops.enrolment e set used_at = clock_timestamp() from taken"
            " where e.person = taken.person and e.token_hash <> %(t)s and e.used_at is null)"
            " select person, ops.iso(used_at) as used_at from taken",
            t=token_hash,
        )
        return (str(row["person"]), str(row["used_at"])) if row else None

    def release_enrolment(self, token_hash: bytes, taken: str) -> None:
        """Give back a code taken then, unless it was ended since by time, a reset or a later code."""
        self._one(
            "update ops.enrolment e set used_at = null where e.token_hash = %(t)s"
            " and ops.iso(e.used_at) = %(u)s and e.expires_at > clock_timestamp() and not exists (select"
            " from ops.enrolment later where later.person = e.person and later.created_at > e.created_at)",
            t=token_hash,
            u=taken,
        )

    def enrolment_maker(self, token_hash: bytes) -> str:
        """Return who made a code (person id); empty when unknown."""
        row = self._one("select created_by from ops.enrolment where token_hash = %(t)s", t=token_hash)
        return str(row["created_by"]) if row and row["created_by"] else ""

    def drop_credential(self, person: str, key_id: str) -> bool:
        """Destroy a wrapped key; false, and nothing done, where the person's record names it."""
        row = self._one(
            f"{_DESTROYED} and c.key_id = %(k)s and not exists (select from projection.record r"
            " where r.uid = c.person and r.content -> 'fields' -> 'signing_keys'"
            " @> jsonb_build_array(jsonb_build_object('kid', %(k)s::text))) returning 1 as done",
            p=person,
            k=key_id,
        )
        return row is not None

    def origin(self) -> str:
        """Return the origin of this installation's log."""
        row = self._one("select origin from ops.installation where log_id = 1")
        return str(row["origin"]) if row else ""

    def failures(self, scope: str, key: str) -> int:
        """Return failed attempts since the last success."""
        row = self._one(
            "select failures from ops.throttle where scope = %(s)s and key = %(k)s", s=scope, k=key
        )
        return int(row["failures"]) if row else 0

    def add_failure(self, scope: str, key: str, place: str = "") -> int:
        """Count a failed attempt and where it came from; return the new count."""
        row = self._one(
            "insert into ops.throttle as t (scope, key, failures, places)"
            " values (%(s)s, %(k)s, 1, array_remove(array[%(a)s::text], ''))"
            " on conflict (scope, key) do update set failures = t.failures + 1, since = clock_timestamp(),"
            " places = case when %(a)s = '' or %(a)s = any(t.places) or cardinality(t.places) >= 10"
            " then t.places else array_append(t.places, %(a)s::text) end returning failures",
            s=scope,
            k=key,
            a=place,
        )
        return int(row["failures"]) if row else 0

    def since_failure_s(self, scope: str, key: str) -> float:
        """Return seconds since the last failed attempt; 0 where there was none."""
        row = self._one(
            "select extract(epoch from clock_timestamp() - since)::float8 as seconds"
            " from ops.throttle where scope = %(s)s and key = %(k)s",
            s=scope,
            k=key,
        )
        return float(row["seconds"]) if row else 0.0

    def clear_failures(self, scope: str, key: str) -> None:
        """Forget failed attempts."""
        self._one(
            "update ops.throttle set failures = 0, places = '{}' where scope = %(s)s and key = %(k)s",
            s=scope,
            k=key,
        )

    def refusal_slot(self, scope: str, key: str) -> bool:
        """Count a refusal of this minute; true for the first."""
        row = self._one(
            "insert into ops.refusal_slot(who, rule, minute)"
            " values (%(s)s, %(k)s, date_trunc('minute', clock_timestamp()))"
            " on conflict (who, rule, minute)"
            " do update set count = ops.refusal_slot.count + 1 returning count",
            s=scope,
            k=key,
        )
        return bool(row and row["count"] == 1)


def _session(row: dict[str, Any]) -> Session:
    return Session(
        str(row["session"]),
        str(row["person"]),
        row["username"],
        row["kind"],
        row["workstation"],
        row["address"],
        row["client"],
        row["zone"],
        _iso(row["opened_at"]),
        _iso(row["seen_at"]),
        _iso(row["expires_at"]),
        str(row["period"] or ""),
        row["data"] or {},
        row["key_id"],
        bool(row["locked"]),
    )


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
