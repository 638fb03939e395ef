"""Runs end in a record, whatever happens: results, or the reason there are none."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import tifffile
import uvicorn
from typer.testing import CliRunner

from coverslip.analysis import recipe, registry, rerun, service
from coverslip.analysis.rerun import Reruns
from coverslip.analysis.runner import Job, rows_root
from coverslip.analysis.service import Runs
from coverslip.api.app import create_app
from coverslip.cli.caller import Caller as Command
from coverslip.cli.runs import app as commands
from coverslip.client import Coverslip
from coverslip.errors import EnvironmentFault
from coverslip.kernel.change import Change
from coverslip.worker import loop
from coverslip.worker.loop import Work
from fix_analysis import Plane, drawn
from fix_caller import Caller
from fix_lab import Lab, refused

Api = Callable[[str], Caller]
NOISE = np.random.default_rng(6).poisson(400, (256, 256)).astype(np.uint16)


@pytest.fixture(autouse=True)
def _projections_are_what_the_ledger_says(lab: Lab) -> Iterator[None]:
    yield
    while runs(lab).step():  # what a test left waiting is not the next one's
        pass
    assert lab.replay() == []


@pytest.fixture(scope="module")
def method(lab: Lab) -> str:
    """The bundled algorithm, approved as it is."""
    return approved(lab, registry.code_hash())


def approved(lab: Lab, code: str, **changed: str) -> str:
    """Return a method of the bundled algorithm with this code hash and these parameters."""
    shipped = registry.NUCLEUS_COUNT
    algorithm = _master(
        lab, "algorithm", title="Nucleus count", semver=shipped.semver, kind="classical", source="bundled",
        entry_point=shipped.entry_point, code_hash=code, env_digest=registry.env_digest(shipped.imports),
        operating_limits=dict(shipped.limits), intended_use=shipped.intended_use, deterministic=True,
    )  # fmt: skip
    given = {p.name: p.default for p in shipped.parameters} | changed
    values = [{"name": name, "value": value} for name, value in given.items()]
    parameters = _master(
        lab, "parameter_set", title="Defaults", algorithm=algorithm, rationale="Tried.", values=values
    )
    return _master(
        lab, "analysis_method", title="Count", algorithm=algorithm, parameters=parameters, sop=lab.n["sop"],
        permitted_runs=1, outputs=[{"quantity_name": "count", "unit": "1", "digits": 0, "limit_hi": "20"}],
        intended_use="Counting.",
    )  # fmt: skip


def _master(lab: Lab, kind: str, /, **fields: Any) -> str:
    number = lab.aurel.create(kind, **fields)
    lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    lab.work().due()
    return number


def image(lab: Lab, plane: Plane) -> str:
    """Return an available image with these pixels."""
    held = io.BytesIO()
    tifffile.imwrite(held, plane)
    kept = lab.attach(f"{uuid4().hex}.tif", held.getvalue())
    fields = {"name": kept["name"], "study": lab.n["study"], "session": lab.n["session"], "kind": "raw"}
    made = lab.door.submit(Change("create", "image", fields=fields), lab.service()).entries[0].number
    dims = {"x": plane.shape[1], "y": plane.shape[0], "z": 1, "c": 1, "t": 1, "levels": 1}
    checks = [{"check": "parses", "verdict": "pass", "sentence": "The file reads."}]
    lab.machine(
        made, "accept", files=[kept], root=kept["root"], format="tiff", uncalibrated=True, dims=dims,
        checks=checks,
    )  # fmt: skip
    return made


def queued(lab: Lab, method: str, *planes: Plane) -> str:
    """Return a run that waits, on a frozen set of these images."""
    members = [image(lab, plane) for plane in planes]
    images = lab.alan.create("image_set", title="Wells", study=lab.n["study"], members=members)
    lab.alan.do(images, "freeze", sign=True)
    return lab.new_run(method=method, image_set=images)


def runs(lab: Lab) -> Runs:
    return Runs(lab.door, lab.reading, lab.vault, lab.service, 1 << 30)


def done(lab: Lab, method: str, *planes: Plane) -> str:
    number = queued(lab, method, *planes)
    while lab.row(number).state == "queued":
        assert runs(lab).step()
    return number


def results(lab: Lab, run: str) -> Any:
    return lab.row(lab.row(run).fields["results"]["number"])


def log_of(lab: Lab, run: str) -> str:
    return lab.vault.path(lab.row(run).fields["log"]["root"]).read_text("utf-8")


def test_a_run_ends_with_its_results_in_records_and_vault(lab: Lab, method: str) -> None:
    run = done(lab, method, drawn(31, 14), drawn(32, 9))
    row = lab.row(run)
    assert row.state == "completed", row.fields
    assert row.fields["env_digest"] == registry.env_digest(registry.NUCLEUS_COUNT.imports)
    assert row.fields["environment"]["code_hash"] == registry.code_hash()
    assert [s["pass"] for s in row.fields["suitability"]] == [True]
    found = results(lab, run).fields
    assert [(r["value"], r["status"]) for r in found["rows"]] == [("14", "within"), ("9", "within")]
    assert found["row_count"] == 23
    table = lab.vault.path(found["csv"]["root"])
    assert hashlib.sha256(table.read_bytes()).hexdigest() == found["csv"]["sha256"]
    assert rows_root(table) == found["row_hashes_root"]
    assert "flagged" not in found
    assert "14" in log_of(lab, run)


def test_a_count_beyond_the_limits_of_the_method_is_said_so(lab: Lab, method: str) -> None:
    run = done(lab, method, drawn(33, 24))
    assert [(r["value"], r["status"]) for r in results(lab, run).fields["rows"]] == [("24", "out_of_limits")]


def test_a_flagged_image_is_named_and_fails_suitability(lab: Lab, method: str) -> None:
    run = done(lab, method, drawn(34, 8), NOISE)
    row, found = lab.row(run), results(lab, run).fields
    assert row.state == "completed", row.fields
    (control,) = row.fields["suitability"]
    assert (control["pass"], control["value"]) == (False, "1 flagged")
    members = lab.row(row.fields["image_set"]["number"]).fields["members"]
    (flagged,) = found["flagged"]
    assert flagged["image"]["number"] == members[1]["number"]
    assert "contrast" in flagged["reason"]
    assert [r["status"] for r in found["rows"]] == ["within", "not_evaluable"]
    assert "value" not in found["rows"][1], "no number where none was measured"


def test_nothing_waiting_is_nothing_to_do(lab: Lab) -> None:
    while runs(lab).step():
        pass
    before = lab.entries()
    assert not runs(lab).step()
    assert lab.entries() == before


def test_a_run_whose_process_fails_is_failed_with_reason_and_log(
    lab: Lab, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = service.run
    monkeypatch.setattr(
        service, "run", lambda job: real(Job("os:system", job.code_hash, job.parameters, job.inputs))
    )
    run = done(lab, method, drawn(35, 5))
    row = lab.row(run)
    assert row.state == "failed"
    assert "status 1" in row.fields["error"]
    assert "os:system" in log_of(lab, run)
    assert "results" not in row.fields
    last = lab.history(run)[-1]
    assert (last["act"], "status 1" in last["sections"]["reason"]) == ("fail", True)


def test_code_that_is_not_the_approved_code_is_not_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Job] = []
    monkeypatch.setattr(service, "run", asked.append)
    run = done(lab, approved(lab, "ab" * 32), drawn(36, 5))
    row = lab.row(run)
    assert row.state == "failed"
    assert "abababababab" in row.fields["error"]
    assert asked == []


def test_a_parameter_beyond_its_range_fails_before_anything_runs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "run", lambda job: pytest.fail("it ran"))
    run = done(lab, approved(lab, registry.code_hash(), smoothing_px="50"), drawn(37, 5))
    assert lab.row(run).state == "failed"
    assert "smoothing_px" in lab.row(run).fields["error"]


@contextmanager
def changed(path: Path, data: bytes) -> Iterator[None]:
    """Have an object of the vault hold other bytes for a while: the vault is the worker's, not the test's."""
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)
        path.chmod(0o444)


def test_pixels_changed_in_the_vault_fail_the_run(lab: Lab, method: str) -> None:
    number = queued(lab, method, drawn(38, 5))
    members = lab.row(lab.row(number).fields["image_set"]["number"]).fields["members"]
    path = lab.vault.path(lab.row(members[0]["number"]).fields["root"])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with changed(path, bytes(data)):
        while lab.row(number).state == "queued":
            runs(lab).step()
    assert lab.row(number).state == "failed"
    assert "error" in lab.row(number).fields


def test_of_two_workers_one_takes_the_run(lab: Lab, method: str) -> None:
    while runs(lab).step():
        pass
    number = queued(lab, method, drawn(39, 6))
    took: list[bool] = []
    threads = [threading.Thread(target=lambda: took.append(runs(lab).step())) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(took) == [False, True]
    assert [e["act"] for e in lab.history(number)].count("start") == 1
    assert lab.row(number).state == "completed"


def test_a_run_on_hold_waits(lab: Lab, method: str) -> None:
    number = queued(lab, method, drawn(40, 6))
    hold = lab.quinn.create(
        "hold",
        subject=lab.row(number).fields["image_set"]["number"],
        reason="Doubt about the staining of these wells.",
    )
    before = len(lab.refusals())
    assert not runs(lab).step()
    assert lab.row(number).state == "queued", hold
    assert len(lab.refusals()) == before, "asking whether it may start leaves nothing behind"


def test_runs_on_hold_do_not_keep_the_others_waiting(lab: Lab, method: str) -> None:
    held = [queued(lab, method, drawn(100 + i, 4)) for i in range(11)]
    for number in held:
        images = lab.row(number).fields["image_set"]["number"]
        lab.quinn.create("hold", subject=images, reason="Doubt about the staining of these wells.")
    free = done(lab, method, drawn(45, 4))
    assert lab.row(free).state == "completed"
    assert {lab.row(number).state for number in held} == {"queued"}


# --- a worker that died ------------------------------------------------------------------------------


def test_a_run_left_by_a_worker_that_died_is_failed_and_said_so(lab: Lab, method: str) -> None:
    number = queued(lab, method, drawn(41, 6))
    lab.machine(number, "start")
    assert runs(lab).recover() == 1
    row = lab.row(number)
    assert row.state == "failed"
    assert "worker ended" in row.fields["error"]
    before = lab.entries()
    assert runs(lab).recover() == 0
    assert lab.entries() == before


def test_recovery_leaves_runs_that_wait_or_have_ended_alone(lab: Lab, method: str) -> None:
    ended, waiting = done(lab, method, drawn(42, 6)), queued(lab, method, drawn(43, 6))
    runs(lab).recover()
    assert (lab.row(ended).state, lab.row(waiting).state) == ("completed", "queued")


class Recorded:
    """A job that says what was asked of it; the first recovery meets a database that does not answer."""

    def __init__(self, stop: threading.Event, fails: int) -> None:
        self.calls: list[str] = []
        self._stop, self._fails = stop, fails

    def recover(self) -> int:
        self.calls.append("recover")
        if self._fails:
            self._fails -= 1
            raise EnvironmentFault("ENVIRONMENT", what="the database", expected="an answer", found="none")
        return 1

    def step(self) -> bool:
        self.calls.append("step")
        if self.calls.count("step") == 3:
            self._stop.set()
        return True


@pytest.mark.parametrize("fails", [0, 1])
def test_a_worker_recovers_once_and_before_anything_else(lab: Lab, fails: int) -> None:
    stop = threading.Event()
    job = Recorded(stop, fails)
    work = lab.work()
    loop.run(Work(work.door, work.records, work.service, work.today, (job,)), stop)
    assert job.calls == ["recover"] * (1 + fails) + ["step"] * 3


# --- computed again ----------------------------------------------------------------------------------


def again(lab: Lab, run: str) -> dict[str, Any]:
    return Reruns(lab.reading, lab.vault).reproduce(lab.row(run))


@pytest.fixture(scope="module")
def completed(lab: Lab, method: str) -> str:
    return done(lab, method, drawn(51, 13), drawn(52, 7))


def test_a_recorded_run_is_reproduced_exactly_and_leaves_no_trace(lab: Lab, api: Api, completed: str) -> None:
    rita = api("rita")  # signing in is an entry of its own
    before = lab.entries()
    answer = rita.post(f"/runs/{completed}/reproduce", {})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["verdict"], found["rows"], found["differences"]) == ("reproduced exactly", 20, [])
    assert found["rows_root"]["recorded"] == found["rows_root"]["again"]
    assert found["env_digest"]["recorded"] == found["env_digest"]["again"]
    assert lab.entries() == before


@contextmanager
def served(lab: Lab) -> Iterator[Path]:
    """Serve the laboratory on a socket; yields its path."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        path = Path(folder) / "api.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        server = uvicorn.Server(
            uvicorn.Config(create_app(lab.services()), log_level="critical", lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield path
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


def test_the_command_says_the_verdict_and_ends_accordingly(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(lab) as path, Coverslip(f"unix:{path}", token=lab.rita.token) as client:
        monkeypatch.setattr(Command, "client", lambda self: client)
        monkeypatch.setattr(Command, "close", lambda self: None)
        held = CliRunner().invoke(commands, ["reproduce", completed])
        assert (held.exit_code, held.stdout.split("  ")[:2]) == (0, [completed, "reproduced exactly"])
        altered(monkeypatch, lambda text: text.replace(",1,", ",1,9", 1))
        other = CliRunner().invoke(commands, ["reproduce", completed])
        assert other.exit_code == 1
        assert "not reproduced" in other.stdout
        assert "row 1 area_px: " in other.stdout
        machine = CliRunner().invoke(commands, ["reproduce", completed, "--json"])
        assert machine.exit_code == 1
        assert json.loads(machine.stdout)["verdict"] == "not reproduced"


def altered(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    """Let the second computation write another table."""
    real = rerun.compare

    def compare(first: Any, second: Any) -> Any:
        second.write_text(change(second.read_text("utf-8")), "utf-8")
        return real(first, second)

    monkeypatch.setattr(rerun, "compare", compare)


def test_a_last_digit_is_within_tolerance(lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nudge(text: str) -> str:
        head, first, *rest = text.splitlines()
        cells = first.split(",")
        cells[-1] = f"{float(cells[-1]) * (1 + 1e-8):.6f}"
        return "\n".join([head, ",".join(cells), *rest]) + "\n"

    altered(monkeypatch, nudge)
    found = again(lab, completed)
    assert found["verdict"] == "reproduced within tolerance"
    assert found["differences"][0]["column"] == "mean_intensity"


def test_one_nucleus_less_is_not_reproduced(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(monkeypatch, lambda text: "\n".join(text.splitlines()[:-1]) + "\n")
    found = again(lab, completed)
    assert found["verdict"] == "not reproduced"
    assert found["differences"][0] == {"row": 0, "column": "rows", "first": "20", "second": "19"}


def test_a_run_without_results_cannot_be_reproduced(lab: Lab, api: Api, method: str) -> None:
    waiting = queued(lab, method, drawn(53, 5))
    answer = api("rita").post(f"/runs/{waiting}/reproduce", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "SEQ_STATE")
    for number, status in ((lab.n["sop"], 409), ("RUN-2020-99999", 404)):
        assert api("rita").post(f"/runs/{number}/reproduce", {}).status_code == status
    assert api("").post(f"/runs/{waiting}/reproduce", {}).status_code == 401


def test_other_code_than_was_approved_reproduces_nothing(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe.registry, "code_hash", lambda: "cd" * 32)
    with refused("LINK_VER"):
        again(lab, completed)


def test_a_recorded_table_that_was_changed_is_evidence_broken_not_a_verdict(lab: Lab, method: str) -> None:
    run = done(lab, method, drawn(54, 6))
    path = lab.vault.path(results(lab, run).fields["csv"]["root"])
    with changed(path, path.read_bytes().replace(b",1,", b",2,", 1)), refused("HASH"):
        again(lab, run)


def test_a_table_whose_rows_are_not_the_recorded_rows_is_refused(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerun, "rows_root", lambda path: "00" * 32)
    with refused("EVIDENCE"):
        again(lab, completed)


def test_only_one_reproduction_is_computed_at_a_time(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reruns, inside, go = Reruns(lab.reading, lab.vault), threading.Event(), threading.Event()
    real = rerun.job_of

    def slow(*given: Any) -> Any:
        inside.set()
        assert go.wait(30)
        return real(*given)

    monkeypatch.setattr(rerun, "job_of", slow)
    verdicts: list[str] = []
    first = threading.Thread(target=lambda: verdicts.append(reruns.reproduce(lab.row(completed))["verdict"]))
    first.start()
    assert inside.wait(30)
    with refused("THROTTLED"):
        reruns.reproduce(lab.row(completed))
    go.set()
    first.join()
    assert verdicts == ["reproduced exactly"]
    assert reruns.reproduce(lab.row(completed))["verdict"] == "reproduced exactly", "the way is free again"


def test_a_computation_that_fails_again_is_said_and_frees_the_way(
    lab: Lab, completed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reruns = rerun.run, Reruns(lab.reading, lab.vault)
    with monkeypatch.context() as patch:
        patch.setattr(rerun, "run", lambda j: real(Job("os:system", j.code_hash, j.parameters, j.inputs)))
        with refused("ENVIRONMENT"):
            reruns.reproduce(lab.row(completed))
    assert reruns.reproduce(lab.row(completed))["verdict"] == "reproduced exactly"
