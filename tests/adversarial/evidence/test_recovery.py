"""Quarantine and the way out: nobody alone, nobody twice, nobody whom the common history does not know."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coverslip.bootstrap import checking, completing, quarantine, recovering, wiring
from coverslip.errors import CoverslipError
from coverslip.kernel import keys
from coverslip.kernel.events import NOBODY, Event
from coverslip.ledger.tree import consistency_proof
from coverslip.settings import Home
from coverslip.store.anchors import read_file_anchor
from coverslip.store.signer import Signer, current, read_journal
from coverslip.verifier.recovery import Declarer, Recovery, parse as parse_recovery
from coverslip.web.security import csrf_token
from fix_story import running, secret_of

WHY = "The disk of the database failed; last night's copy was restored."
TWO = {"QA": "quinn", "ADM": "ada"}
SECRETS = {name: secret_of(name) for name in ("quinn", "ada", "vera", "aurel", "alan")}


@pytest.fixture
def rolled(story: Any, story_home: Path) -> Path:
    """A home whose database alone is an older copy; the signer remembers more."""
    shutil.rmtree(story_home / "postgres")
    subprocess.run(["cp", "-a", str(story.older / "postgres"), str(story_home)], check=True)
    return story_home


@contextmanager
def served(root: Path) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Serve a home by its real processes; yield a client and what was said."""
    said, ready = list[str](), threading.Event()
    command = [sys.executable, "-m", "coverslip.cli", "serve", "--home", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def listen() -> None:
            for line in process.stdout or ():
                said.append(line.strip())
                if line.startswith("ready"):
                    ready.set()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            assert ready.wait(60), said
            with httpx.HTTPTransport(uds=str(wiring.api_socket(Home(root.resolve())))) as transport:
                client = httpx.Client(transport=transport, base_url="http://coverslip/api/v1", timeout=30)
                yield client, said
        finally:
            process.terminate()
            process.wait(60)
            thread.join()


def sign_in(client: httpx.Client, username: str) -> dict[str, str]:
    opened = client.post(
        "/sessions",
        json={"username": username, "password": secret_of(username), "workstation": "w", "zone": "UTC"},
    )
    assert opened.status_code == 201, opened.text
    return {"Authorization": f"Bearer {opened.json()['token']}"}


def counted(root: Path) -> list[tuple[Any, ...]]:
    """Return what a write would move: entries, heads, sessions."""
    home = Home(root)
    with wiring.database(home), wiring.connection(home, "cs_superuser") as conn:
        return conn.execute(
            "select (select count(*) from ledger.entry), (select count(*) from ops.session),"
            " (select count(*) from ops.command), (select size from ledger.tree),"
            " (select count(*) from ledger.checkpoint), (select md5(string_agg(seq::text, ',' order by uid))"
            " from projection.record)"
        ).fetchall()


def test_in_quarantine_everything_can_be_read_and_nothing_written(rolled: Path, tmp_path: Path) -> None:
    before = counted(rolled)
    size = read_journal(rolled / "signer" / "journal")[-1].size
    with served(rolled) as (client, said):
        assert any(str(size) in line and "quarantine" in line for line in said)
        health = client.get("http://coverslip/healthz").json()
        assert health["status"] == "quarantined" and str(size) in health["why"]
        assert "coverslip_quarantined 1" in client.get("http://coverslip/metrics").text
        headers = sign_in(client, "quinn")
        assert client.get("/records/SITE-01", headers=headers).status_code == 200
        assert client.get("/records?type=user", headers=headers).status_code == 200
        assert client.get("/records/SITE-01/history", headers=headers).status_code in (200, 404)
        exported = client.post("/records/SITE-01/export", json={}, headers=headers)
        assert exported.status_code == 200 and exported.content[:2] == b"PK"
        for method, path, body in (
            ("POST", "/records", {"type": "study", "fields": {}}),
            ("POST", "/records/SITE-01/edit", {"expected_version": 1, "fields": {}}),
            ("POST", "/records/SITE-01/acts/activate", {"expected_version": 1}),
            ("POST", "/enrolments", {}),
            ("PUT", "/attachments/a.txt/files", {}),
            ("DELETE", "/records/SITE-01", {}),
        ):
            answer = client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERY_REQUIRED"), path
            assert "coverslip ledger recover" in answer.json()["remedy"]
        children = {one.name for one in (rolled / "logs").iterdir()}
        assert "quarantine.jsonl" in children
    assert counted(rolled) == before
    assert b'"act":"export"' in (rolled / "logs" / "quarantine.jsonl").read_bytes()


def at_a_browser(client: httpx.Client, username: str) -> tuple[httpx.Client, Callable[..., httpx.Response]]:
    """Return the pages as somebody's browser has them, and how its forms are sent."""
    pages = httpx.Client(transport=client._transport, base_url="http://coverslip", timeout=30)
    who = {"username": username, "password": secret_of(username), "workstation": "desk", "zone": "UTC"}
    assert pages.post("/sign-in", data=who).status_code == 303

    def send(path: str, **form: str) -> httpx.Response:
        return pages.post(path, data={"csrf": csrf_token(pages.cookies["coverslip"]), **form})

    return pages, send


def test_in_quarantine_people_lock_open_and_leave_and_nothing_is_written(rolled: Path) -> None:
    before = counted(rolled)
    with served(rolled) as (client, _):
        pages, send = at_a_browser(client, "quinn")
        assert pages.get("/work").status_code == 200
        # Locked, it shows and does nothing, and only its own person opens it.
        assert (locked := send("/lock")).status_code == 303 and locked.headers["location"] == "/locked"
        for path in ("/work", "/r/SITE-01", "/me"):
            assert pages.get(path).headers["location"].startswith("/locked"), path
        assert "Quinn" in pages.get("/locked").text
        assert send("/unlock", password=secret_of("ada") + "x").status_code == 401
        assert pages.get("/work").headers["location"].startswith("/locked")
        assert send("/unlock", password=secret_of("quinn")).status_code == 303
        assert pages.get("/work").status_code == 200
        # Another takes the seat; the first one comes back to the session left locked.
        assert send("/switch").headers["location"].startswith("/sign-in")
        assert "coverslip" not in pages.cookies
        _, again = at_a_browser(client, "quinn")
        assert again("/sign-out").status_code == 303
        # What is a record is refused as before.
        _, write = at_a_browser(client, "ada")
        for path in ("/types/study/new", "/r/SITE-01/edit", "/me/credentials/codes/begin", "/enrol"):
            answer = write(path)
            assert answer.status_code == 503 and "coverslip ledger recover" in answer.text, path
        headers = sign_in(client, "vera")
        assert client.post("/sessions/current/lock", headers=headers).status_code == 204
        assert client.get("/me", headers=headers).json()["code"] == "SESSION_LOCKED"
        opened = client.post(
            "/sessions/current/unlock", json={"password": secret_of("vera")}, headers=headers
        )
        headers = {"Authorization": f"Bearer {opened.json()['token']}"}
        own = client.get("/me/sessions", headers=headers).json()
        assert client.post(f"/me/sessions/{own[0]['session']}/end", headers=headers).status_code == 204
        assert client.get("/me", headers=headers).status_code == 401
    assert counted(rolled) == before
    kept = (rolled / "logs" / "quarantine.jsonl").read_bytes()
    assert kept.count(b'"act":"lock"') == 3 and kept.count(b'"act":"unlock"') >= 2


def test_commands_that_write_are_refused_too(rolled: Path) -> None:
    """Not by the server, which is not there: by everything that opens the home."""
    before = counted(rolled)
    with wiring.database(Home(rolled)):
        for write in (
            lambda: completing.ledger_heads(rolled),
            lambda: checking.checkpoint(rolled),
            lambda: _enter(rolled),
        ):
            with pytest.raises(CoverslipError) as caught:
                write()
            assert caught.value.code == "RECOVERY_REQUIRED"
    assert counted(rolled) == before


def _enter(root: Path) -> None:
    with wiring.core(Home(root), size=1) as core:
        core.events.installation(Event("heartbeat", "beat", {"n": 1}), NOBODY)


def test_a_control_without_attack_is_served_as_always(story_home: Path) -> None:
    with served(story_home) as (client, said):
        assert client.get("http://coverslip/healthz").json()["status"] == "ok"
        assert not any("quarantine" in line for line in said)


def test_a_contradiction_found_while_running_ends_in_quarantine(story_home: Path) -> None:
    """The tail of the tree is rewritten under the running sequencer: the signer refuses, everything stops."""
    home = Home(story_home)
    with served(story_home) as (client, said):
        sign_in(client, "ada")
        with wiring.connection(home, "cs_superuser") as conn:
            conn.execute("update ledger.tree set frontier[1] = sha256('x'), root = sha256('y')")
        sign_in(client, "quinn")  # an entry, so that there is something to integrate and sign
        for _ in range(200):
            if any("quarantine" in line for line in said) and said[-1].startswith("ready"):
                break
            threading.Event().wait(0.1)
        assert any("quarantine" in line for line in said), said
        assert client.get("http://coverslip/healthz").json()["status"] == "quarantined"


def refused(root: Path, people: dict[str, str], why: str = WHY) -> CoverslipError:
    before, journal = counted(root), (root / "signer" / "journal").read_bytes()
    with pytest.raises(CoverslipError) as caught:
        recovering.recover(root, people, SECRETS, why)
    assert counted(root) == before and (root / "signer" / "journal").read_bytes() == journal
    with wiring.database(Home(root)):
        assert quarantine.contradiction(Home(root)) is not None, "still in quarantine"
    return caught.value


@pytest.mark.parametrize(
    ("people", "word"),
    [
        ({"QA": "quinn", "ADM": "quinn"}, "one person"),
        ({"QA": "quinn"}, "user name and password"),
        ({"QA": "ada", "ADM": "quinn"}, "does not hold the role"),
        ({"QA": "aurel", "ADM": "ada"}, "does not hold the role QA"),
        ({"QA": "alan", "ADM": "ada"}, "does not hold the role QA"),
        ({"QA": "nobody", "ADM": "ada"}, "user name and password"),
    ],
)
def test_one_alone_the_same_twice_or_a_wrong_role_is_refused(
    rolled: Path, people: dict[str, str], word: str
) -> None:
    assert word in refused(rolled, people).message


def test_a_wrong_password_or_no_reason_is_refused(rolled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(rolled, TWO, "short").code == "RECOVERY_REFUSED"
    monkeypatch.setitem(SECRETS, "ada", "not the password at all")
    assert refused(rolled, TWO).code == "SIG_REAUTH"


def test_a_sound_home_has_nothing_to_recover(story_home: Path) -> None:
    with pytest.raises(CoverslipError) as caught:
        recovering.recover(story_home, TWO, SECRETS, WHY)
    assert caught.value.code == "RECOVERY_REFUSED" and "nothing to recover" in caught.value.message


# --- the signer by itself: statements an operator with every file of the home could write ---------------


@contextmanager
def prepared(root: Path) -> Iterator[Callable[[Callable[[Recovery], Recovery]], CoverslipError | None]]:
    """Yield a function that hands the signer an honest recovery after a change, and returns its refusal."""
    home = Home(root)
    with wiring.database(home), wiring.core(home, size=2) as core:
        found = recovering._situation(home, core)
        honest = recovering._signed(home, core, found, TWO, SECRETS, WHY)
        proof = consistency_proof(list(found.hashes), found.kept.size)
        signer = Signer(home.signer, wiring.installation(home).origin)

        def hand(change: Callable[[Recovery], Recovery]) -> CoverslipError | None:
            try:
                signer.recover(change(honest).detail(), core.reading.stored(0, found.kept.size), proof)
            except CoverslipError as error:
                return error
            return None

        try:
            yield hand
        finally:
            signer.close()


def signed_by(made: Recovery, key: Ed25519PrivateKey, root: Path, **more: str) -> Recovery:
    """Return a recovery whose second declarer is the holder of a key; the first signs it honestly again."""
    public = key.public_key().public_bytes_raw()
    declarers = (made.declarers[0], replace(made.declarers[1], kid=keys.key_id(public), **more))
    changed = replace(made, declarers=declarers)
    with wiring.core(Home(root), size=1) as core:
        first, wrapped = made.declarers[0], core.accounts.credential(made.declarers[0].person) or {}
    again = keys.sign(wrapped, SECRETS[first.username], first.person, changed.message())
    signatures = [{**made.signatures[0], "signature": again.hex()}, {}]
    signatures[1] = {
        "scheme": "ed25519-wrapped", "kid": keys.key_id(public), "public": public.hex(),
        "signature": key.sign(changed.message()).hex(),
    }  # fmt: skip
    return replace(changed, signatures=tuple(signatures))


def test_forged_statements_are_refused_by_the_signer_and_the_honest_one_is_not(rolled: Path) -> None:
    stranger = Ed25519PrivateKey.generate()
    with prepared(rolled) as hand:
        size = read_journal(rolled / "signer" / "journal")[-1].size
        for change, word in (
            (lambda m: replace(m, reason="Another reason than they signed."), "does not hold"),
            (lambda m: replace(m, signatures=m.signatures[:1], declarers=m.declarers[:1]), "two people"),
            (lambda m: replace(m, signatures=(m.signatures[0], m.signatures[0])), "by another key"),
            (lambda m: replace(m, declarers=(m.declarers[0], m.declarers[0])), "two people"),
            (lambda m: replace(m, log="elsewhere.example/log"), "of the log"),
            (lambda m: replace(m, signed=replace(m.signed, size=size - 1)), "another tree than"),
            (lambda m: replace(m, kept=replace(m.kept, root="0" * 64)), "never signed"),
            (lambda m: replace(m, found=replace(m.found, root="0" * 64)), "does not hold"),
            (lambda m: replace(m, signed_note="nothing"), "does not keep the last checkpoint"),
            (lambda m: signed_by(m, stranger, rolled), "not an enrolled and verified key"),
            (lambda m: signed_by(m, stranger, rolled, person=m.declarers[0].person), "one person"),
            (
                lambda m: signed_by(m, stranger, rolled, person="00000000-0000-7000-8000-000000000001"),
                "no active account",
            ),
        ):
            error = hand(change)  # type: ignore[arg-type]
            assert error is not None and error.code == "RECOVERY_REFUSED", word
            assert word in error.message, (word, error.message)
        assert hand(lambda m: m) is None
        assert hand(lambda m: m) is None, "the same recovery again is the same"


def test_a_device_key_does_not_recover(story: Any, story_home: Path, tmp_path: Path) -> None:
    """An instrument's key is in the history, and so is a person's: only the person's may declare."""
    home = Home(story_home)
    with wiring.database(home), wiring.core(home, size=1) as core:
        journal = read_journal(home.signer / "journal")
        known = core.reading.find(story.numbers["instrument"])
        assert known is not None
        _, register = recovering_register(core, journal[-1].size)
        one = Declarer(known.uid, "ix", "Instrument", "QA", "0" * 32)
        with pytest.raises(ValueError, match="no active account of a person"):
            register.may(one, "0" * 64, "ed25519-wrapped", "2026-11-21")
        quinn = core.accounts.person_by_username("quinn")
        assert quinn is not None
        wrapped = core.accounts.credential(quinn[0]) or {}
        person = Declarer(quinn[0], "quinn", "Quinn Quality", "QA", str(wrapped["kid"]))
        register.may(person, str(wrapped["public"]), str(wrapped["scheme"]), "2099-01-01")


def recovering_register(core: wiring.Core, size: int) -> Any:
    from coverslip.store.recovery import register

    return register(size, core.reading.stored(0, size))


# --- and out -----------------------------------------------------------------------------------------------


def test_two_people_recover_and_the_lost_range_stays_on_the_record(
    story: Any, rolled: Path, tmp_path: Path, named: Any
) -> None:
    home, elsewhere = Home(rolled), tmp_path / "elsewhere"
    shutil.copy2(story.home / "anchors" / "checkpoints", elsewhere)
    before = read_journal(home.signer / "journal")
    asked = recovering.situation(rolled)
    assert asked["signed"] == before[-1].size and asked["found"] < asked["signed"]
    done = recovering.recover(rolled, TWO, SECRETS, WHY)
    assert f"entries {asked['kept']} to {before[-1].size - 1}" in done["statement"]
    journal = read_journal(home.signer / "journal")
    assert journal[: len(before)] == before, "the lines of the lost history stay"
    assert len(current(journal)) < len(journal)

    findings, counts = checking.ledger_verify(rolled)
    assert findings == [] and counts["recoveries"] == 1 and counts["superseded"] >= 1
    assert checking.ledger_replay(rolled)[0] == []
    (sentence,) = recovering.recoveries(rolled)
    assert "Quinn Quality (QA) and Ada Admin (ADM)" in sentence and str(before[-1].size) in sentence
    assert checking.ledger_verify(rolled, elsewhere)[0] == [], "anchors of the lost history are accounted for"
    with running(rolled):  # the ordinary ways of the story work again
        pass
    with served(rolled) as (client, said):
        assert client.get("http://coverslip/healthz").json()["status"] == "ok", said
        headers = sign_in(client, "quinn")
        made = client.post("/records/SITE-01/export", json={}, headers=headers)
    (tmp_path / "b.zip").write_bytes(made.content)
    report = bundle_report(tmp_path / "b.zip", home, elsewhere)
    assert report.exit_code == 0, report.text()
    assert any(
        "are lost; declared by Quinn Quality (QA) and Ada Admin (ADM)" in one for one in report.notices
    )


def bundle_report(path: Path, home: Home, anchors: Path) -> Any:
    from coverslip.verifier.keys import Trust
    from coverslip.verifier.verify import verify_stream

    with open(path, "rb") as stream:
        return verify_stream(stream, Trust.parse(home.public_keys.read_bytes()), anchors=anchors)


def test_an_anchor_of_a_third_history_is_no_part_of_what_was_declared_lost(
    story: Any, rolled: Path, tmp_path: Path, named: Any
) -> None:
    from coverslip.ledger.checkpoint import Checkpoint
    from coverslip.ledger.note import sign
    from coverslip.store.notes import NoteKey, read_seed

    home = Home(rolled)
    recovering.recover(rolled, TWO, SECRETS, WHY)
    lost = read_file_anchor(story.home / "anchors" / "checkpoints")[-1]
    size = int(lost.decode().splitlines()[1])
    origin = wiring.installation(home).origin
    key = NoteKey(origin, read_seed(home.signer / "signing.key"))
    (tmp_path / "kept").write_bytes(sign(Checkpoint(origin, size, bytes(32)).text(), [key]).to_bytes())
    assert named(checking.ledger_verify(rolled, tmp_path / "kept")[0], kind="anchor")


def test_a_recovery_interrupted_after_the_signers_word_is_entered_at_the_next_start(
    rolled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "complete", lambda home, core: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        recovering.recover(rolled, TWO, SECRETS, WHY)
    monkeypatch.undo()
    found, _ = checking.ledger_verify(rolled)
    assert [one["kind"] for one in found] == ["recovery"], "a recovery without its entry is a finding"
    with wiring.database(Home(rolled)):
        recovering.finish(Home(rolled))
        recovering.finish(Home(rolled))
    with running(rolled):
        pass
    assert checking.ledger_verify(rolled)[0] == []


def test_a_recovery_entry_without_the_signers_line_is_a_finding(rolled: Path, named: Any) -> None:
    """The signer's journal put back to before the recovery, or an entry that the signer never took."""
    home = Home(rolled)
    recovering.recover(rolled, TWO, SECRETS, WHY)
    path = home.signer / "journal"
    lines = path.read_bytes().splitlines(keepends=True)
    # The history that goes on may have signed a size that the lost one had signed too: its word stays.
    kept = {int(json.loads(one)["size"]): one for one in lines if b'"recovery"' not in one}
    path.write_bytes(b"".join(kept[size] for size in sorted(kept)))
    assert named(checking.ledger_verify(rolled)[0], kind="recovery")


def test_numbers_of_lost_records_are_not_given_out_again(story: Any, rolled: Path) -> None:
    lost = story.numbers["run"]
    recovering.recover(rolled, TWO, SECRETS, WHY)
    home = Home(rolled)
    with wiring.database(home), wiring.connection(home, "cs_superuser") as conn:
        row = conn.execute("select last_value from ops.number_run").fetchone()
        alive = conn.execute("select count(*) from ops.session where ended_at is null").fetchone()
    assert row is not None and row[0] >= int(lost.rpartition("-")[2])
    assert alive == (0,), "sessions from before have ended"


def test_the_statement_is_read_strictly() -> None:
    with pytest.raises(ValueError, match="lacks"):
        parse_recovery({"statement": {}, "signatures": [], "signed_note": ""})
