"""A lineage shows every record once, in a graph and in a table that say the same."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from coverslip.kernel.rows import Row
from coverslip.web.app import create_pages
from coverslip.web.lineage import MOST_NODES, lineage
from coverslip.web.serving import Serving
from fix_caller import TestClient
from fix_lab import Lab
from fix_rules import row as made


@dataclass
class Known:
    """Records that link to each other, by uid."""

    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, kind: str, number: str, *on: str) -> Row:
        fields = {f"f{n}": self._link(uid) for n, uid in enumerate(on)}
        self.rows[number] = made(number, fields, kind=kind)
        return self.rows[number]

    def _link(self, uid: str) -> dict[str, Any]:
        return {"type": self.rows[uid].type, "uid": uid, "number": uid}

    def rows_of(self, wanted: Collection[tuple[str, str]]) -> list[Row]:
        return [self.rows[uid] for _, uid in dict.fromkeys(wanted) if uid in self.rows]

    def linked_some(
        self, uids: Collection[str], each: int, without: Collection[str] = ()
    ) -> list[tuple[str, Row]]:
        found = [
            (uid, r)
            for uid in uids
            for r in reversed(self.rows.values())
            if r.type not in without and any(v["uid"] == uid for v in r.fields.values())
        ]
        kept: dict[tuple[str, str], list[Row]] = {}
        for uid, row in found:
            kept.setdefault((uid, row.type), []).append(row)
        return [(uid, row) for (uid, _), rows in kept.items() for row in rows[:each]]


def small() -> Known:
    known = Known()
    known.add("study", "STU-1")
    known.add("image", "IMG-1", "STU-1")
    known.add("image_set", "SET-1", "IMG-1", "STU-1")
    known.add("analysis_method", "MTH-1")
    known.add("analysis_run", "RUN-1", "SET-1", "MTH-1")
    known.add("result_set", "RES-1", "RUN-1")
    return known


def test_what_a_record_stands_on_is_left_of_it_and_what_stands_on_it_right() -> None:
    known = small()
    found = lineage(known, known.rows["RUN-1"])
    x = {n.row.number: n.x for n in found.nodes}
    assert x["STU-1"] < x["IMG-1"] == x["SET-1"] < x["MTH-1"] < x["RUN-1"] < x["RES-1"]
    assert [n.row.number for n in found.nodes if n.now] == ["RUN-1"]
    assert [name for name, _ in found.lanes] == ["Origin", "Images", "Method", "Analysis", "Use"]
    assert not found.table_first


def test_the_way_that_leads_to_the_record_is_marked_and_what_follows_is_not() -> None:
    known = small()
    found = lineage(known, known.rows["RUN-1"])
    assert sum(e.hot for e in found.edges) == len(found.edges) - 1, "all but the line to the results"


def test_the_table_lists_every_record_that_the_graph_draws_together() -> None:
    known = small()
    many = [f"IMG-{n:03}" for n in range(2, 80)]
    for number in many:
        known.add("image", number, "STU-1")
    known.add("image_set", "SET-2", *many)
    known.add("analysis_run", "RUN-2", "SET-2", "MTH-1")
    found = lineage(known, known.rows["RUN-2"])
    images = [n for n in found.nodes if n.row.type == "image"]
    assert [len(n.rows) for n in images] == [78], "one box"
    assert {r.number for _, r, _ in found.rows} >= set(many)
    assert found.table_first, f"more than {MOST_NODES}"
    stands_on = {r.number: on for _, r, on in found.rows}
    assert stands_on["RUN-2"] == ["MTH-1", "SET-2"]


def test_no_two_boxes_lie_on_each_other() -> None:
    known = small()
    found = lineage(known, known.rows["RUN-1"])
    places = [(n.x, n.y) for n in found.nodes]
    assert len(set(places)) == len(places)
    assert all(0 <= n.x <= found.width - 168 and 0 <= n.y <= found.height - 52 for n in found.nodes)


def test_a_circle_of_links_ends() -> None:
    known = Known()
    known.add("study", "STU-1")
    known.add("image", "IMG-1", "STU-1")
    known.rows["STU-1"].fields["back"] = known._link("IMG-1")
    assert len(lineage(known, known.rows["IMG-1"]).nodes) == 2


def _page(lab: Lab, path: str) -> str:
    client = TestClient(create_pages(lab.services()), cookies={Serving().cookie: lab.rita.token})
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_run_shows_its_lineage_its_results_and_every_run_on_its_set(lab: Lab) -> None:
    run, _ = lab.new_review()
    text = _page(lab, f"/r/{run}")
    chosen = lab.row(run).fields["image_set"]["number"]
    results = lab.row(run).fields["results"]["number"]
    for part in (chosen, results, "Lineage graph", "A01, count", "12 (no limit)", "Reproduction"):
        assert part in text
    table = _page(lab, f"/runs/{run}?show=table")
    assert "Stands on" in table
    assert '<svg class="graph lin"' not in table
    assert "style=" not in text
    assert not re.search(r"\son\w+=", text)


def test_any_record_has_a_lineage(lab: Lab) -> None:
    assert lab.n["study"] in _page(lab, f"/r/{lab.n['study']}/lineage")
    assert "Lineage graph" in _page(lab, f"/r/{lab.n['method']}/lineage?show=graph")


def test_what_is_no_run_has_no_run_page(lab: Lab) -> None:
    client = TestClient(create_pages(lab.services()), cookies={Serving().cookie: lab.rita.token})
    assert client.get(f"/runs/{lab.n['study']}").status_code == 404
