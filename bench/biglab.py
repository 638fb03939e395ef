"""A big laboratory: tens of thousands of records and a million entries, all through the one door.

Rules kept here:

* Up to ``DECIDED`` every entry was decided: records are made and changed by bulk commands of people who may,
  with titles, texts, types and people varied. Beyond, whole records of these are repeated by COPY with
  numbers, ids, times, salts, commitments, chain and admission tags of their own, and go through the real
  sequencer.
* Before it grows there are many people and documents (``bench.crowd``), as many in every size.
* Open work does not grow with the log: all but a few cases are ended again.
* The home is kept as a tar of its stopped cluster in a cache folder, one for each size, and restored from it.
  It is named by ``FORMAT`` and size: what it holds. An archive of an earlier schema is brought to this one
  when it is restored.
  ``COVERSLIP_BENCH_CACHE`` names the folder; without it, it is the system's.

    python -m bench.biglab ENTRIES      makes what is missing, going on from the largest there is
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.crowd import crowded, insisted
from bench.filling import Filler, checked
from bench.lab import fixtures, folder
from coverslip.bootstrap import founding, wiring
from coverslip.kernel import keys
from coverslip.kernel.change import Change
from coverslip.settings import Home
from coverslip.store.migrate import migrate
from coverslip.store.search_index import SearchIndex

FORMAT: Final = 2
BLOCK: Final = 125
"""Records made together; each of their acts is one bulk command."""
DECIDED: Final = 100_000
TEMPLATES: Final = 25
"""Records of each kind that are repeated."""
EACH: Final = 10
"""Entries of a record."""
SIGN_EVERY: Final = 20_000
_LEFT_OPEN: Final = 2
"""Blocks of each kind of case that nobody ends."""
_WHY: Final = "As seen in the second look at the bench."
_THINGS: Final = (
    "nuclei", "membrane", "filter", "objective", "stage", "plate", "slide", "block", "stain", "control",
    "background", "illumination", "shutter", "camera", "well", "section", "reagent", "antibody", "incubator",
    "centrifuge", "freezer", "label", "barcode", "tissue", "biopsy", "culture", "passage", "colony",
)  # fmt: skip
_HOW: Final = (
    "uneven", "missing", "second", "faint", "bright", "shifted", "repeated", "early", "late", "left", "right",
    "upper", "lower", "cracked", "dry", "wet", "cold", "warm", "clean", "stained", "fixed", "frozen",
)  # fmt: skip
_ONE_OF: Final = ("tissue", "cells", "swab", "control")


def cache() -> Path:
    """Return the folder in which big laboratories are kept."""
    named = os.environ.get("COVERSLIP_BENCH_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "coverslip-bench"


def _archive(entries: int) -> Path:
    return cache() / f"biglab-{FORMAT}-{entries}.tar"


class Kept:
    """An installation kept in a folder: opened as the fixtures of tests open theirs."""

    def __init__(self, root: Path) -> None:
        made = fixtures()
        grounds = made.Grounds.__new__(made.Grounds)
        grounds.home = Home(root / "home")
        grounds.device_key = Ed25519PrivateKey.generate()
        note = root / "numbers.json"
        grounds.numbers = json.loads(note.read_text("utf-8")) if note.exists() else {}
        grounds._numbers, grounds._memories, grounds._remembering = {}, {}, ()
        grounds.busy = threading.Lock()
        grounds.cluster = wiring.cluster_of(grounds.home)
        self.grounds = grounds

    def migrate(self) -> None:
        """Bring what was kept by an earlier schema to this one."""
        with self.grounds.cluster.running(), wiring.migrators(self.grounds.home) as (superuser, migrator):
            migrate(superuser, migrator=migrator)

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Lend the open laboratory with its cluster running."""
        with self.grounds.cluster.running(), self.grounds.open() as lab:
            yield lab


def _found(root: Path) -> None:
    made = fixtures()
    cost, keys._COST = keys._COST, made.CHEAP
    try:
        grounds = made.Grounds(root / "home")
        with grounds.cluster.running(), grounds.open() as lab:
            made.furnish(lab)
            (root / "numbers.json").write_text(json.dumps(lab.n), "utf-8")
    finally:
        keys._COST = cost


def _pack(root: Path, entries: int) -> None:
    cache().mkdir(parents=True, exist_ok=True)
    part = _archive(entries).with_suffix(".part")
    subprocess.run(["tar", "-C", str(root), "--exclude=*.sock", "-cf", str(part), "."], check=True)
    part.rename(_archive(entries))


def _unpack(entries: int, root: Path) -> None:
    subprocess.run(["tar", "-C", str(root), "-xpf", str(_archive(entries))], check=True)
    root.chmod(0o711)


def kept() -> list[int]:
    """Return the sizes that are kept, smallest first."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in cache().glob(f"biglab-{FORMAT}-*.tar"))


@contextmanager
def big_laboratory(entries: int) -> Iterator[Any]:
    """Lend an open laboratory of about so many entries, restored from the cache or made and kept there."""
    make(entries)
    with folder() as root:
        _unpack(entries, root)
        lab = Kept(root)
        lab.migrate()
        with lab.open() as opened:
            SearchIndex(opened.reading.pool, opened.door.catalogue).catch_up()
            yield opened


def make(entries: int) -> None:
    """Make and keep what is missing, going on from the largest smaller one that is kept."""
    if _archive(entries).exists():
        return
    with folder() as root:
        before = [n for n in kept() if n < entries]
        if before:
            _unpack(before[-1], root)
        else:
            _found(root)
        lab = Kept(root)
        lab.migrate()
        with lab.open() as opened:
            crowded(opened)
            Growing(opened).until(min(entries, DECIDED))
            if entries > DECIDED:
                repeated(opened, entries)
            settled(opened)
        shutil.rmtree(root / "home" / "run", ignore_errors=True)
        (root / "home" / "run").mkdir(mode=0o700)
        _pack(root, entries)


def settled(lab: Any) -> None:
    """Bring everything into the tree and the search index, and let the database know its tables."""
    Growing(lab).integrate()
    SearchIndex(lab.reading.pool, lab.door.catalogue).catch_up()
    with psycopg.connect(**lab.cluster.dsn("cs_superuser"), autocommit=True) as conn:
        conn.execute("vacuum (analyze)")


class Growing:
    """Adds records and their entries to an open laboratory, two people at a time."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self._random = random.Random(lab.entries())
        self._blocks: dict[str, int] = {}
        self._lock = threading.Lock()

    def until(self, entries: int) -> None:
        """Add blocks until there are so many entries, and bring them into the tree."""
        first = start = self.lab.entries()
        self._blocks = dict.fromkeys(_KINDS, 0) if start < 50_000 else dict.fromkeys(_KINDS, _LEFT_OPEN)
        begin, failed = time.monotonic(), list[BaseException]()
        while start < entries and not failed:
            goal = min(entries, start + SIGN_EVERY)
            blocks = max(2, (goal - start) // (BLOCK * EACH))

            def work(who: str, count: int) -> None:
                try:
                    for _ in range(count):
                        self._block(who)
                except BaseException as error:  # told to whoever waits
                    failed.append(error)

            threads = [threading.Thread(target=work, args=(n, blocks // 2)) for n in ("alan", "olga")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.integrate()
            start = self.lab.entries()
            rate = (start - first) / (time.monotonic() - begin)
            print(f"   {start} of {entries} entries, {rate:.0f} /s", file=sys.stderr, flush=True)
        if failed:
            raise failed[0]

    def integrate(self) -> None:
        """Bring what waits into the tree, and sign it."""
        with closing(founding.sequencer_of(self.lab.home, self.lab.signer)) as sequencer:
            while sequencer.step(sign=False).integrated:
                pass
            sequencer.step(sign=True)

    def _block(self, who: str) -> None:
        with self._lock:
            kind = self._random.choices(tuple(_KINDS), [k[0] for k in _KINDS.values()])[0]
            number, self._blocks[kind] = self._blocks[kind], self._blocks[kind] + 1
            noise = random.Random(self._random.random())
        _, fields, edited, ending, by = _KINDS[kind]
        person = self.lab.person(who)
        made = self._insist(
            [Change("create", kind, fields=fields(self.lab, noise, n)) for n in range(BLOCK)], person.context
        )
        numbers = [e.number for e in made.entries if e.type == kind]
        acts = () if by == "quinn" and number < _LEFT_OPEN else ending
        version = 1
        for n in range(EACH - 1 - len(acts)):
            self._all(who, numbers, version, "edit", lambda r, k, n=n: edited(r, n), noise)
            version += 1
        for act, given in acts:
            self._all(who if by == "self" else by, numbers, version, act, given, noise)
            version += 1

    def _all(
        self, who: str, numbers: list[str], version: int, act: str, given: Callable[..., dict[str, Any]],
        noise: random.Random,
    ) -> None:  # fmt: skip
        reason = f"{_WHY} {text(noise, 4)}" if act in _WITH_REASON else ""
        changes = [Change(act, "", number, 0, given(noise, number), reason, version) for number in numbers]
        self._insist(changes, self.lab.person(who).context)

    def _insist(self, changes: list[Change], context: Any) -> Any:
        return insisted(lambda: self.lab.door.submit_all(changes, context))


class _Repeated(Filler):
    """A record of the laboratory whose entries are repeated; ``last`` is the last number of its kind."""

    def __init__(self, lab: Any, number: str, last: int) -> None:
        self.lab, self.uids = lab, []
        self._take(number)
        self._last = last
        self._links = lab.ask(
            "select field, to_type, to_uid, to_version from projection.link where from_uid = %s", self._uid
        )


def repeated(lab: Any, entries: int) -> None:
    """Repeat records until there are so many entries, and bring them into the tree."""
    start = lab.entries()
    share = sum(kind[0] for kind in _KINDS.values())
    for kind, (weight, *_) in _KINDS.items():
        numbers = lab.ask(
            "select number from projection.record where type = %s and version = %s and state <> 'open'"
            " order by md5(number) limit %s", kind, EACH, TEMPLATES,
        )  # fmt: skip
        counted = "select max(substring(number from '[0-9]+$')::int) from projection.number where type = %s"
        last = int(lab.ask(counted, kind)[0][0])
        for (number,) in numbers:
            series = _Repeated(lab, number, last)
            series.fill((entries - start) * weight // share // len(numbers), tidy=False)
            last += len(series.uids)
            series.integrate()  # soon: an entry is looked at askance when its time is long past
        print(f"   {lab.entries()} of {entries} entries, {kind} repeated", file=sys.stderr, flush=True)
    checked(lab)


_WITH_REASON: Final = ("edit", "abort", "cancel")


def text(noise: random.Random, words: int) -> str:
    """Return a plain sentence of so many words."""
    return " ".join(noise.choice(_HOW if n % 2 == 0 else _THINGS) for n in range(words)).capitalize()


def _specimen(lab: Any, noise: random.Random, n: int) -> dict[str, Any]:
    return {
        "title": f"{text(noise, 2)} {noise.randrange(400)}", "kind": noise.choice(_ONE_OF),
        "quantity": f"{noise.randrange(1, 90)}.5", "unit": "mL", "study": lab.n["study"],
        "source": f"Lot {noise.randrange(9000)}",
    }  # fmt: skip


def _session(lab: Any, noise: random.Random, n: int) -> dict[str, Any]:
    return {
        "title": f"Plate {noise.randrange(5000)} {text(noise, 2)}", "study": lab.n["study"],
        "operator": lab.number_of("alan"), "instrument": lab.n["instrument"], "method": f"{lab.n['sop']} v1",
    }  # fmt: skip


def _incident(lab: Any, noise: random.Random, n: int) -> dict[str, Any]:
    return {
        "title": text(noise, 4), "kind": noise.choice(("system", "environment", "safety")),
        "detected_at": lab.accounts.now(), "detected_by": "The operator at the bench",
        "what": text(noise, 30), "severity": noise.choice(("low", "medium", "high")),
        "containment": text(noise, 12),
    }  # fmt: skip


def _deviation(lab: Any, noise: random.Random, n: int) -> dict[str, Any]:
    at = lab.accounts.now()
    return {
        "title": text(noise, 4), "kind": "unplanned", "found_at": at, "occurred_at": at,
        "place": f"Room {noise.randrange(40)}", "what": text(noise, 30), "immediate_action": text(noise, 10),
        "consequence": noise.randrange(1, 3), "extent": 1, "affected": [lab.n["study"]],
    }  # fmt: skip


def _comment(lab: Any, noise: random.Random, n: int) -> dict[str, Any]:
    return {"subject": lab.n["calibration"], "text": text(noise, 20)}


def _specimen_edit(noise: random.Random, n: int) -> dict[str, Any]:
    return {"location": f"Shelf {noise.randrange(90)}, {text(noise, 2)} {n + 1}"}


def _session_edit(noise: random.Random, n: int) -> dict[str, Any]:
    return {"environment": {"temperature": f"{20 + n}.5", "humidity": "40"}, "not_imaged": text(noise, 8)}


def _edit(field: str, words: int) -> Callable[[random.Random, int], dict[str, Any]]:
    return lambda noise, n: {field: f"{text(noise, words)} {n}"}


_KINDS: Final[dict[str, tuple[int, Any, Any, tuple[Any, ...], str]]] = {
    "specimen": (
        45, _specimen, _specimen_edit,
        (
            ("receive", lambda r, number: {"scanned_label": number, "condition": "ok"}),
            ("store", lambda r, number: {"location": f"Freezer {r.randrange(30)}"}),
        ),
        "self",
    ),
    "acquisition_session": (25, _session, _session_edit, (("abort", lambda r, n: {}),), "self"),
    "comment": (10, _comment, _edit("text", 20), (("resolve", lambda r, n: {}),), "self"),
    "incident": (10, _incident, _edit("containment", 12), (("cancel", lambda r, n: {}),), "quinn"),
    "deviation": (10, _deviation, _edit("other_batches", 9), (("cancel", lambda r, n: {}),), "quinn"),
}  # fmt: skip
"""Kind -> (share, fields of a new one, what an edit changes, the acts that end it, who does them)."""


if __name__ == "__main__":
    for size in sys.argv[1:]:
        make(int(size))
