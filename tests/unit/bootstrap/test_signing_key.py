"""The log is signed with the key the home has published, or with none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from coverslip.bootstrap import checking, rotating, serving, wiring
from coverslip.bootstrap.doctor import doctor
from coverslip.bootstrap.signing import CHECK, insist_own_key, open_signer
from coverslip.errors import EnvironmentFault
from coverslip.settings import Home
from coverslip.store.notes import create_seed
from fix_lab import ORIGIN


def line(home: Home) -> dict[str, object]:
    (found,) = (one for one in doctor(home.root) if one["check"] == CHECK)
    return found


@pytest.fixture
def stranger(tmp_path: Path) -> bytes:
    """A key file of somebody else."""
    create_seed(tmp_path / "stranger.key")
    return (tmp_path / "stranger.key").read_bytes()


def test_the_own_key_is_fine_before_and_after_a_change_of_key(founded: Home) -> None:
    assert line(founded)["state"] == "ok"
    old = (founded.signer / "signing.key").read_bytes()
    new = rotating.keys_rotate(founded.root)["new"]
    assert insist_own_key(founded).format() == new
    open_signer(founded).close()
    (founded.signer / "signing.key").write_bytes(old)
    with pytest.raises(EnvironmentFault, match="the key that signed last"):
        open_signer(founded)
    assert line(founded)["state"] == "finding"


@pytest.mark.parametrize("journal", ["kept", "gone"])
def test_a_foreign_key_signs_nothing_and_both_are_named(founded: Home, stranger: bytes, journal: str) -> None:
    own = wiring.trusted(founded)[0]
    before = (founded.signer / "journal").read_bytes()
    (founded.signer / "signing.key").write_bytes(stranger)
    if journal == "gone":
        (founded.signer / "journal").unlink()
    for act in (checking.checkpoint, rotating.keys_rotate):
        with pytest.raises(EnvironmentFault, match=f"{ORIGIN}[+]{own.key_id:08x}.*found another"):
            act(founded.root)
    assert journal == "gone" or (founded.signer / "journal").read_bytes() == before
    assert not (founded.signer / "rotation").exists()
    found = line(founded)
    assert found["state"] == "finding"
    assert f"{own.key_id:08x}" in str(found["found"])


def test_a_foreign_key_that_keys_txt_names_too_signs_nothing(founded: Home, stranger: bytes) -> None:
    from coverslip.store.notes import NoteKey

    (founded.signer / "signing.key").write_bytes(stranger)
    key = NoteKey(ORIGIN, bytes.fromhex(stranger.decode())).verifier_key.format()
    founded.public_keys.write_text(key + "\n")
    with pytest.raises(EnvironmentFault, match="the key that signed last"):
        open_signer(founded)


def test_serve_does_not_start_with_a_foreign_key(founded_stopped: Home, stranger: bytes) -> None:
    (founded_stopped.signer / "signing.key").write_bytes(stranger)
    stop = threading.Event()
    with pytest.raises(EnvironmentFault, match=r"signing\.key"):
        serving.serve(founded_stopped.root, stop=stop)
