"""An export that fails at its entry: no copy without one, nothing left behind, and it can be repeated."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.bootstrap.founding import sequencer_of
from coverslip.bootstrap.labs import Lab as Opened, lab as open_lab
from coverslip.errors import EnvironmentFault
from fix_faults import FaultyPort, Points
from fix_lab import Lab


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path


def sign(lab: Lab) -> None:
    """Integrate and sign whatever waits."""
    sequencer = sequencer_of(lab.home, lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


@pytest.fixture
def opened(lab: Lab) -> Iterator[Opened]:
    """The laboratory as a serving process has it, with everything signed."""
    assert lab.quinn.context.person  # signing in is an entry, and waits to be signed too
    sign(lab)
    with open_lab(lab.home) as found:
        yield found


def entries(lab: Lab) -> int:
    return int(
        lab.ask(
            "select count(*) from ledger.entry where convert_from(leaf, 'UTF8')::jsonb ->> 'type' = 'export'"
        )[0][0]
    )


@pytest.mark.parametrize(("how", "entered"), [("fail_before", 0), ("fail_after", 1)])
def test_an_export_whose_entry_failed_hands_nothing_out_and_can_be_repeated(
    lab: Lab, opened: Opened, private: Path, how: str, entered: int
) -> None:
    row, before = lab.row("SITE-01"), entries(lab)
    exports = opened.exports()
    events: Any = exports._events
    exports._events = FaultyPort(events, Points(0, how), "events", ("record",))  # type: ignore[assignment]
    with pytest.raises(EnvironmentFault, match="TRAIL_UNAVAILABLE"):
        exports.bundle(row, lab.quinn.context, "", io.BytesIO())
    assert entries(lab) == before + entered
    assert list(private.iterdir()) == []
    sign(lab)
    out = io.BytesIO()
    exports.bundle(row, lab.quinn.context, "", out)
    assert entries(lab) == before + entered + 1
    assert zipfile.ZipFile(out).testzip() is None
