"""An operator names places, the installation supplies them, and everybody sees how old each is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import anchors, checking, labs, wiring
from coverslip.bootstrap.doctor import doctor
from coverslip.errors import EnvironmentFault
from coverslip.kernel.events import Event
from coverslip.settings import Home
from coverslip.store import anchor_rows
from fix_lab import ORIGIN
from fix_witness import Served, open_witness


@pytest.fixture
def placed(founded: Home, authority: Any, tmp_path: Path) -> Iterator[tuple[Home, Served]]:
    """An installation with a file, a timestamp authority and a mirroring witness."""
    from coverslip.anchoring.witness import know

    folder = tmp_path / "apart"
    folder.mkdir(mode=0o700)
    know(folder, [wiring.trusted(founded)[0]._key.format()])
    served = Served(open_witness(folder, mirrored=True))
    key = served.witness.vkey()
    for given in (
        {"name": "file", "type": "file", "target": str(tmp_path / "kept" / "checkpoints"), "note": "safe"},
        {"name": "tsa", "type": "rfc3161", "target": authority.url, "roots": str(authority.maker.root)},
        {"name": "w1", "type": "witness", "target": served.url, "vkey": key, "mirror": True},
    ):
        anchors.anchors_add(founded.root, given)
    yield founded, served
    served.close()


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found}


def test_each_place_keeps_the_newest_checkpoint_and_everything_holds(placed: Any) -> None:
    home, served = placed
    before = by_name(anchors.anchors_list(home.root))
    assert all(before[name]["overdue"] for name in ("file", "tsa", "w1"))
    after = by_name(anchors.anchors_round(home.root))
    size = after["w1"]["size"]
    stands = {(after[n]["size"], after[n]["overdue"], after[n].get("error")) for n in ("file", "tsa", "w1")}
    assert stands == {(size, False, None)}
    found, counts = checking.ledger_verify(home.root)
    assert found == []
    assert (counts["timestamps"], counts["cosignatures"], counts["witnesses_silent"]) == (1, 1, 0)
    assert served.witness.standing()[0]["mirrored"] == size
    assert anchors.contradicted(home) is None


def test_the_token_for_heartbeats_is_that_of_the_newest_timestamp(placed: Any) -> None:
    home, _ = placed
    with wiring.connection(home, "cs_verifier") as conn:
        assert anchor_rows.newest_token(conn) == ""
    anchors.anchors_round(home.root)
    with wiring.connection(home, "cs_verifier") as conn:
        (kept,) = anchor_rows.evidence(conn, ["rfc3161"])
        assert anchor_rows.newest_token(conn) == sha256(kept.data).hexdigest()


def test_status_and_doctor_say_age_and_independence(placed: Any) -> None:
    home, _ = placed
    anchors.anchors_round(home.root)
    lines = by_name(checking.ledger_status(home.root)["anchors"])
    with labs.lab(home) as opened:
        assert by_name(opened.services().anchors()).keys() == lines.keys() == {"home", "file", "tsa", "w1"}
    assert lines["home"]["independence"] == "in this home: not independent"
    assert lines["w1"]["independence"].startswith("on this machine: not independent")
    assert lines["w1"]["age_s"] < 60
    checks = {one["check"]: one for one in doctor(home.root)}
    assert checks["checkpoints are anchored elsewhere"]["ok"] is False
    (tsa,) = (one for name, one in checks.items() if name.startswith("anchor tsa"))
    assert tsa["ok"] is True


def test_a_place_that_never_answered_is_a_finding(founded: Home, tmp_path: Path) -> None:
    given = {"name": "dead", "type": "file", "target": "/proc/nowhere/checkpoints"}
    anchors.anchors_add(founded.root, given)
    (line,) = (one for one in anchors.anchors_round(founded.root) if one["name"] == "dead")
    assert line["overdue"]
    assert line["error"]
    (check,) = (one for one in doctor(founded.root) if one["check"].startswith("anchor dead"))
    assert check["ok"] is False
    assert "never yet (TOO OLD)" in check["found"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"type": "file", "target": "relative"}, "absolute path"),
        ({"type": "carrier-pigeon", "target": "/x"}, "file or rfc3161 or witness"),
        ({"type": "rfc3161", "target": "http://tsa.example/"}, "root certificates"),
        (
            {"type": "rfc3161", "target": "http://tsa.example/", "roots": "/nowhere.pem"},
            "no root certificates",
        ),
        ({"type": "witness", "target": "http://witness.example/", "vkey": "x"}, "https"),
        ({"type": "witness", "target": "https://witness.example/"}, "verifier key"),
        ({"type": "witness", "target": "https://witness.example/", "vkey": "x"}, "usable key"),
        ({"name": "No Name", "type": "file", "target": "/x"}, "a name of"),
    ],
)
def test_a_place_that_cannot_be_used_is_not_taken(founded: Home, given: dict[str, str], why: str) -> None:
    with pytest.raises(EnvironmentFault, match=why):
        anchors.anchors_add(founded.root, {"name": "x", **given})
    assert [one["name"] for one in anchors.anchors_list(founded.root)] == ["home"]


def test_a_name_is_used_once(placed: Any) -> None:
    home, _ = placed
    with pytest.raises(EnvironmentFault, match="not in use"):
        anchors.anchors_add(home.root, {"name": "file", "type": "file", "target": "/other"})
    anchors.anchors_remove(home.root, "file")
    with pytest.raises(EnvironmentFault, match="no such one"):
        anchors.anchors_remove(home.root, "file")


def test_a_stored_token_for_another_checkpoint_is_found(placed: Any) -> None:
    home, _ = placed
    anchors.anchors_round(home.root)
    with wiring.connection(home, "cs_sequencer") as conn:
        (kept,) = anchor_rows.evidence(conn, ["rfc3161"])
        wrong = bytearray(kept.data)
        wrong[-1] ^= 1
        anchor_rows.keep(conn, kept.size, "rfc3161", kept.target, bytes(wrong))
    found, _ = checking.ledger_verify(home.root)
    assert [one["kind"] for one in found] == ["anchor"]
    assert "does not hold" in found[0]["sentence"]


def test_a_log_shorter_than_its_witness_is_found_by_asking_the_witness(placed: Any) -> None:
    home, served = placed
    anchors.anchors_round(home.root)
    served.witness._logs[ORIGIN].last = _longer(served, home)
    found, _ = checking.ledger_verify(home.root)
    assert any("cut off" in one["sentence"] for one in found)
    why = anchors.contradicted(home)
    assert why is not None
    assert "a checkpoint of 100000 entries that it signed is kept in a witness" in why.message


def _signed(home: Home, size: int, root: bytes) -> bytes:
    from coverslip.ledger import note
    from coverslip.ledger.checkpoint import Checkpoint
    from coverslip.store.notes import NoteKey, read_seed

    key = NoteKey(ORIGIN, read_seed(home.signer / "signing.key"))
    return note.sign(Checkpoint(ORIGIN, size, root).text(), [key]).to_bytes()


def test_a_fork_that_a_witness_contradicts_is_not_written_to(placed: Any) -> None:
    from coverslip.anchoring.journal import Seen
    from coverslip.ledger import note

    home, served = placed
    anchors.anchors_round(home.root)
    sealed = note.parse(_signed(home, 3, b"\x02" * 32))
    line = served.witness._cosigner.cosign(sealed.text)
    held = note.Note(sealed.text, (*sealed.signatures, line)).to_bytes()
    served.witness._logs[ORIGIN].last = Seen(3, b"\x02" * 32, held)
    why = anchors.contradicted(home)
    assert why is not None and why.code == "RECOVERY_REQUIRED"
    assert "checkpoint of 3 entries that this log signed is kept in a witness" in why.message


@pytest.mark.parametrize("where", ["file", "home"])
def test_a_fork_that_a_file_contradicts_is_not_written_to(placed: Any, tmp_path: Path, where: str) -> None:
    home, _ = placed
    anchors.anchors_round(home.root)
    path = home.anchors if where == "home" else tmp_path / "kept" / "checkpoints"
    anchors.FileAnchor(path).put(_signed(home, 4, b"\x02" * 32))
    why = anchors.contradicted(home)
    assert why is not None and str(path) in why.message


def test_what_a_stranger_signed_or_a_recovery_declared_lost_contradicts_nothing(
    placed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coverslip.store import elsewhere
    from fix_witness import Log

    home, _ = placed
    anchors.anchors_round(home.root)
    kept = anchors.FileAnchor(tmp_path / "kept" / "checkpoints")
    kept.put(Log(seed=7, origin=ORIGIN).checkpoint(4))
    assert anchors.contradicted(home) is None
    kept.put(_signed(home, 4, b"\x02" * 32))
    assert anchors.contradicted(home) is not None
    monkeypatch.setattr(elsewhere, "lost", lambda journal: {(4, b"\x02" * 32)})
    assert anchors.contradicted(home) is None


def _longer(served: Served, home: Home) -> Any:
    """What the witness would hold had the log gone on before it was rolled back."""
    from coverslip.anchoring.journal import Seen
    from coverslip.ledger import note
    from coverslip.ledger.checkpoint import Checkpoint
    from coverslip.store.notes import NoteKey, read_seed

    text = Checkpoint(ORIGIN, 100_000, b"\x01" * 32).text()
    sealed = note.sign(text, [NoteKey(ORIGIN, read_seed(home.signer / "signing.key"))])
    line = served.witness._cosigner.cosign(text)
    return Seen(100_000, b"\x01" * 32, note.Note(text, (*sealed.signatures, line)).to_bytes())


def test_a_silent_witness_is_counted_not_passed_over(placed: Any, tmp_path: Path) -> None:
    home, served = placed
    anchors.anchors_round(home.root)
    served._server.should_exit = True
    served._thread.join()
    found, counts = checking.ledger_verify(home.root)
    assert (found, counts["witnesses_silent"]) == ([], 1)
    found, counts = checking.ledger_verify(home.root, tmp_path / "kept")
    assert (found, counts["witnesses_silent"]) == ([], 1), "asked as well where anchors are named"
    assert anchors.contradicted(home) is None


def test_hanging_places_delay_neither_signing_nor_each_other(
    founded: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that hangs keeps one thread; the round returns at once and the others are supplied."""
    held = threading.Event()
    real: Callable[..., Any] = anchors.anchor_of

    class Hanging:
        def put(self, note: bytes) -> bytes:
            held.wait(30)
            raise OSError("gone")

    monkeypatch.setattr(anchors, "anchor_of", lambda t, r: Hanging() if t.name == "hangs" else real(t, r))
    for name in ("hangs", "good"):
        anchors.anchors_add(founded.root, {"name": name, "type": "file", "target": str(tmp_path / name)})
    duty = anchors.rounds(founded)
    began = time.monotonic()
    for _ in range(5):
        duty.do()
        time.sleep(0.05)
    assert time.monotonic() - began < 3
    lines = by_name(anchors.anchors_list(founded.root))
    assert ("at" in lines["good"], "at" in lines["hangs"]) == (True, False)
    assert sum(thread.name == "anchor-hangs" for thread in threading.enumerate()) == 1
    began = time.monotonic()
    with labs.lab(founded) as opened:
        opened.core.events.installation(Event("heartbeat", "heartbeat", {"boot": "1"}), opened.service())
    signed = int(checking.checkpoint(founded.root).splitlines()[1])
    assert signed > lines["good"]["size"]
    assert time.monotonic() - began < 20
    held.set()
    duty.wait(5)
    duty.close()
