"""Lineage: what a record stands on and what stands on it, laid out left to right, one lane for each kind.

Rules kept here:

* The layout is the server's: numbers in attributes, no script, no style. Every box is a link, and the table
  says the same as the graph, row for row.
* Many records of one type in a lane are one box that says how many; the table still lists each.
* Of what stands on a record the newest of each type are there. What is left out is named, with where it is.
* More than ``MOST_NODES`` records: the table is what is shown first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from coverslip.kernel.rows import Row

MOST_NODES = 60
MOST_ROWS = 1000
SEVERAL = 6
"""From so many records of one type in one lane on, they are one box."""
UP, DOWN = 3, (60, 10)
"""Steps to what a record stands on; for each step to what stands on it, how many of a type are there."""
MOST_FOLLOWED = 20
"""Records of a step from which the next one goes on."""
LANES = ("Origin", "Images", "Method", "Analysis", "Use")
_LANE = {
    "image": 1, "image_set": 1, "acquisition_session": 1, "annotation": 1, "calibration": 1,
    "analysis_method": 2, "algorithm": 2, "parameter_set": 2, "reprocessing_request": 2, "oos": 2,
    "analysis_run": 3,
    "result_set": 4, "report": 4, "review_case": 4, "release_decision": 4, "deviation": 4, "anomaly": 4,
    "ncr": 4,
}  # fmt: skip
_BESIDE = frozenset({"user", "role", "site", "comment", "tag", "watch", "attachment", "alert", "hold"})
_WIDTH, _HEIGHT, _GAP, _TOP = 168, 52, 18, 34
_LANE_WIDTH = 214


class Reading(Protocol):
    """Reading records by what they link to."""

    def rows_of(self, wanted: Any) -> list[Row]:
        """Return the records of these (type, uid)."""
        ...

    def linked_some(
        self, uids: Collection[str], each: int, without: Collection[str] = ()
    ) -> list[tuple[str, Row]]:
        """Return (uid linked to, record) of what links to these, of every type the newest ``each``."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """One box: ``rows`` it stands for (several of one type), its place, whether it is what was asked for."""

    key: str
    rows: tuple[Row, ...]
    lane: int
    x: int
    y: int
    now: bool
    newest: bool = False
    """Whether there are more of its type than it stands for."""

    @property
    def row(self) -> Row:
        """The first record it stands for."""
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Edge:
    """One line, from what is named to what names it; ``hot`` where it leads to the record asked for."""

    path: str
    hot: bool


@dataclass(frozen=True)
class Lineage:
    """What was found: boxes and lines with places, and every record and link for the table."""

    nodes: list[Node]
    edges: list[Edge]
    rows: list[tuple[str, Row, list[str]]]
    """(lane, record, labels of what it stands on), in order of lanes."""
    lanes: list[tuple[str, int]]
    width: int
    height: int
    more: bool
    left: list[tuple[Row, str]]
    """(record, type) where more of a type stand on a record than are here."""

    @property
    def table_first(self) -> bool:
        """Whether there is too much for a graph to be read."""
        return len(self.rows) > MOST_NODES


def lineage(reading: Reading, row: Row) -> Lineage:
    """Return the lineage of any record: 3 steps of what it stands on, 2 of what stands on it."""
    found, pairs, left, more = _gathered(reading, row)
    lanes = {uid: _lane(one, row) for uid, one in found.items()}
    # What comes later may be named by what it came from, as results by their run: it stands on it even so.
    pairs = {(a, b) if lanes[a] <= lanes[b] else (b, a) for a, b in pairs}
    nodes = list(_placed(row, found, lanes, {kind for _, kind in left}))
    of = {one.uid: node for node in nodes for one in node.rows}
    lines = {(of[a].key, of[b].key) for a, b in pairs if of[a].key != of[b].key}
    by_key = {node.key: node for node in nodes}
    hot = _leading({(a, b) for a, b in lines}, of[row.uid].key)
    edges = [Edge(_curve(by_key[a], by_key[b]), (a, b) in hot) for a, b in sorted(lines)]
    used = sorted(set(lanes.values()))
    depth = max(sum(1 for n in nodes if n.lane == lane) for lane in used)
    stands_on: dict[str, list[str]] = {uid: [] for uid in found}
    for source, user in pairs:
        stands_on[user].append(found[source].label)
    table = [
        (LANES[lanes[uid]], found[uid], sorted(set(stands_on[uid])))
        for uid in sorted(found, key=lambda u: (lanes[u], found[u].type, found[u].label))
    ]
    return Lineage(
        nodes, edges, table, [(LANES[lane], used.index(lane) * _LANE_WIDTH + 8) for lane in used],
        len(used) * _LANE_WIDTH, _TOP + depth * (_HEIGHT + _GAP), more, left,
    )  # fmt: skip


def _gathered(
    reading: Reading, row: Row
) -> tuple[dict[str, Row], set[tuple[str, str]], list[tuple[Row, str]], bool]:
    """Return records by uid, (uid stood on, uid that stands on it), what is left out, whether anything is."""
    found, pairs = {row.uid: row}, set()
    edge = [row]
    for _ in range(UP):
        links = [(one, pair) for one in edge for pair in targets(one) if pair[0] not in _BESIDE]
        new = reading.rows_of([pair for _, pair in links if pair[1] not in found][:MOST_ROWS])
        found |= {one.uid: one for one in new}
        pairs |= {(pair[1], one.uid) for one, pair in links if pair[1] in found}
        edge = new
    left, more, edge = list[tuple[Row, str]](), len(found) >= MOST_ROWS, [row]
    for each in DOWN:
        more = more or len(edge) > MOST_FOLLOWED
        edge, hidden = _following(reading, edge[:MOST_FOLLOWED], each, found, pairs)
        left += hidden
    more = more or bool(left) or len(found) >= MOST_ROWS
    return found, {(a, b) for a, b in pairs if a != b}, left, more


def _following(
    reading: Reading, edge: list[Row], each: int, found: dict[str, Row], pairs: set[tuple[str, str]]
) -> tuple[list[Row], list[tuple[Row, str]]]:
    """Add what stands on the records of an edge; return what is new, and what is left out."""
    known, counts = {one.uid: one for one in edge}, dict[tuple[str, str], int]()
    following = list[Row]()
    for uid, user in reading.linked_some(list(known), each + 1, _BESIDE):
        counts[uid, user.type] = counts.get((uid, user.type), 0) + 1
        if counts[uid, user.type] > each or len(found) >= MOST_ROWS:
            continue
        pairs.add((uid, user.uid))
        if user.uid not in found:
            found[user.uid] = user
            following.append(user)
    return following, [(known[uid], kind) for (uid, kind), n in counts.items() if n > each]


def targets(row: Row) -> Iterator[tuple[str, str]]:
    """Yield (type, uid) of every record that one links to."""
    for value in row.fields.values():
        for item in value if isinstance(value, list) else [value]:
            for link in [item, *(item.values() if isinstance(item, dict) else ())]:
                if isinstance(link, dict) and {"type", "uid", "number"} <= set(link):
                    yield str(link["type"]), str(link["uid"])


def _lane(one: Row, centre: Row) -> int:
    return _LANE.get(one.type, 0) if one.uid != centre.uid else _LANE.get(one.type, 3)


def _placed(
    centre: Row, found: Mapping[str, Row], lanes: Mapping[str, int], left: Collection[str]
) -> Iterator[Node]:
    used = sorted(set(lanes.values()))
    for column, lane in enumerate(used):
        here = sorted((r for u, r in found.items() if lanes[u] == lane), key=lambda r: (r.type, r.label))
        for place, rows in enumerate(_boxes(here, centre)):
            x, y = column * _LANE_WIDTH + 8, _TOP + place * (_HEIGHT + _GAP)
            newest = len(rows) > 1 and rows[0].type in left
            yield Node(rows[0].uid, rows, lane, x, y, rows[0].uid == centre.uid, newest)


def _boxes(rows: Iterable[Row], centre: Row) -> Iterator[tuple[Row, ...]]:
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        if row.uid == centre.uid:
            yield (row,)
        else:
            by_type.setdefault(row.type, []).append(row)
    for several in by_type.values():
        if len(several) >= SEVERAL:
            yield tuple(several)
        else:
            yield from ((row,) for row in several)


def _leading(lines: set[tuple[str, str]], key: str) -> set[tuple[str, str]]:
    """Return the lines on a way to a box."""
    found: set[tuple[str, str]] = set()
    edge, seen = {key}, {key}
    while edge:
        new = {line for line in lines if line[1] in edge} - found
        found |= new
        edge = {a for a, _ in new} - seen
        seen |= edge
    return found


def _curve(a: Node, b: Node) -> str:
    """Return the path of a line: from the right of one box to the left of the next, or around in one lane."""
    x1, y1 = a.x + _WIDTH, a.y + _HEIGHT // 2
    x2, y2 = b.x, b.y + _HEIGHT // 2
    if a.lane == b.lane:
        return f"M{x1} {y1} C{x1 + 26} {y1} {x1 + 26} {y2} {x1 + 2} {y2}"
    return f"M{x1} {y1} C{(x1 + x2) // 2} {y1} {(x1 + x2) // 2} {y2} {x2 - 3} {y2}"
