"""The installation verifies itself, enters what it found, and tells people where it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coverslip.anchoring.standing import tell_error
from coverslip.bootstrap import anchors, assuring, founding, labs, wiring
from coverslip.bootstrap.assuring import AnchorWatch, Verification, last_verification
from coverslip.kernel import keys
from coverslip.settings import Home
from coverslip.store.signer import Signer
from fix_lab import CHEAP, FOUNDERS, ORIGIN, SITE, secret_of

PEOPLE = tuple(
    {"username": u, "name": n, "email": f"{u}@lab.example", "roles": list(r)} for u, n, r in FOUNDERS
)


@pytest.fixture
def home(new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    root = new_home()
    monkeypatch.setattr(keys, "_COST", CHEAP)
    founding.init(
        root, founding.Founding(ORIGIN, "evaluation", SITE, PEOPLE), {u: secret_of(u) for u, *_ in FOUNDERS}
    )
    found = Home(root)
    with wiring.database(found):
        yield found


def integrate(home: Home) -> None:
    with closing(Signer(home.signer, ORIGIN)) as signer:
        sequencer = founding.sequencer_of(home, signer)
        sequencer.step()
        sequencer.close()


def alerts(lab: labs.Lab) -> list[str]:
    return [str(row.fields["kind"]) for row in lab.core.reading.in_state("alert", "open")]


def test_a_ledger_that_holds_is_entered_as_that_and_alarms_nobody(home: Home) -> None:
    with labs.lab(home) as lab:
        detail = Verification(lab).check()
        assert detail["holds"] and detail["entries"] > 50
        found = last_verification(lab)
        assert found is not None and found["detail"] == detail
        assert alerts(lab) == []
        integrate(home)
        assert Verification(lab).check()["holds"]


def test_what_is_tampered_with_is_entered_and_told_at_once(home: Home) -> None:
    with wiring.connection(home, "cs_superuser") as conn:
        conn.execute("update projection.record set title = 'Another' where type = 'site'")
    with labs.lab(home) as lab:
        detail = Verification(lab).check()
        assert not detail["holds"]
        assert "SITE-01" in " ".join(detail["first"])
        assert alerts(lab) == ["trail_verification"]


def test_it_is_done_once_a_day_and_not_while_starting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(assuring, "monotonic_s", lambda: now[0])
    with labs.lab(home) as lab:
        duty = Verification(lab)
        duty.do()
        assert last_verification(lab) is None
        now[0] += 301
        duty.do()
        first = last_verification(lab)
        assert first is not None
        now[0] += 3600
        duty.do()
        assert last_verification(lab) == first
        monkeypatch.setattr(assuring, "EVERY_H", 0)
        duty.do()
        assert last_verification(lab) != first


def test_an_anchor_that_is_too_old_is_told_once_a_day(home: Home) -> None:
    with labs.lab(home) as lab:
        integrate(home)
        watch = AnchorWatch(lab)
        watch.do()
        assert alerts(lab) == []
        with wiring.connection(home, "cs_superuser") as conn:
            # A superuser who first switches the guards off: time cannot be waited for here.
            conn.execute("alter event trigger coverslip_ddl_guard disable")
            conn.execute("alter table ledger.anchor disable trigger append_only")
            conn.execute("update ledger.anchor set obtained_at = obtained_at - interval '40 days'")
            conn.execute(
                "insert into ledger.checkpoint(log_id, size, root, note) select 1, size + 1, root, note"
                " from ledger.checkpoint order by size desc limit 1"
            )
        watch.do()
        watch.do()
        assert alerts(lab) == ["anchor"]


def severities(lab: labs.Lab) -> list[str]:
    return sorted(str(row.fields["severity"]) for row in lab.core.reading.in_state("alert", "open"))


def test_a_witness_that_holds_another_history_is_a_critical_alert(home: Home) -> None:
    with labs.lab(home) as lab:
        integrate(home)
        watch = AnchorWatch(lab)
        tell_error(anchors.errors_file(home), "home", "the witness is ahead: the log was rolled back")
        watch.do()
        assert alerts(lab) == []  # a newer checkpoint may be on its way
        watch.do()
        assert severities(lab) == ["critical"]
        watch.do()
        assert severities(lab) == ["critical"]
        again = AnchorWatch(lab)
        tell_error(anchors.errors_file(home), "home", "answered 422: it holds another history of this log: x")
        again.do()
        assert severities(lab) == ["critical"]


def test_another_history_is_told_at_once_and_an_unreachable_place_is_not_one(home: Home) -> None:
    with labs.lab(home) as lab:
        integrate(home)
        tell_error(anchors.errors_file(home), "home", "ConnectError: refused")
        AnchorWatch(lab).do()
        assert alerts(lab) == []
        tell_error(anchors.errors_file(home), "home", "answered 422: it holds another history of this log: x")
        AnchorWatch(lab).do()
        assert severities(lab) == ["critical"]


def test_an_anchor_that_never_succeeded_is_told_after_an_hour(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(assuring, "monotonic_s", lambda: now[0])
    anchors.anchors_add(home.root, {"name": "dead", "type": "file", "target": "/proc/nowhere/checkpoints"})
    with labs.lab(home) as lab:
        integrate(home)
        watch = AnchorWatch(lab)
        watch.do()
        now[0] += 3599
        watch.do()
        assert alerts(lab) == []
        now[0] += 2
        watch.do()
        watch.do()
        assert severities(lab) == ["warning"]
