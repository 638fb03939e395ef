"""The time sandwich, cosignatures and changes of key, as the offline verifier reports them."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bundle_lab import ORIGIN, Lab, NoteSigner, resealed, uuid

from coverslip.anchoring.cosigner import Cosigner
from coverslip.ledger import note, rotation
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.verifier.certificates import parse_pem
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import Report
from coverslip.verifier.verify import verify_stream

SEEN_AT = 1_800_000_000


def installation(lab: Lab, type: str, detail: dict[str, Any]) -> int:
    """Append an entry to the installation's stream."""
    return lab.append("installation", uuid("installation"), type, lab.ada, {"detail": detail}, type=type)


def people_and_image(lab: Lab) -> None:
    lab.enrol(4, lab.mia)
    lab.vouch(4, lab.mia, lab.quinn)
    lab.enrol(5, lab.pat)
    lab.vouch(5, lab.pat, lab.quinn)
    lab.image()


class Stamped:
    """A log whose image lies between two timestamps, and the members of its copy."""

    def __init__(self, maker: Any, use: str = "evaluation", before: bool = True, after: bool = True) -> None:
        self.lab, self.maker = Lab(use), maker
        self.members: dict[str, bytes] = {}
        self.lab.genesis()
        self.beat = -1
        if before:
            token = self.stamp()
            self.beat = installation(self.lab, "heartbeat", {"token": sha256(token).hexdigest()})
        people_and_image(self.lab)
        if after:
            self.stamp()

    def stamp(self) -> bytes:
        size, sealed = len(self.lab.leaves), self.lab.checkpoint()
        token: bytes = self.maker.reply(self.maker.query(sealed))
        name = f"anchors/timestamps/{size:012d}"
        self.members |= {f"{name}.tsr": token, f"{name}.note": sealed}
        return token

    def bundle(self, **changed: bytes) -> bytes:
        bodies = self.lab.copied(self.lab.scope())
        if self.beat >= 0:
            bodies[self.beat] = self.lab.bodies[self.beat]
        return self.lab.bundle(extra={**self.members, **changed}, bodies=bodies)

    def verify(self, data: bytes, roots: bool = True) -> Report:
        return verify(self.lab, data, roots=[self.maker] if roots else [])


def verify(lab: Lab, data: bytes, keys: str = "", roots: list[Any] = []) -> Report:  # noqa: B006
    trusted = [one for maker in roots for one in parse_pem(maker.root.read_bytes())]
    trust = Trust.parse((keys or lab.keys).encode())
    return verify_stream(io.BytesIO(data), trust, tsa_roots=trusted)


def said(lines: list[str], start: str) -> str:
    (found,) = (one for one in lines if one.startswith(start))
    return found


# --- timestamps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["good", "curve"])
def test_entries_between_two_tokens_are_neither_older_nor_younger(makers: Any, kind: str) -> None:
    made = Stamped(makers[kind])
    report = made.verify(made.bundle())
    assert report.exit_code == 0, report.text()
    told = said(report.holds, "Time sandwich: 4 of 4 entries")
    assert f"CN=stamp of {kind}" in told


def test_without_roots_it_says_what_the_tokens_state_and_how_to_check_them(makers: Any) -> None:
    made = Stamped(makers["good"])
    report = made.verify(made.bundle(), roots=False)
    assert report.exit_code == 0
    assert not any(one.startswith("Time sandwich") for one in report.holds)
    assert "openssl ts -verify -data anchors/timestamps/" in said(report.not_proven, "Time sandwich")


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [(False, True, "no timestamp before them"), (True, False, "no timestamp after them")],
)
def test_a_side_that_is_missing_is_said(makers: Any, before: bool, after: bool, missing: str) -> None:
    made = Stamped(makers["good"], before=before, after=after)
    report = made.verify(made.bundle())
    assert report.exit_code == 0, report.text()
    assert missing in said(report.not_proven, "Age: 4 entries")
    assert not any(one.startswith("Time sandwich") for one in report.holds)


def test_without_any_it_says_that_age_rests_on_the_server(makers: Any) -> None:
    made = Stamped(makers["good"], before=False, after=False)
    assert "no timestamp of an authority" in said(made.verify(made.bundle()).not_proven, "Age")


def test_a_token_of_another_authority_is_a_finding(makers: Any) -> None:
    made = Stamped(makers["good"])
    report = verify(made.lab, made.bundle(), roots=[makers["other"]])
    assert report.exit_code == 1
    assert all("no root that was given" in one.message for one in report.findings)


def test_a_token_about_another_checkpoint_is_a_finding(makers: Any) -> None:
    made = Stamped(makers["good"])
    first, second = sorted(path for path in made.members if path.endswith(".tsr"))
    report = made.verify(made.bundle(**{first: made.members[second]}))
    assert report.exit_code == 1
    assert "about another checkpoint" in report.findings[0].message


def test_a_token_with_a_flipped_byte_is_a_finding(makers: Any) -> None:
    made = Stamped(makers["good"])
    name = sorted(path for path in made.members if path.endswith(".tsr"))[0]
    spoiled = bytearray(made.members[name])
    spoiled[-5] ^= 1
    report = made.verify(made.bundle(**{name: bytes(spoiled)}))
    assert [one.part for one in report.findings] == [name]


def test_a_token_without_its_checkpoint_is_a_finding(makers: Any) -> None:
    made = Stamped(makers["good"])
    name = sorted(path for path in made.members if path.endswith(".note"))[0]
    data = resealed(made.lab, made.bundle(), lambda members: members.__delitem__(name))
    assert "no checkpoint beside it" in made.verify(data).findings[0].message


def test_a_heartbeat_cannot_be_made_to_name_an_older_token_afterwards(makers: Any) -> None:
    made = Stamped(makers["good"])
    other = "0" * 64

    def change(members: dict[str, bytes]) -> None:
        path = "bodies/00000000.jsonl"
        token = sha256(sorted(made.members.items())[1][1]).hexdigest()
        assert token.encode() in members[path]
        members[path] = members[path].replace(token.encode(), other.encode())

    report = made.verify(resealed(made.lab, made.bundle(), change))
    assert report.exit_code == 1
    assert (made.beat, "detail") in [(one.entry, one.field) for one in report.findings]


def test_on_a_regulated_installation_a_time_outside_the_sandwich_is_a_finding(makers: Any) -> None:
    """The laboratory's entries state fixed times; the authority stamps now."""
    made = Stamped(makers["good"], use="regulated")
    found = [one for one in made.verify(made.bundle()).findings if one.field == "at"]
    assert len(found) == 4
    assert all("states" in one.message and one.record == "IMG-2027-000001" for one in found)


def test_on_an_evaluation_it_is_said_and_not_counted_against_the_copy(makers: Any) -> None:
    made = Stamped(makers["good"])
    report = made.verify(made.bundle())
    told = [one for one in report.not_proven if one.startswith("Times: ") and "stamps" in one]
    assert (report.exit_code, told) == (0, ["Times: 1 more entries state times outside their stamps."])


# --- witnesses -------------------------------------------------------------------------------------


def cosigned(lab: Lab, size: int | None = None, seed: bytes = b"\x07" * 32) -> tuple[str, bytes]:
    """Return a witness's key and the cosigned checkpoint."""
    witness = Cosigner("witness.example/w1", seed, lambda: SEEN_AT)
    sealed = note.parse(lab.checkpoint(size))
    line = witness.cosign(sealed.text)
    return witness.verifier_key.format(), note.Note(sealed.text, (*sealed.signatures, line)).to_bytes()


@pytest.fixture(scope="module")
def lived() -> Lab:
    return Lab().live()


def test_a_copy_cosigned_by_a_trusted_witness_is_independent(lived: Lab) -> None:
    key, sealed = cosigned(lived, 20)
    report = verify(lived, lived.bundle(extra={"anchors/witness-1": sealed}), lived.keys + key + "\n")
    assert report.exit_code == 0
    assert "newest over 20 entries, seen at 2027-01-15" in said(report.holds, "The witness")
    assert said(report.not_proven, "Entries after the first 20 rest on")


def test_a_witness_that_is_not_trusted_counts_for_nothing(lived: Lab) -> None:
    _, sealed = cosigned(lived, 20)
    report = verify(lived, lived.bundle(extra={"anchors/witness-1": sealed}))
    assert report.exit_code == 0
    assert said(report.not_proven, "No independent anchor was given")


def test_a_trusted_witness_that_is_not_there_is_missed(lived: Lab) -> None:
    key, _ = cosigned(lived)
    assert said(verify(lived, lived.bundle(), lived.keys + key).not_proven, "No checkpoint here is cosigned")


def test_a_false_cosignature_is_a_finding(lived: Lab) -> None:
    key, sealed = cosigned(lived, 20)
    text, lines = sealed.split(b"\n\n")
    other = cosigned(lived, 21)[1].split(b"\n\n")[1].split(b"\n")[1]
    forged = text + b"\n\n" + lines.split(b"\n")[0] + b"\n" + other + b"\n"
    report = verify(lived, lived.bundle(extra={"anchors/witness-1": forged}), lived.keys + key)
    assert [one.part for one in report.findings] == ["anchors/witness-1"]


def test_a_cosigned_checkpoint_of_another_history_is_a_fork(lived: Lab) -> None:
    other = Lab().live()
    other.leaves[9] = other.leaves[8]
    key, sealed = cosigned(other)
    report = verify(lived, lived.bundle(extra={"anchors/witness-1": sealed}), lived.keys + key)
    assert "fork" in report.findings[0].message


# --- changes of key --------------------------------------------------------------------------------


def changed(by: tuple[str, ...] = ("old", "new"), size: int = 0) -> tuple[Lab, NoteSigner]:
    """Return a log whose key changed, with the statement signed by those named, and the old key."""
    lab = Lab()
    lab.genesis()
    old, new = lab.log_key, NoteSigner(ORIGIN, "the next key")
    size = size or len(lab.leaves)
    said = rotation.Rotation(
        Checkpoint(ORIGIN, size, lab.root(size)), old.vkey, new.vkey, "2026-11-21T05:00:00.000000Z"
    )
    keys = {"old": old, "new": new}
    statement = note.sign(said.text(), [keys[one] for one in by]).to_bytes()
    installation(lab, "keys", {"statement": statement.decode()})
    lab.log_key = new
    people_and_image(lab)
    return lab, old


def bundle_of(lab: Lab, with_keys: bool = True) -> bytes:
    bodies = lab.copied(lab.scope())
    for index, one in lab.bodies.items():
        if with_keys and "detail" in one and "coverslip keys v1" in one["detail"].text:
            bodies[index] = one
    return lab.bundle(bodies=bodies)


def old_keys(lab: Lab, old: NoteSigner) -> str:
    return f"{old.vkey.format()}\n{lab.export_key.vkey.format()}\n"


def test_who_trusts_the_old_key_only_trusts_the_one_it_named() -> None:
    lab, old = changed()
    report = verify(lab, bundle_of(lab), old_keys(lab, old))
    assert report.exit_code == 0, report.text()
    assert f"{old.key_id:08x} to {lab.log_key.key_id:08x}" in said(
        report.holds, "Every change of the log's key"
    )


def test_and_who_trusts_the_new_one_as_well() -> None:
    lab, _ = changed()
    assert verify(lab, bundle_of(lab)).exit_code == 0


@pytest.mark.parametrize("by", [("old",), ("new",), ("new", "new")])
@pytest.mark.parametrize("trusts", ["old", "new", "both"])
def test_a_change_forged_by_one_side_is_refused(by: tuple[str, ...], trusts: str) -> None:
    lab, old = changed(by)
    keys = {"old": old_keys(lab, old), "new": lab.keys, "both": lab.keys + old.vkey.format()}[trusts]
    report = verify(lab, bundle_of(lab), keys)
    assert report.exit_code == 1
    assert any("the change of key does not hold" in one.message for one in report.findings)


def test_a_new_key_without_its_entry_is_refused_by_who_trusts_the_old() -> None:
    lab, old = changed()
    report = verify(lab, bundle_of(lab, with_keys=False), old_keys(lab, old))
    assert report.exit_code == 1
    assert "checkpoint" in [one.part for one in report.findings]


def test_a_checkpoint_by_the_retired_key_is_a_finding() -> None:
    lab, old = changed()
    keys = lab.keys + old.vkey.format() + "\n"
    lab.log_key = old
    report = verify(lab, bundle_of(lab), keys)
    assert any("which signs no such tree" in one.message for one in report.findings)


def test_a_statement_that_is_no_entry_opens_nothing() -> None:
    """Put into a body that its entry's commitment does not hold, it is found."""
    lab, old = changed()
    honest = bundle_of(lab)

    def move(members: dict[str, bytes]) -> None:
        path = "bodies/00000000.jsonl"
        kept = [line for line in members[path].split(b"\n") if line]
        (at,) = (n for n, line in enumerate(kept) if b"coverslip keys v1" in line)
        kept[at] = kept[at].replace(b'"salt":"', b'"salt":"00', 1).replace(b"00" * 2, b"00", 1)
        members[path] = b"".join(line + b"\n" for line in kept)

    assert verify(lab, resealed(lab, honest, move), old_keys(lab, old)).exit_code == 1


def test_a_change_that_names_another_tree_is_a_finding() -> None:
    lab, old = changed(size=5)
    honest: Callable[..., bytes] = lab.root
    assert honest(5) != honest(6)
    other = Lab()
    other.genesis()
    new = NoteSigner(ORIGIN, "the next key")
    stated = rotation.Rotation(
        Checkpoint(ORIGIN, 6, other.root(5)), other.log_key.vkey, new.vkey, "2026-11-21T05:00:00.000000Z"
    )
    statement = note.sign(stated.text(), [other.log_key, new]).to_bytes()
    installation(other, "keys", {"statement": statement.decode()})
    keys = old_keys(other, other.log_key)
    other.log_key = new
    people_and_image(other)
    report = verify(other, bundle_of(other), keys)
    assert any("the change of key names a checkpoint" in one.message for one in report.findings)
    assert verify(lab, bundle_of(lab), old_keys(lab, old)).exit_code == 0


def test_the_command_line_takes_roots(
    makers: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from coverslip.verifier import cli

    made = Stamped(makers["good"])
    (tmp_path / "b.zip").write_bytes(made.bundle())
    (tmp_path / "keys.txt").write_text(made.lab.keys)
    given = [str(tmp_path / "b.zip"), "--keys", str(tmp_path / "keys.txt"), "--tsa-roots"]
    assert cli.main([*given, str(made.maker.root)]) == 0
    assert "Time sandwich: 4 of 4" in capsys.readouterr().out
    assert cli.main([*given, str(tmp_path / "nowhere.pem")]) == 2
    assert cli.main([*given, str(tmp_path / "keys.txt")]) == 2
