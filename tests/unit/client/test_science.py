"""A scientist's day in Python, at a laboratory that runs: find, fetch with hashes checked, ask for a run."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coverslip.client import (
    Coverslip,
    EvidenceError,
    FaultError,
    MisuseError,
    NotFoundError,
    RefusedError,
    ask_on_terminal,
    results,
)
from coverslip.ledger.tree import EMPTY_ROOT
from fix_science import Served
from fix_story import secret_of

Sits = Callable[..., None]


@pytest.fixture
def cs(science: Served) -> Iterator[Coverslip]:
    with science.as_("alan") as found:
        yield found


# --- finding ---------------------------------------------------------------------------------------


def test_a_search_is_that_of_the_pages_best_first(cs: Coverslip, science: Served) -> None:
    first = cs.search(science.n["run"])[0]
    assert (first.number, first.type, first.found_in) == (science.n["run"], "analysis_run", "number")
    assert first.title == "Nuclei per field"
    begun = cs.search(science.n["run"][:-1], limit=5)
    assert science.n["run"] in {one.number for one in begun}
    assert len(begun) <= 5
    assert cs.search(science.n["run"], type="image") == []


def test_a_record_is_read_whole_by_its_number(cs: Coverslip, science: Served) -> None:
    found = cs.record(science.n["run"])
    assert (found.number, found.type, found.title) == (science.n["run"], "analysis_run", "Nuclei per field")
    assert found["study"]["number"] == science.n["study"] and found.version >= 1


@pytest.mark.parametrize("limit", [0, 101])
def test_a_search_that_asks_for_too_many_is_refused(cs: Coverslip, limit: int) -> None:
    with pytest.raises(MisuseError):
        cs.search("plate", limit=limit)


def test_an_empty_search_is_refused_and_a_vain_one_is_empty(cs: Coverslip) -> None:
    with pytest.raises(MisuseError):
        cs.search("  ")
    assert cs.search("no record has this title") == []


def test_records_of_a_type_are_filtered_by_state_and_by_fields(cs: Coverslip, science: Served) -> None:
    images = cs.find("image", where={"study": science.n["study"]})
    assert {one.number for one in images} >= {science.n[f"image{i}"] for i in (1, 2, 3)}
    assert {one.state for one in cs.find("image", state="available")} == {"available"}
    assert cs.find("image", where={"study": "STU-9999-001"}) == []
    assert len(cs.find("image", limit=2)) == 2 and len(cs.find("image", where={"kind": "raw"}, limit=1)) == 1
    held = {one.number: one.on_hold for one in images}
    assert held[science.n["image3"]] == (science.n["hold"],) and held[science.n["image1"]] == ()


def test_a_type_that_is_not_there_is_not_found(cs: Coverslip) -> None:
    with pytest.raises(NotFoundError):
        cs.find("spaceship")
    with pytest.raises(NotFoundError):
        cs.table("spaceship")


def test_a_table_of_records_has_types_and_says_where_it_is_from(cs: Coverslip, science: Served) -> None:
    table = cs.table("image", state="available")
    assert {science.n["image1"], science.n["image2"]} <= set(table["number"])
    assert all(str(table[name].dtype).endswith("UTC]") for name in ("acquired_at", "created_at"))
    assert table["bit_depth"].dtype == "Int64" and table["pixel_size_x_um"].dtype == "float64"
    assert set(table["study"]) == {science.n["study"]}
    assert table.attrs["type"] == "image" and table.attrs["server"] == science.server
    assert len(table.attrs["definition"]) == 64


def test_a_table_of_nothing_has_its_columns(cs: Coverslip) -> None:
    table = cs.table("image", text="no image has this name")
    assert len(table) == 0 and {"number", "state", "acquired_at"} <= set(table.columns)


# --- results ---------------------------------------------------------------------------------------


def test_results_of_a_run_are_its_whole_table_with_units_and_hashes(cs: Coverslip, science: Served) -> None:
    record = cs.records.show(science.n["results"])["fields"]
    table = cs.results(science.n["run"])
    assert len(table) == record["row_count"] > 0
    assert table["label"].dtype == table["area_px"].dtype == "int64"
    assert table["centroid_y_px"].dtype == "float64"
    assert set(table["image"]) == {science.n["image1"]}
    said = table.attrs
    assert (said["record"], said["run"], said["method"]) == (
        science.n["results"], science.n["run"], f"{science.n['method']} v1",
    )  # fmt: skip
    assert said["units"]["area_px"] == "px" and "image" not in said["units"]
    assert said["rows_root"] == record["row_hashes_root"] and said["sha256"] == record["table"]["sha256"]
    assert said["state"] == "final"


def test_the_count_reviewed_is_the_number_of_rows(cs: Coverslip, science: Served) -> None:
    summary = cs.summary(science.n["results"])
    (count,) = summary.loc[summary["quantity_name"] == "count", "value"]
    assert count == len(cs.results(science.n["results"]))
    assert summary.attrs["units"] == {"count": "1"} and summary["value"].dtype == "float64"


def test_exact_text_is_what_was_hashed(cs: Coverslip, science: Served) -> None:
    exact, rounded = cs.results(science.n["run"], exact=True), cs.results(science.n["run"])
    assert all(len(text.partition(".")[2]) == 6 for text in exact["mean_intensity"])
    assert list(exact["mean_intensity"].astype("float64")) == list(rounded["mean_intensity"])


def test_a_record_without_results_is_refused(cs: Coverslip, science: Served) -> None:
    with pytest.raises(MisuseError):
        cs.results(science.n["study"])
    with pytest.raises(NotFoundError):
        cs.results("RUN-1999-00001")


class Bent:
    """A stream whose bytes are replaced on their way."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __enter__(self) -> Bent:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def iter_bytes(self, _: int) -> Iterator[bytes]:
        yield self.data


def _original(cs: Coverslip, number: str) -> bytes:
    with cs._transport.stream("GET", f"/records/{number}/files/results.parquet") as response:
        return response.read()


def test_bytes_bent_on_the_wire_are_no_results(
    cs: Coverslip, science: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _original(cs, science.n["results"])
    for bent in (data[:-1], data[:9] + bytes([data[9] ^ 1]) + data[10:], data + b"\0", b""):
        monkeypatch.setattr(cs._transport, "stream", lambda *_, bent=bent, **__: Bent(bent))
        with pytest.raises(EvidenceError):
            cs.results(science.n["results"])


def test_rows_that_have_another_root_are_no_results(
    cs: Coverslip, science: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pq.read_table(io.BytesIO(_original(cs, science.n["results"])))
    areas = pa.array([value + 1 for value in table["area_px"].to_pylist()], pa.int64())
    for changed in (table.set_column(2, "area_px", areas), table.slice(1), table.take([1, 0])):
        out = io.BytesIO()
        pq.write_table(changed, out)
        monkeypatch.setattr(cs._transport, "stream", lambda *_, out=out, **__: Bent(out.getvalue()))
        monkeypatch.setattr("coverslip.client.results.same_file", lambda *_: None)
        with pytest.raises(EvidenceError):
            cs.results(science.n["results"])


def test_a_table_without_rows_has_its_columns(
    cs: Coverslip, science: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = pq.read_table(io.BytesIO(_original(cs, science.n["results"]))), io.BytesIO()
    pq.write_table(table.slice(0, 0), out)
    record = results.result_record(cs.records, science.n["results"])
    record["fields"] |= {"row_count": 0, "row_hashes_root": EMPTY_ROOT.hex()}
    monkeypatch.setattr(cs._transport, "stream", lambda *_, **__: Bent(out.getvalue()))
    monkeypatch.setattr(results, "same_file", lambda *_: None)
    monkeypatch.setattr(results, "result_record", lambda *_: record)
    assert list(cs.results(science.n["results"]).columns) == table.column_names


def test_without_a_table_the_same_rows_come_from_the_csv(
    cs: Coverslip, science: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = cs.results(science.n["results"])
    record = results.result_record(cs.records, science.n["results"])
    del record["fields"]["table"]
    monkeypatch.setattr(results, "result_record", lambda *_: record)
    found = cs.results(science.n["results"])
    pd.testing.assert_frame_equal(found, expected)
    assert found.attrs["file"] == "results.csv"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [(["1", "-20"], "int64"), (["1", "2.50"], "float64"), (["007", "008"], "str"), (["1", "A2"], "str")],
)
def test_text_that_is_no_plain_number_stays_text(texts: list[str], kind: str) -> None:
    column = results._column(pd, texts, False)
    assert str(column.dtype) == kind and (kind != "str" or list(column) == texts)


@pytest.mark.parametrize("package", ["pandas", "pyarrow.parquet"])
def test_without_the_extra_results_say_what_is_missing(
    cs: Coverslip, science: Served, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MisuseError) as caught:
        cs.results(science.n["run"])
    assert "coverslip[science]" in caught.value.remedy


# --- runs ------------------------------------------------------------------------------------------


def test_a_run_on_chosen_images_is_signed_for_computed_by_the_server_and_counted(
    cs: Coverslip, science: Served, keyboard: Sits, capsys: pytest.CaptureFixture[str]
) -> None:
    keyboard("alan")
    seen: list[str] = []
    method = f"{science.n['method']} v1"
    with cs.run(
        method=method, images=[science.n["image1"]], rule="The first field of the plate.",
        ask=ask_on_terminal, timeout_s=120, progress=lambda state, _: seen.append(state),
    ) as run:  # fmt: skip
        assert run.number.startswith("RUN-") and run.state in ("queued", "running")
    assert run.state == seen[-1] == "completed"
    assert "I chose these images before seeing any result." in capsys.readouterr().out
    table = run.results()
    assert set(table["image"]) == {science.n["image1"]} and table.attrs["state"] == "provisional"
    assert len(run.summary()) == 1
    chosen = cs.records.show(run.record["fields"]["image_set"]["number"])
    assert chosen["state"] == "used" and chosen["signatures"][0]["meaning"] == "executed"


def test_a_second_run_on_the_same_set_is_refused_before_anything_starts(
    cs: Coverslip, science: Served
) -> None:
    run = cs.run(method=f"{science.n['method']} v1", images=science.n["set"])
    with pytest.raises(RefusedError, match="allows 1 run"):
        run.start()
    assert run.number == ""


def test_images_without_a_rule_or_a_signature_make_no_set(cs: Coverslip, science: Served) -> None:
    before = {one.number for one in cs.find("image_set")}
    for more in ({}, {"rule": "All."}, {"ask": ask_on_terminal}):
        with pytest.raises(MisuseError):
            cs.run(method="AM-0001 v1", images=[science.n["image1"]], **more)  # type: ignore[arg-type]
    with pytest.raises(MisuseError):
        cs.run(method="AM-0001 v1", images=[])
    assert {one.number for one in cs.find("image_set")} == before


def test_a_wrong_password_freezes_nothing(cs: Coverslip, science: Served, keyboard: Sits) -> None:
    keyboard("alan", "not the password of alan")
    with pytest.raises(RefusedError) as caught:
        cs.run(
            method=f"{science.n['method']} v1", images=[science.n["image1"]], rule="All.", ask=ask_on_terminal
        )
    assert caught.value.code == "SIG_REAUTH"
    assert [one.state for one in cs.find("image_set", state="open")][:1] == ["open"]


def test_a_run_that_takes_longer_than_asked_goes_on(cs: Coverslip, science: Served) -> None:
    run = cs.run(method="AM-0001 v1", images=science.n["set"], timeout_s=0)
    with pytest.raises(MisuseError):
        run.wait()
    run.number = science.n["run"]
    assert run.wait().state == "accepted"
    states = iter(["queued"])
    run._records = _Records(lambda: next(states))  # type: ignore[assignment]
    with pytest.raises(FaultError, match="queued"):
        run.wait()


class _Records:
    def __init__(self, state: Callable[[], str]) -> None:
        self._state = state

    def show(self, number: str) -> dict[str, Any]:
        return {"number": number, "state": self._state(), "fields": {"error": "out of memory"}}


def test_a_run_that_failed_says_why(cs: Coverslip, science: Served) -> None:
    run = cs.run(method="AM-0001 v1", images=science.n["set"])
    run.number = "RUN-2026-00099"
    run._records = _Records(lambda: "failed")  # type: ignore[assignment]
    with pytest.raises(FaultError, match="out of memory"):
        run.wait()


# --- signing in ------------------------------------------------------------------------------------


def test_connecting_asks_who_and_ends_the_session_with_the_block(
    science: Served, keyboard: Sits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERSLIP_TOKEN", raising=False)
    monkeypatch.delenv("COVERSLIP_USER", raising=False)
    keyboard("alan")
    with Coverslip.connect(science.server) as cs:
        token = cs._transport.token
        assert cs.me()["username"] == "alan"
        assert token not in repr(cs) and secret_of("alan") not in repr(vars(cs))
    with Coverslip(science.server, token=token) as again, pytest.raises(RefusedError):
        again.me()


def test_a_token_of_the_environment_is_used_and_its_session_goes_on(
    science: Served, cs: Coverslip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_TOKEN", cs._transport.token)
    with Coverslip.connect(science.server) as other:
        assert other.me()["username"] == "alan" and cs._transport.token not in repr(other)
    assert cs.me()["username"] == "alan"


def test_a_token_or_password_that_does_not_hold_is_refused_at_once(
    science: Served, keyboard: Sits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_TOKEN", "00" * 32)
    with pytest.raises(RefusedError):
        Coverslip.connect(science.server)
    monkeypatch.delenv("COVERSLIP_TOKEN")
    keyboard("alan", "not the password of alan")
    with pytest.raises(RefusedError):
        Coverslip.connect(science.server, username="alan")


def test_nobody_at_the_keyboard_is_a_misuse(science: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: str = "") -> str:
        raise EOFError

    monkeypatch.delenv("COVERSLIP_TOKEN", raising=False)
    monkeypatch.setattr("builtins.input", nobody)
    monkeypatch.setattr("coverslip.client.connecting.getpass", nobody)
    for username in ("", "alan"):
        with pytest.raises(MisuseError):
            Coverslip.connect(science.server, username=username)


def test_an_error_inside_the_block_is_the_one_that_is_seen(science: Served, keyboard: Sits) -> None:
    keyboard("alan")
    with pytest.raises(ZeroDivisionError), Coverslip.connect(science.server) as cs:
        cs._transport.token = "00" * 32  # the session is lost meanwhile
        _ = 1 / 0


def test_pandas_keeps_what_a_table_stands_on(cs: Coverslip, science: Served, tmp_path: Any) -> None:
    cs.results(science.n["run"]).to_parquet(tmp_path / "mine.parquet")
    assert pd.read_parquet(tmp_path / "mine.parquet").attrs["record"] == science.n["results"]
