"""Certificates: entries of the installation about its backups and its vault, found by their subject.

Rules kept here: reads only; the subject is an id made from the installation's own, so that the newest
certificate is found by an index however many heartbeats lie between.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from coverslip.errors import EvidenceBroken
from coverslip.kernel.rows import Row
from coverslip.ledger import canonical, leaf
from coverslip.ledger.failure import LedgerError
from coverslip.store.pool import Pool
from coverslip.store.sections import sections_of

_SELECT = (
    "select e.leaf, l.idx, b.fixed, b.fixed_salts, b.erasable, b.erasable_salts from ledger.entry e"
    " left join ledger.leaf l on l.log_id = e.log_id and l.entry_id = e.id"
    " join ledger.body b on b.entry_id = e.id"
    " where e.log_id = 1 and e.about = %s order by e.id desc limit %s"
)


def subject(installation: str, kind: str) -> Row:
    """Return what certificates of a kind (``backup``, ``vault``) are about; it is no record."""
    uid = str(uuid5(UUID(installation), f"coverslip {kind}"))
    return Row(kind, uid, "", 0, 0, 0, "", "", "", "", "", {})


class Certificates:
    """Reads certificates on a pool that may select from ``ledger``."""

    def __init__(self, pool: Pool, installation: str) -> None:
        self._pool, self._installation = pool, installation

    def newest(self, kind: str, act: str = "", limit: int = 500) -> list[dict[str, Any]]:
        """Return certificates, newest first: ``index`` (-1: pending), ``at``, ``type``, ``act``, ``detail``.

        Of the newest ``limit`` about the kind, those of ``act`` (empty: all). One whose stored bytes do not
        fit is left out: verification of the ledger names it.
        """
        about = subject(self._installation, kind).uid
        with self._pool.connection() as conn:
            rows = conn.execute(_SELECT, (about, limit)).fetchall()
        found = []
        for data, index, *body in rows:
            names = ("fixed", "fixed_salts", "erasable", "erasable_salts")
            try:
                parsed = leaf.parse(bytes(data))
                detail = canonical.decode(
                    sections_of(parsed, dict(zip(names, body, strict=True)))["detail"][1]
                )
            except (LedgerError, EvidenceBroken, KeyError):
                continue
            if act in ("", parsed.act):
                found.append(
                    {"index": -1 if index is None else int(index), "at": parsed.at, "type": parsed.type,
                     "act": parsed.act, "detail": detail}
                )  # fmt: skip
        return found

    def last(self, kind: str, act: str) -> dict[str, Any] | None:
        """Return the newest certificate of an act, None before the first."""
        found = self.newest(kind, act)
        return found[0] if found else None
