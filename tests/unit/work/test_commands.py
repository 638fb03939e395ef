"""Work, notices, and what stands beside a record, as people do it on the command line."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from coverslip.api.app import create_app
from coverslip.bootstrap.founding import sequencer_of
from coverslip.cli import main
from coverslip.cli.keeping import keep
from coverslip.client.values import SignedIn
from fix_lab import LATER, Lab

Command = Callable[..., "Ran"]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


@contextmanager
def serving(lab: Lab) -> Iterator[Path]:
    """Serve the laboratory on a private socket, and give entries their place as they come."""
    stop = threading.Event()
    sequencer = sequencer_of(lab.home, lab.signer)
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        path = Path(folder) / "api.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            config = uvicorn.Config(
                create_app(lab.services()), log_level="critical", lifespan="off", ws="none"
            )
            server = uvicorn.Server(config)
            threads = [
                threading.Thread(target=server.run, kwargs={"sockets": [listener]}),
                threading.Thread(target=sequencer.run, args=(stop,)),
            ]
            for thread in threads:
                thread.start()
            while not server.started and threads[0].is_alive():
                time.sleep(0.005)
            try:
                yield path
            finally:
                server.should_exit = True
                stop.set()
                for thread in threads:
                    thread.join(10)
                sequencer.close()


@pytest.fixture
def run(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Run a command as somebody; the first word is their user name."""

    def call(arguments: list[str], stdin: str) -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(arguments)
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    def command(who: str, *arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setenv("COVERSLIP_SESSION", str(tmp_path / f"{who}.json"))
        session = SignedIn(getattr(lab, who).token, "s", "p", who, who, "", LATER, "", "")
        keep(tmp_path / f"{who}.json", os.environ["COVERSLIP_SERVER"], session)
        return call([str(a) for a in arguments], stdin)

    for name in ("HOME", "AS", "LOG"):
        monkeypatch.delenv(f"COVERSLIP_{name}", raising=False)
    with serving(lab) as path:
        monkeypatch.setenv("COVERSLIP_SERVER", f"unix:{path}")
        yield command


def test_what_waits_is_listed_and_what_others_did_is_told_once(lab: Lab, run: Command) -> None:
    sop = lab.new_sop("A text that waits")
    assert f"{sop} v1\tdraft\t\tsubmit (signed)\tA text that waits" in run("aurel", "work").out
    assert {"submit"} <= {a["act"] for i in run("aurel", "work", "--json").value["work"] for a in i["acts"]}
    run("aurel", "notices")
    said = run("alan", "record", "comment", f"{sop}v1", "Which objective?", "--field", "body")
    assert said.code == 0, said.err
    kept = run("aurel", "notices", "--keep")
    assert "Alan Analyst" in kept.out
    assert "beside" in kept.out
    assert run("aurel", "notices").out == kept.out, "kept for the next time"
    assert run("aurel", "notices", "--json").value["events"] == []


def test_words_files_comments_and_watches_are_shown_with_the_record(
    lab: Lab, run: Command, tmp_path: Path
) -> None:
    study = lab.new_study()
    (tmp_path / "plan.txt").write_text("Two wells.")
    assert run("alan", "record", "tag", study, "Pilot", "two wells").code == 0
    again = run("rita", "record", "tag", study, "PILOT")
    assert (again.code, "DUP" in again.err) == (1, True)
    assert run("alan", "record", "attach", study, tmp_path / "plan.txt", "--what", "Plate plan").code == 0
    assert run("alan", "record", "watch", study).code == 0
    assert run("alan", "record", "comment", study, "Why two?", "--asked", lab.number_of("sam")).code == 0
    shown = run("sam", "record", "show", study).out
    for line in (
        "tags    pilot, two wells",
        "Alan Analyst: Why two?",
        "Plate plan, plan.txt",
        "watched by 1",
    ):
        assert line in shown
    assert study in run("sam", "record", "list", "--tag", "Two Wells").out
    assert run("sam", "record", "untag", study, "PILOT", "--reason", "It is the real one by now.").code == 0
    assert run("sam", "record", "untag", study, "pilot", "--reason", "Once more, to be sure.").code == 2
    assert run("alan", "record", "unwatch", study).code == 0
    assert run("alan", "record", "unwatch", study).code == 2


def test_a_file_of_changes_is_done_whole_or_not_at_all(lab: Lab, run: Command, tmp_path: Path) -> None:
    study = lab.new_study()
    lines = [
        json.dumps({"act": "create", "type": "tag", "fields": {"subject": study, "word": f"w{n}"}})
        for n in range(20)
    ]
    file = tmp_path / "changes.jsonl"
    file.write_text("\n".join(lines))
    done = run("alan", "record", "bulk", file, "--key", "monday", "--json")
    assert done.code == 0, done.err
    assert len(done.value["entries"]) == 20
    assert run("alan", "record", "bulk", file, "--key", "monday", "--json").value["replayed"]
    before = lab.entries()
    bad = [*lines[:0], lines[0].replace("w0", "new"), '{"act": "submit", "number": "NO-0001"}']
    refused = run("alan", "record", "bulk", "-", stdin="\n".join(bad))
    assert (refused.code, "NO-0001" in refused.err) == (1, True)
    assert lab.ask("select count(*) from projection.record where type = 'tag' and title = 'new'") == [(0,)]
    assert lab.entries() <= before + 1, "the refusal alone"
    assert run("alan", "record", "bulk", "-", stdin="not json").code == 2


def test_what_happened_earlier_is_entered_and_shown_as_late(lab: Lab, run: Command) -> None:
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat(timespec="seconds")
    what = ("record", "new", "comment", "-f", f"subject={lab.n['study']}", "-f", "text=The lamp flickered.")
    refused = run("alan", *what, "--occurred-at", then)
    assert (refused.code, "REASON" in refused.err) == (1, True)
    done = run("alan", *what, "--occurred-at", then, "--reason", "The network was down.", "--json")
    number = done.value["entries"][0]["number"]
    assert "LATE ENTRY, happened" in run("alan", "record", "history", number).out
    assert "LATE ENTRY" in run("alan", "record", "show", number).out


@pytest.mark.parametrize("region", ["1,2,3", "a,b,c,d", "1,2,3,4,5,6,7,8", "1,2,3,-4"])
def test_a_region_that_is_none_is_wrong_usage(lab: Lab, run: Command, region: str) -> None:
    assert run("alan", "record", "comment", lab.n["study"], "Here.", "--region", region).code == 2
