"""Sources: which ones an installation asks, and asking them.

Rules kept here: a source is named by an operator, ``chrony`` or ``sntp:HOST[:PORT]``; a source that
fails is said, never left out of the count.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.timekeeping import chrony, sntp
from coverslip.timekeeping.reading import Reading, Unknown, conclude

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:]{2,45}\]")
MAX_SOURCES = 8
_log = logging.getLogger("coverslip.clock")


@dataclass(frozen=True, slots=True)
class Source:
    """One source: ``kind`` chrony or sntp; host and port only for the latter."""

    kind: str
    host: str = ""
    port: int = sntp.PORT

    def __str__(self) -> str:
        return self.kind if self.kind == "chrony" else f"sntp:{self.host}:{self.port}"


def parse(text: str) -> Source:
    """Return the source a text names. Raises ``ENVIRONMENT`` for anything else."""
    if text == "chrony":
        return Source("chrony")
    kind, _, rest = text.partition(":")
    found = _HOST.match(rest)
    if kind == "sntp" and found:
        port = rest[found.end() :] or f":{sntp.PORT}"
        if re.fullmatch(r":[0-9]{1,5}", port) and 0 < int(port[1:]) < 65536:
            return Source("sntp", found[0].strip("[]"), int(port[1:]))
    raise EnvironmentFault(
        "ENVIRONMENT",
        what="the time source",
        expected="chrony, or sntp:HOST or sntp:HOST:PORT",
        found=repr(text[:60]),
        remedy="Name a source like that.",
    )


def parse_all(texts: Sequence[str]) -> tuple[Source, ...]:
    """Return the sources texts name. Raises ``ENVIRONMENT`` where one is named twice, or too many are."""
    found = tuple(parse(text) for text in texts)
    if len(set(found)) != len(found) or len(found) > MAX_SOURCES:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="the time sources",
            expected=f"at most {MAX_SOURCES}, each named once: a source does not confirm itself",
            found=", ".join(str(one) for one in found)[:200],
            remedy="Name each source once.",
        )
    return found


def read_sources(path: Path) -> tuple[Source, ...]:
    """Return the sources a home names in ``clock.json``, none where there is no such file."""
    if not path.exists():
        return ()
    try:
        named = json.loads(path.read_text("utf-8"))["sources"]
        if not isinstance(named, list):
            raise ValueError("no list of sources")
        return parse_all([str(text) for text in named])
    except (OSError, ValueError, KeyError, TypeError, EnvironmentFault) as error:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=str(path),
            expected='{"sources": ["chrony"]}',
            found=str(error)[:200],
            remedy="Write it with 'coverslip clock set'.",
        ) from error


def write_sources(path: Path, sources: Sequence[Source]) -> None:
    """Name the sources of a home, in one step."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps({"sources": [str(one) for one in sources]}, indent=2) + "\n", "utf-8")
    draft.replace(path)


def ask(sources: Sequence[Source], wall_s: Callable[[], float]) -> Reading | Unknown:
    """Ask every source and conclude; what failed is logged and counts as a source that did not answer."""
    readings, failed = [], []
    for one in sources:
        try:
            found = chrony.measure() if one.kind == "chrony" else sntp.measure(one.host, one.port, wall_s)
        except CoverslipError as error:
            _log.warning("%s", error)
            failed.append(str(error))
            continue
        readings.append(found)
    concluded = conclude(readings, len(sources))
    if isinstance(concluded, Unknown) and failed:
        return Unknown(f"{concluded.why}: {'; '.join(failed)}"[:500])
    return concluded
