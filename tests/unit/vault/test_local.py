"""The local vault keeps what it is given, once, and never returns anything else."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault, EvidenceBroken, Invalid, NotFound
from coverslip.ledger.files import digest_of
from coverslip.vault import LocalVault, Stored
from coverslip.vault.disk import Disk

MIB = 1 << 20
LIMIT = 64 * MIB


def content(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


def put(vault: LocalVault, data: bytes) -> Stored:
    return vault.store(io.BytesIO(data), LIMIT)


def object_path(vault: LocalVault, root: str) -> Path:
    path = vault.path(root)
    path.chmod(0o644)
    return path


@pytest.fixture
def vault(tmp_path: Path) -> LocalVault:
    return LocalVault(tmp_path / "vault")


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, MIB - 1, MIB, MIB + 1, 5 * MIB + 77])
def test_stored_bytes_come_back_under_their_chunk_tree_root(vault: LocalVault, size: int) -> None:
    data = content(size)
    stored = put(vault, data)
    digest = digest_of(io.BytesIO(data))
    assert stored == Stored(digest.root.hex(), hashlib.sha256(data).hexdigest(), size, existed=False)
    with vault.open(stored.root) as stream:
        assert stream.read() == data
    assert vault.verify(stored.root).size == size


def test_an_object_lies_read_only_under_its_root(vault: LocalVault, tmp_path: Path) -> None:
    stored = put(vault, b"pixels")
    path = tmp_path / "vault" / "objects" / stored.root[:2] / stored.root[2:4] / stored.root
    assert path.read_bytes() == b"pixels"
    assert path.stat().st_mode & 0o777 == 0o444
    assert vault.leftovers() == []


def test_the_sidecar_tells_size_hash_encryption_and_nodes(vault: LocalVault) -> None:
    data = content(3 * MIB)
    stored = put(vault, data)
    text = vault.path(stored.root).with_name(f"{stored.root}.json").read_text()
    assert '"enc":"none"' in text
    sidecar = vault.sidecar(stored.root)
    assert (sidecar.size, sidecar.sha256.hex(), len(sidecar.nodes)) == (3 * MIB, stored.sha256, 3)


def test_the_same_bytes_again_are_the_same_object(vault: LocalVault) -> None:
    first = put(vault, content(100))
    again = put(vault, content(100))
    assert (again.root, again.existed) == (first.root, True)
    assert vault.leftovers() == []


def test_other_bytes_under_a_known_root_are_refused(vault: LocalVault) -> None:
    stored = put(vault, content(100))
    object_path(vault, stored.root).write_bytes(b"something else")
    with pytest.raises(EvidenceBroken, match="HASH"):
        put(vault, content(100))
    assert vault.path(stored.root).read_bytes() == b"something else", "evidence is left as found"


def test_a_path_source_is_copied_and_left_alone(vault: LocalVault, tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    source.write_bytes(content(2 * MIB))
    stored = vault.store(source, LIMIT)
    assert source.read_bytes() == vault.read_range(stored.root, 0, 2 * MIB)


def test_a_link_folder_or_pipe_is_no_source(vault: LocalVault, tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    target.write_bytes(b"x")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(EnvironmentFault):
        vault.store(tmp_path / "link", LIMIT)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid, match="regular file"):
            vault.store(other, LIMIT)
    with pytest.raises(EnvironmentFault, match="ENOENT"):
        vault.store(tmp_path / "absent", LIMIT)


def test_a_file_that_changes_while_read_is_refused(vault: LocalVault, tmp_path: Path) -> None:
    source = tmp_path / "growing.tif"
    source.write_bytes(content(MIB))

    class Growing(Disk):
        def write(self, descriptor: int, data: bytes) -> None:
            super().write(descriptor, data)
            with source.open("ab") as stream:
                stream.write(b"more")
            os.truncate(source, MIB + 1)

    with pytest.raises(Invalid, match="nobody is writing"):
        LocalVault(tmp_path / "vault", Growing()).store(source, LIMIT)
    assert vault.leftovers() == []


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(vault: LocalVault) -> None:
    with pytest.raises(Invalid, match="TOO_LARGE"):
        vault.store(io.BytesIO(content(101)), 100)
    assert vault.leftovers() == []
    assert vault.store(io.BytesIO(content(100)), 100).size == 100


def test_an_undecided_delivery_is_forgotten(vault: LocalVault) -> None:
    with vault.receive(io.BytesIO(b"abc"), LIMIT) as received:
        assert [item.busy for item in vault.leftovers()] == [True]
        assert not vault.has(received.root)
    assert vault.leftovers() == []


def test_a_delivery_is_decided_only_once(vault: LocalVault) -> None:
    received = vault.receive(io.BytesIO(b"abc"), LIMIT)
    vault.commit(received)
    with pytest.raises(ValueError, match="decided before"):
        vault.commit(received)
    with pytest.raises(ValueError, match="decided before"):
        vault.quarantine(received, {"why": "late"})


def test_a_refused_delivery_keeps_its_bytes_and_never_becomes_an_object(vault: LocalVault) -> None:
    with vault.receive(io.BytesIO(b"forged"), LIMIT) as received:
        entry = vault.quarantine(received, {"code": "DEVICE_MISMATCH", "found": "X1"})
    assert [item.about for item in vault.quarantined()] == [{"code": "DEVICE_MISMATCH", "found": "X1"}]
    assert vault.quarantined_content(entry.id).read_bytes() == b"forged"
    assert not vault.has(entry.root)
    assert vault.check().ok
    with pytest.raises(NotFound):
        vault.quarantined_content("../../objects")


def test_an_unknown_root_is_not_found_and_a_malformed_one_invalid(vault: LocalVault) -> None:
    with pytest.raises(NotFound):
        vault.open("0" * 64)
    for wrong in ("../../../etc/passwd", "A" * 64, "", "0" * 63):
        with pytest.raises(Invalid):
            vault.open(wrong)


def test_a_range_is_returned_only_if_its_bytes_verify(vault: LocalVault) -> None:
    data = content(4 * MIB)
    root = put(vault, data).root
    assert vault.read_range(root, MIB - 5, 10) == data[MIB - 5 : MIB + 5]
    with object_path(vault, root).open("r+b") as stream:
        stream.seek(2 * MIB + 9)
        stream.write(bytes([data[2 * MIB + 9] ^ 1]))
    assert vault.read_range(root, 0, 2 * MIB) == data[: 2 * MIB], "undamaged blocks stay readable"
    with pytest.raises(EvidenceBroken, match=f"{root} .* bytes {2 * MIB} to {3 * MIB}"):
        vault.read_range(root, 2 * MIB + 500, 1)
    with vault.open(root) as stream, pytest.raises(EvidenceBroken):
        stream.read()


def test_a_shortened_object_is_never_read_as_a_shorter_file(vault: LocalVault) -> None:
    root = put(vault, content(2 * MIB)).root
    os.truncate(object_path(vault, root), MIB)
    with pytest.raises(EvidenceBroken, match="ends at byte"):
        vault.read_range(root, MIB, 1)


def test_a_range_outside_the_file_is_invalid(vault: LocalVault) -> None:
    root = put(vault, b"abc").root
    assert vault.read_range(root, 3, 0) == b""
    for offset, length in ((0, 4), (-1, 1), (3, 1), (1, -1)):
        with pytest.raises(Invalid):
            vault.read_range(root, offset, length)


def test_a_forged_sidecar_is_not_believed(vault: LocalVault) -> None:
    root, other = put(vault, b"abc").root, put(vault, b"xyz").root
    sidecar = vault.path(root).with_name(f"{root}.json")
    sidecar.chmod(0o644)
    sidecar.write_bytes(vault.path(other).with_name(f"{other}.json").read_bytes())
    with pytest.raises(EvidenceBroken, match="EVIDENCE"):
        vault.read_range(root, 0, 1)


def test_leftovers_are_swept_only_when_old_and_unlocked(vault: LocalVault, tmp_path: Path) -> None:
    old = tmp_path / "vault" / "incoming" / "old"
    old.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    received = vault.receive(io.BytesIO(b"abc"), LIMIT)
    os.utime(received.path, (1000, 1000))
    assert vault.sweep(now=1000 + 86400) == [], "a day old is not older than a day"
    assert [item.name for item in vault.sweep(now=1000 + 86401)] == ["old"]
    assert not old.exists()
    assert received.path.exists(), "a delivery in progress is never swept"
    vault.commit(received)


def test_two_vault_objects_on_one_folder_share_what_is_stored(tmp_path: Path) -> None:
    one, two = LocalVault(tmp_path / "v"), LocalVault(tmp_path / "v")
    first = one.receive(io.BytesIO(b"same"), LIMIT)
    second = two.receive(io.BytesIO(b"same"), LIMIT)
    assert not one.commit(first).existed
    assert two.commit(second).existed


def test_memory_stays_flat_for_a_large_file(tmp_path: Path) -> None:
    source = tmp_path / "large.tif"
    with source.open("wb") as stream:
        stream.truncate(300 * MIB)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from coverslip.vault import LocalVault\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "vault = LocalVault(Path(sys.argv[2]))\n"
        "before = peak()\n"
        "stored = vault.store(Path(sys.argv[1]), 1 << 40)\n"
        "stream = vault.open(stored.root)\n"
        "while stream.read(1 << 20): pass\n"
        "assert vault.check().ok and stored.size == 300 << 20\n"
        "print(peak() - before)\n"
    )
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "v")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(answer.stdout) < 100 * 1024, f"peak rose by {answer.stdout} KiB"


def test_many_deliveries_of_one_content_at_once_make_one_object(tmp_path: Path) -> None:
    data = content(2 * MIB)

    def deliver(_: int) -> Stored:
        return put(LocalVault(tmp_path / "v"), data)

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(deliver, range(8)))
    assert len({item.root for item in answers}) == 1
    assert sum(not item.existed for item in answers) == 1
    vault = LocalVault(tmp_path / "v")
    assert vault.check([answers[0].root]).ok
    assert vault.leftovers() == []
