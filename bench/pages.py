"""Pages of a big laboratory: what the server takes for each, at 100 000 and at 1 000 000 entries.

Rules kept here: the time is that of the whole application in its process (routing, session, door, database,
template) without a network; every request asks for another record, word or page where there are others; one
caller, so that nothing queues; the 95th percentile of many. The laboratory is ``bench.biglab``.
"""

from __future__ import annotations

import importlib
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench.biglab import big_laboratory, text
from bench.crowd import review_of_images
from bench.lab import fixtures
from bench.rows import Row, Size, at_most, ratio

LIMIT_MS: Final = 200.0
GROWTH: Final = 1.5
ASKED: Final = 60
"""Requests of each page that count; a tenth as many are made before."""
KINDS: Final = ("specimen", "acquisition_session", "comment", "incident", "deviation")


def measure(size: Size) -> list[Row]:
    """Return p95 of each page at both sizes, against the limit and against each other."""
    small, large = measured(size.entries_before), measured(size.entries)
    rows = []
    for name, value in large.items():
        rows.append(at_most(f"page {name}, p95, {_many(size.entries)} entries", value, "ms", LIMIT_MS))
        rows.append(
            ratio(
                f"page {name}, p95, {_many(size.entries)} entries", value, "ms",
                f"{_many(size.entries_before)} entries", small[name], most=GROWTH,
            )
        )  # fmt: skip
    return rows


def measured(entries: int) -> dict[str, float]:
    """Return the p95 (ms) of each page in a laboratory of so many entries."""
    with big_laboratory(entries) as lab:
        return of(lab)


def of(lab: Any) -> dict[str, float]:
    """Return the p95 (ms) of each page of a laboratory."""
    fixtures()
    pages = importlib.import_module("fix_pages")
    app = importlib.import_module("coverslip.bootstrap.faces").faces(lab.services())
    people = ("quinn", "rita", "alan")
    visitors = {name: pages.Visitor(app, name, lab.person(name).token) for name in people}
    found = {}
    for name, (who, paths) in _asked(lab).items():
        api = {"Authorization": f"Bearer {lab.person(who).token}"}
        found[name] = _p95(visitors[who], paths, api)
        load = f"{found[name]:.1f} ms, load {os.getloadavg()[0]:.1f}"
        print(f"   {lab.entries()} entries: {name} {load}", file=sys.stderr, flush=True)
    return found


def _p95(visitor: Any, paths: Iterator[str], api: dict[str, str]) -> float:
    taken = []
    for n in range(ASKED + ASKED // 10):
        path = next(paths)
        begin = time.perf_counter()
        answer = visitor.get(path, headers=api if path.startswith("/api/") else None)
        passed = time.perf_counter() - begin
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if n >= ASKED // 10:
            taken.append(passed)
    return statistics.quantiles(taken, n=20)[-1] * 1e3


def _asked(lab: Any) -> dict[str, tuple[str, Iterator[str]]]:
    """Return what is asked: name -> (by whom, addresses without end)."""
    noise = random.Random(11)
    numbers = [
        row[0]
        for row in lab.ask(
            "select number from projection.record where type = any(%s) and version = 10"
            " order by md5(number) limit 500", list(KINDS),
        )
    ]  # fmt: skip
    uids = {name: lab.row(lab.number_of(name)).uid for name in ("alan", "olga", "quinn", "mia")}
    _, case = lab.new_review()
    lab.rita.do(case, "start")
    plate = review_of_images(lab)
    subjects = (lab.n["study"], lab.n["calibration"], f"{lab.n['sop']}v1", lab.n["instrument"])
    people, roles = [lab.number_of(name) for name in ("alan", "olga", "quinn")], ("ANL", "REV", "AUT")

    def each(make: Callable[[], str]) -> Iterator[str]:
        while True:
            yield make()

    def api_list() -> str:
        sort = noise.choice(("-changed_at", "number", "-created_at", "title", "state"))
        return f"/api/v1/records?count=true&limit=50&sort={sort}&type={noise.choice(KINDS)}"

    def words() -> str:
        typed = noise.choice((text(noise, 2), text(noise, 1), noise.choice(numbers), "alan", "shelf 44"))
        return typed.replace(" ", "+")

    def trail() -> str:
        return noise.choice(
            (
                "", f"?person={noise.choice(list(uids.values()))}", f"?kind={noise.choice(KINDS)}",
                f"?record={noise.choice(numbers)}",
            )
        )  # fmt: skip

    return {
        "list": ("alan", each(lambda: f"/types/{noise.choice(KINDS)}")),
        "list with count, sorted": ("alan", each(api_list)),
        "list of every type": ("alan", each(lambda: "/api/v1/records?count=true&limit=50")),
        "list by text": ("alan", each(lambda: f"/api/v1/records?count=true&limit=50&q={words()}")),
        "detail": ("alan", each(lambda: f"/r/{noise.choice(numbers)}")),
        "trail of a record": ("alan", each(lambda: f"/r/{noise.choice(numbers)}/audit")),
        "trail of everything": ("quinn", each(lambda: f"/api/v1/trail{trail()}")),
        "search": ("alan", each(lambda: f"/api/v1/search?q={words()}")),
        "reviews": ("rita", each(lambda: "/review")),
        "review": ("rita", each(lambda: f"/review/{case}")),
        "review of 60 images": ("rita", each(lambda: f"/review/{plate}")),
        "my work": ("quinn", each(lambda: "/work")),
        "study named by many": ("alan", each(lambda: f"/studies/{lab.n['study']}")),
        "record named by many": ("alan", each(lambda: f"/r/{noise.choice(subjects)}/record")),
        "related, named by many": ("alan", each(lambda: f"/r/{noise.choice(subjects)}/related")),
        "related, of one type": (
            "alan",
            each(lambda: f"/r/{noise.choice(subjects)}/related?type={noise.choice(KINDS)}"),
        ),
        "lineage, named by many": ("alan", each(lambda: f"/r/{noise.choice(subjects)}/lineage")),
        "lineage": ("alan", each(lambda: f"/r/{noise.choice(numbers)}/lineage")),
        "retention": ("alan", each(lambda: f"/r/{noise.choice(numbers)}/retention")),
        "retention, named by many": ("alan", each(lambda: f"/r/{noise.choice(subjects)}/retention")),
        "document": ("alan", each(lambda: f"/documents/{lab.n['sop']}v1")),
        "training": ("quinn", each(lambda: "/training")),
        "training of the next": ("quinn", each(lambda: f"/training?start={20 * noise.randrange(7)}")),
        "training of a role": ("quinn", each(lambda: f"/training?role={noise.choice(roles)}")),
        "gaps in training": ("quinn", each(lambda: "/training/gaps")),
        "people": ("quinn", each(lambda: "/admin/people")),
        "person": ("quinn", each(lambda: f"/admin/people/{noise.choice(people)}")),
        "audit": ("quinn", each(lambda: f"/audit{trail()}")),
    }


def _many(entries: int) -> str:
    return f"{entries:,}".replace(",", " ")
