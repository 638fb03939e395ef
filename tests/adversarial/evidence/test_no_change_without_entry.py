"""Through the interface nothing of a record changes without an entry: rows compared around each call."""

from __future__ import annotations

from typing import Any

from fix_story import Cast, running

STATE = "select number, version, state, md5(content::text), leaf_hash from projection.record order by 1"
RIGHTS = (
    "select person::text, kind, code, source::text, data::text from projection.authority order by 1, 2, 3, 4"
)
HEADS = "select record_id, max(version) from ledger.entry group by 1"


def test_calls_that_write_no_version_change_no_record(copy: Any) -> None:
    """Reads, previews, refusals, uploads, sign-ins, exports: each may leave events, never another content."""
    n = copy.n
    with running(copy.root) as client:
        cast = Cast(client)
        vera, alan = cast("vera", "alan")
        before, rights = copy.ask(STATE), copy.ask(RIGHTS)
        calls = [
            vera.ask("GET", f"/records/{n['run']}"),
            vera.ask("GET", f"/records/{n['run']}/view"),
            vera.ask("GET", f"/records/{n['run']}/links"),
            vera.ask("POST", "/records/preview", json={"type": "hold", "fields": {"subject": n["image1"]}}),
            vera.ask("POST", f"/records/{n['run']}/export", json={}),
            vera.ask("PUT", "/attachments/a.txt/files", content=b"x", headers={"content-type": "text/plain"}),
            alan.ask("POST", "/records", json={"type": "hold", "fields": {"subject": n["image1"]}}),
            alan.do(n["run"], "edit", interpretation="Otherwise."),
            alan.do(n["release"], "withdraw", why="I would like to."),
            alan.ask("POST", f"/records/{n['vera']}/invitation"),
            alan.ask("PUT", f"/records/{n['run']}", json={"state": "draft"}),
            alan.ask("PATCH", f"/records/{n['run']}", json={"state": "draft"}),
            alan.ask("DELETE", f"/records/{n['run']}"),
        ]
        codes = [one.status_code for one in calls]
        assert copy.ask(STATE) == before and copy.ask(RIGHTS) == rights, codes
        assert [code < 400 for code in codes] == [True] * 6 + [False] * 7, codes
    assert copy.verify() == [] and copy.replay() == []


def test_a_change_moves_version_hash_and_ledger_together(copy: Any) -> None:
    n = copy.n
    with running(copy.root) as client:
        cast = Cast(client)
        (vera,) = cast("vera")
        before, heads = dict((r[0], r[1:]) for r in copy.ask(STATE)), dict(copy.ask(HEADS))
        vera.must(n["hold"], "lift", sign=True, why="Nothing was wrong with it after all.")
        after, later = dict((r[0], r[1:]) for r in copy.ask(STATE)), dict(copy.ask(HEADS))
    changed = {number for number in after if after[number] != before.get(number)}
    assert changed == {n["hold"]}
    uid = copy.ask("select uid from projection.number where number = %s", n["hold"])[0][0]
    assert later[uid] == heads[uid] + 1 == after[n["hold"]][0]
    assert copy.verify() == [] and copy.replay() == []
