"""The dishonest administrator: five things a person with every right on the machine can do to a copy,
and what the checks say of each. Works on stopped copies and through a connection of its own."""

from __future__ import annotations

import hmac
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.cli.demo.chapters import Story
from coverslip.cli.demo.stage import copy_home, remove, run_json, serving
from coverslip.client.errors import fault


@dataclass(frozen=True)
class Attack:
    """One deed: its sentence, how it is done to a copy, which check must find it, what it must name."""

    title: str
    do: Callable[[Path], None]
    check: tuple[str, str]
    names: str
    shows: int = 0
    """Which of the findings that name it is printed: the first, or the last (-1)."""


def play(story: Story, older: Path) -> None:
    """Do each deed to a fresh copy of the stopped home; every one must be found and named."""
    stage, numbers = story.stage, story.numbers
    control = copy_home(stage.home, stage.work / "control")
    for check in (("ledger", "verify"), ("ledger", "replay"), ("vault", "check")):
        found = run_json(*check, "--home", str(control))
        if found["findings"]:
            raise fault("The untouched control copy", "no finding", str(found["findings"][0]))
    stage.tell("Control copy, untouched: ledger verify, ledger replay and vault check hold.")
    remove(control)
    for attack in _attacks(story, older):
        copy = copy_home(stage.home, stage.work / "copy")
        attack.do(copy)
        found = run_json(*attack.check, "--home", str(copy), expect=(1,))
        named = [f for f in found["findings"] if attack.names in _text(f)]
        if not named:
            raise fault(attack.title, f"a finding that names {attack.names}", str(found["findings"][:2]))
        stage.tell(
            f"{attack.title}: FOUND by 'coverslip {' '.join(attack.check)}': "
            f"{_text(named[attack.shows])[:230]}"
        )
        remove(copy)
    stage.tell(f"The lab itself was not touched; {numbers['release']} stands.")


def _text(finding: dict[str, Any]) -> str:
    return str(finding.get("sentence") or finding.get("message") or finding)


def _attacks(story: Story, older: Path) -> tuple[Attack, ...]:
    n = story.numbers
    image = n["image0"]
    return (
        Attack(
            f"A result in {n['results']} is edited through another connection",
            lambda home: _edit_result(home, n["results"]),
            ("ledger", "verify"),
            n["results"],
        ),
        Attack(
            f"The last entry of {n['run']} is removed",
            lambda home: _remove_entry(home, n["run"]),
            ("ledger", "verify"),
            n["run"],
        ),
        Attack(
            f"One byte of the original of {image} is swapped",
            lambda home: _swap_byte(home, image),
            ("vault", "check"),
            image,
        ),
        Attack(
            f"The signature on {n['case']} is moved to {n['release']}",
            lambda home: _move_signature(home, n["case"], n["release"]),
            ("ledger", "verify"),
            n["release"],
        ),
        Attack(
            "An older backup of the database is put back",
            lambda home: _restore(home, older),
            ("ledger", "verify"),
            "journal",
            -1,
        ),
    )


def _sql(home: Path, work: Callable[[Any], None]) -> None:
    """Work as the database's superuser with every guard switched off, as the owner of a machine can."""
    import psycopg

    with serving(home, "--only", "database") as said:
        folder = said.removeprefix("database ").strip()
        secret = (home / "secrets" / "cs_superuser").read_text("ascii").strip()
        with psycopg.connect(host=folder, user="cs_superuser", password=secret, dbname="coverslip") as conn:
            conn.execute("alter event trigger coverslip_ddl_guard disable")
            conn.execute("set session_replication_role = replica")
            for table in ("entry", "body", "leaf"):
                conn.execute(f"alter table ledger.{table} disable trigger all")
            work(conn)


def _edit_result(home: Path, number: str) -> None:
    def work(conn: Any) -> None:
        entry = _entry_of(conn, number)
        row = conn.execute("select fixed from ledger.body where entry_id = %s", (entry,)).fetchone()
        text = bytes(row[0])
        start = text.index(b'"value":"') + len(b'"value":"')
        digit = b"9" if text[start : start + 1] != b"9" else b"8"
        conn.execute(
            "update ledger.body set fixed = %s where entry_id = %s",
            (text[:start] + digit + text[start + 1 :], entry),
        )

    _sql(home, work)


def _entry_of(conn: Any, number: str) -> int:
    row = conn.execute(
        "select r.entry_id from projection.record r where r.number = %s order by r.revision desc limit 1",
        (number,),
    ).fetchone()
    return int(row[0])


def _remove_entry(home: Path, number: str) -> None:
    def work(conn: Any) -> None:
        entry = _entry_of(conn, number)
        for table, column in (("body", "entry_id"), ("leaf", "entry_id"), ("entry", "id")):
            conn.execute(f"delete from ledger.{table} where {column} = %s", (entry,))  # noqa: S608 -- fixed names

    _sql(home, work)


def _move_signature(home: Path, source: str, target: str) -> None:
    """Put one record's signature under another record's entry, and make its leaf agree with it."""

    def work(conn: Any) -> None:
        taken = _sections(conn, _signed_entry(conn, source))
        entry = _signed_entry(conn, target)
        mine = _sections(conn, entry)
        mine["signature"] = taken["signature"]
        leaf = json.loads(
            bytes(conn.execute("select leaf from ledger.entry where id = %s", (entry,)).fetchone()[0])
        )
        for body in leaf["bodies"]:
            if body["s"] == "signature":
                salt, content = mine["signature"]
                body["n"] = len(content)
                body["c"] = hmac.digest(salt, b"signature\x00" + content, "sha256").hex()
        data = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()
        conn.execute("update ledger.entry set leaf = %s where id = %s", (data, entry))
        names = sorted(mine)
        conn.execute(
            "update ledger.body set fixed = %s, fixed_salts = %s where entry_id = %s",
            (b"".join(mine[n][1] for n in names), b"".join(mine[n][0] for n in names), entry),
        )

    _sql(home, work)


def _sections(conn: Any, entry: int) -> dict[str, tuple[bytes, bytes]]:
    """Return the fixed sections of an entry: name -> (salt, content)."""
    leaf, fixed, salts = conn.execute(
        "select e.leaf, b.fixed, b.fixed_salts from ledger.entry e join ledger.body b on b.entry_id = e.id"
        " where e.id = %s",
        (entry,),
    ).fetchone()
    found, at = {}, 0
    bodies = [b for b in json.loads(bytes(leaf))["bodies"] if b["s"] not in ("personal", "reason", "context")]
    for position, body in enumerate(bodies):
        found[body["s"]] = (
            bytes(salts)[32 * position : 32 * position + 32],
            bytes(fixed)[at : at + body["n"]],
        )
        at += body["n"]
    return found


def _signed_entry(conn: Any, number: str) -> int:
    row = conn.execute(
        "select max(e.id) from ledger.entry e join projection.number n on n.uid = e.record_id"
        " where n.number = %s and convert_from(e.leaf, 'UTF8')::jsonb ? 'meaning'",
        (number,),
    ).fetchone()
    return int(row[0])


def _swap_byte(home: Path, number: str) -> None:
    """Change one byte of the stored original, keeping its size."""
    places = run_json("vault", "locate", number, "--home", str(home))
    path = Path(places[0]["path"])
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    path.chmod(0o444)


def _restore(home: Path, older: Path) -> None:
    shutil.rmtree(home / "postgres")
    copy_home(older / "postgres", home / "postgres")
