"""From a real installation to a copy: its timestamps, its witness and its changed key are in it and hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from coverslip.bootstrap import anchors, checking, rotating, wiring
from coverslip.bootstrap.labs import lab
from coverslip.kernel.events import Event
from coverslip.settings import Home
from coverslip.store import anchor_rows
from coverslip.verifier.certificates import parse_pem
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import Report
from coverslip.verifier.verify import verify_stream
from fix_witness import Served, open_witness


def export(home: Home) -> bytes:
    """Return the bundle of the installation's site, as far as it is signed."""
    with lab(home) as opened:
        exports = opened.exports()
        exports.wait_s = 0
        out = io.BytesIO()
        exports.bundle(opened.core.reading.page("site", "", "", "", 1)[0][0], opened.service(), "", out)
    return out.getvalue()


def beat(home: Home) -> None:
    """Enter a heartbeat as the keeper does, and have it signed."""
    with lab(home) as opened, opened.core.pool.connection() as conn:
        token = anchor_rows.newest_token(conn)
        opened.core.events.installation(Event("heartbeat", "heartbeat", {"token": token}), opened.service())
    checking.checkpoint(home.root)


def judged(data: bytes, keys: str, authority: Any) -> Report:
    trust = Trust.parse(keys.encode())
    return verify_stream(io.BytesIO(data), trust, tsa_roots=parse_pem(authority.maker.root.read_bytes()))


def test_a_copy_carries_what_dates_it_and_who_saw_it(founded: Home, authority: Any, tmp_path: Path) -> None:
    from coverslip.anchoring.witness import know

    old = founded.public_keys.read_text()
    folder = tmp_path / "apart"
    folder.mkdir(mode=0o700)
    know(folder, [wiring.trusted(founded)[0].vkey()])
    served = Served(open_witness(folder))
    key = served.witness.vkey()
    for given in (
        {"name": "tsa", "type": "rfc3161", "target": authority.url, "roots": str(authority.maker.root)},
        {"name": "w1", "type": "witness", "target": served.url, "vkey": key},
    ):
        anchors.anchors_add(founded.root, given)
    anchors.anchors_round(founded.root)
    beat(founded)

    first = judged(export(founded), f"{old}\n{key}\n", authority)
    assert first.exit_code == 0, first.text()
    assert any(one.startswith("The witness witness.example/w1 cosigned 1") for one in first.holds)
    assert any("have no timestamp before them" in one for one in first.not_proven)
    assert not any("have no timestamp after them" in one for one in first.not_proven)

    rotating.keys_rotate(founded.root)
    assert not any(one.get("error") for one in anchors.anchors_round(founded.root))
    second = judged(export(founded), f"{old}\n{key}\n", authority)
    assert second.exit_code == 0, second.text()
    assert any(one.startswith("Every change of the log's key") for one in second.holds)
    assert served.witness.standing()[0]["size"] > 0
    served.close()


def test_a_copy_stays_small_however_long_the_homes_own_list_is(founded: Home) -> None:
    from coverslip.exports.surroundings import TAIL, Surroundings

    checking.checkpoint(founded.root)
    one = founded.anchors.read_bytes()
    founded.anchors.write_bytes(one * 2000)
    around = Surroundings(10_000, founded.anchors, None, {})
    assert 0 < len(around["anchors/file"]) <= TAIL
    assert dict(Surroundings(1, founded.anchors, None, {})) == {}
    report = verify_stream(
        io.BytesIO(export(founded)), Trust.parse(founded.public_keys.read_bytes()), name="long"
    )
    assert report.exit_code == 0, report.text()
