"""The log's key changes by a statement of both keys; a crash at any step is made good by the same command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap import checking, rotating, wiring
from coverslip.errors import EnvironmentFault
from coverslip.ledger import note, rotation
from coverslip.settings import Home
from coverslip.store import key_change
from coverslip.store.notes import NoteVerifier
from coverslip.store.signer import Signer, read_journal
from fix_lab import ORIGIN


def signer_of(home: Home) -> str:
    """Return the key id that signed the newest checkpoint of the journal."""
    sealed = note.parse(read_journal(home.signer / "journal")[-1].note)
    return f"{sealed.signatures[0].key_id:08x}"


def test_a_new_key_signs_and_everything_holds(founded: Home) -> None:
    old = wiring.trusted(founded)[0].vkey()
    done = rotating.keys_rotate(founded.root)
    assert done["old"] == old
    assert signer_of(founded) == done["new"].split("+")[1]
    found, counts = checking.ledger_verify(founded.root)
    assert (found, counts["key_changes"]) == ([], 1)
    lines = founded.public_keys.read_text().splitlines()
    assert lines.index(done["new"]) < lines.index(old)
    assert not (founded.signer / "rotation").exists()
    assert (founded.signer / "signing.key").stat().st_mode & 0o777 == 0o600


def test_a_second_change_goes_on_from_the_first(founded: Home) -> None:
    first, second = rotating.keys_rotate(founded.root), rotating.keys_rotate(founded.root)
    assert second["old"] == first["new"]
    assert [one["key"] for one in rotating.keys_list(founded.root)] == [
        first["old"], first["new"], second["new"],
    ]  # fmt: skip
    assert checking.ledger_verify(founded.root)[0] == []


def test_the_old_seed_is_gone(founded: Home) -> None:
    seed = (founded.signer / "signing.key").read_text().strip()
    rotating.keys_rotate(founded.root)
    assert not any(seed in p.read_text("latin-1") for p in founded.signer.iterdir() if p.is_file())


def test_no_change_while_a_signer_runs(founded: Home) -> None:
    signer = Signer(founded.signer, ORIGIN)
    with pytest.raises(EnvironmentFault, match="another process"):
        rotating.keys_rotate(founded.root)
    signer.close()
    assert len(rotating.keys_list(founded.root)) == 1


@pytest.mark.parametrize("step", ["_enter", "swap", "publish", "end"])
def test_after_a_crash_nothing_is_signed_until_the_change_has_ended(
    founded: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rotating if step == "_enter" else key_change, step, crash)
        rotating.keys_rotate(founded.root)
    with pytest.raises(EnvironmentFault, match="a change of key that is finished"):
        Signer(founded.signer, ORIGIN)
    done = rotating.keys_rotate(founded.root)
    assert signer_of(founded) == done["new"].split("+")[1]
    found, counts = checking.ledger_verify(founded.root)
    assert (found, counts["key_changes"]) == ([], 1)


def forged(home: Home, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the key with a statement that only one of the two keys signed."""
    real = note.sign
    monkeypatch.setattr(
        key_change.note, "sign", lambda text, keys: real(text, keys[:1] if by == "old" else keys[-1:])
    )
    monkeypatch.setattr(
        rotating.rotation, "opened", lambda data, make: rotation.Rotation.parse(note.parse(data).text)
    )
    rotating.keys_rotate(home.root)
    monkeypatch.undo()


@pytest.mark.parametrize("by", ["old", "new"])
def test_a_change_signed_by_one_key_only_is_found(
    founded: Home, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    forged(founded, by, monkeypatch)
    found, _ = checking.ledger_verify(founded.root)
    assert [one["kind"] for one in found] == ["keys"]
    assert "signed by the old key and by the new one" in found[0]["sentence"]


def test_the_old_key_used_after_the_change_is_found(founded: Home, tmp_path: Path) -> None:
    seed = tmp_path / "kept.key"
    seed.write_bytes((founded.signer / "signing.key").read_bytes())
    rotating.keys_rotate(founded.root)
    new = (founded.signer / "signing.key").read_bytes()
    (founded.signer / "signing.key").write_bytes(seed.read_bytes())
    rotating._enter(founded, rotation.opened(_statement(founded), NoteVerifier), _statement(founded))
    rotating._settle(founded, ORIGIN, sign=True)
    (founded.signer / "signing.key").write_bytes(new)
    found, _ = checking.ledger_verify(founded.root)
    assert any("which signs no tree of that size" in one["sentence"] for one in found)


def _statement(home: Home) -> bytes:
    from coverslip.store import anchor_rows

    with wiring.connection(home, "cs_verifier") as conn:
        return anchor_rows.rotations(conn)[0][1]
