"""The demonstration's clock: the database of a laboratory being founded, set back to play weeks in minutes.

Rules kept here (docs/decisions/0038-the-demonstration-plays-its-weeks.md):

* Only a home that is being founded for the demonstration, for evaluation, by a supervised PostgreSQL of its
  own, with a ledger that has no entry yet. Any other is refused, and no option or page reaches this.
* It goes forward only, never past the real time, and is said on the ledger at genesis.
* It is put right, and the catalogue is as shipped, before the home gets the name under which it is served.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from coverslip.bootstrap import wiring
from coverslip.client.errors import fault
from coverslip.kernel.clock import wall_s
from coverslip.settings import Home

ORIGIN = "demo.coverslip.example/site-1"
ZONE = ZoneInfo("America/New_York")
BEING_PLAYED = "-being-played"
"""Ending of the folder a laboratory has until its clock is right again; nobody serves it under that name."""

SETTLE_S = 60.0
UNSETTLED_S = 45.0
"""So far the clock may go while an entry waits for its place; the sequencer finds 60 s worth an alarm."""
_PENDING = (
    "select (select max(id) from ledger.entry) is distinct from (select max(entry_id) from ledger.leaf)"
)
_SET_BACK = """
set allow_system_table_mods = on;
alter event trigger coverslip_ddl_guard disable;
alter function pg_catalog.clock_timestamp() rename to real_clock_timestamp;
create schema demonstration_clock;
create table demonstration_clock.shift(behind interval not null);
insert into demonstration_clock.shift values (interval '0');
create function pg_catalog.clock_timestamp() returns timestamptz language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
  return pg_catalog.real_clock_timestamp() - (select behind from demonstration_clock.shift);
end $$;
do $$
declare d record;
begin
  for d in select a.adrelid::regclass as held, c.attname as col from pg_attrdef a
    join pg_attribute c on c.attrelid = a.adrelid and c.attnum = a.adnum
    where pg_get_expr(a.adbin, a.adrelid) = 'real_clock_timestamp()' loop
    execute format('alter table %s alter column %I set default pg_catalog.clock_timestamp()', d.held, d.col);
  end loop;
end $$;
alter event trigger coverslip_ddl_guard enable always;
"""
_PUT_RIGHT = """
set allow_system_table_mods = on;
alter event trigger coverslip_ddl_guard disable;
alter event trigger coverslip_drop_guard disable;
do $$
declare d record;
begin
  for d in select a.adrelid::regclass as held, c.attname as col from pg_attrdef a
    join pg_attribute c on c.attrelid = a.adrelid and c.attnum = a.adnum
    where pg_get_expr(a.adbin, a.adrelid) = 'clock_timestamp()' loop
    execute format(
      'alter table %s alter column %I set default pg_catalog.real_clock_timestamp()', d.held, d.col);
  end loop;
end $$;
drop function pg_catalog.clock_timestamp();
drop schema demonstration_clock cascade;
alter function pg_catalog.real_clock_timestamp() rename to clock_timestamp;
alter event trigger coverslip_drop_guard enable always;
alter event trigger coverslip_ddl_guard enable always;
reset allow_system_table_mods;
"""


def working_days(count: int, now: dt.datetime) -> tuple[dt.date, ...]:
    """Return the last ``count`` working days (of the laboratory's zone) over at ``now``, oldest first."""
    day = now.astimezone(ZONE).date()
    found: list[dt.date] = []
    while len(found) < count:
        over = dt.datetime.combine(day, dt.time(19), ZONE) < now
        if over and day.weekday() < 5:
            found.append(day)
        day -= dt.timedelta(days=1)
    return tuple(reversed(found))


@dataclass
class Clock:
    """The clock of one laboratory being played. ``days`` are the working days of the story."""

    home: Path
    days: tuple[dt.date, ...]
    _behind_s: float = field(default=0.0)
    _moved_s: float = field(default=0.0)

    def set_back(self) -> None:
        """Set the clock of the home's running database to the morning of the first day.

        Raises a fault for every home but one that is being founded for this.
        """
        insist_unborn(self.home)
        with self._superuser() as conn:
            conn.execute(_SET_BACK)
        self._behind_s = float("inf")
        self.to(0, "08:30")
        with self._superuser() as conn:  # the empty tree was made a moment ago, by the real clock
            conn.execute("update ledger.tree set at = pg_catalog.clock_timestamp() where size = 0")

    def to(self, day: int, at: str) -> None:
        """Go to a time (``HH:MM``, the laboratory's zone) of a working day; stay where that is past."""
        moment = dt.datetime.combine(self.days[day], dt.time.fromisoformat(at), ZONE)
        self._set(wall_s() - moment.timestamp())

    def pass_s(self, seconds: float) -> None:
        """Let some time pass at once, but no more than there is left."""
        self._set(self._behind_s - seconds)

    def _set(self, behind_s: float) -> None:
        """Keep the clock this far behind the real one: never further than it was, never ahead."""
        wanted = max(0.0, min(self._behind_s, behind_s))
        if wanted == self._behind_s:
            return
        self._moved_s += self._behind_s - wanted
        with self._superuser() as conn:
            if self._moved_s > UNSETTLED_S:
                _let_settle(conn)
                self._moved_s = min(self._behind_s - wanted, UNSETTLED_S)
            self._behind_s = wanted
            conn.execute("update demonstration_clock.shift set behind = %s", [dt.timedelta(seconds=wanted)])

    def now(self) -> dt.datetime:
        """Return what o'clock it is in the laboratory, UTC."""
        return dt.datetime.fromtimestamp(wall_s() - self._behind_s, dt.UTC)

    def today(self, days: int = 0) -> str:
        """Return the date in the laboratory, ``days`` later."""
        return (self.now().date() + dt.timedelta(days=days)).isoformat()

    def stamp(self) -> str:
        """Return the instant in the laboratory as records carry it."""
        return self.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def put_right(self) -> None:
        """Give the database its real clock back; the catalogue is then as it was shipped."""
        with self._superuser() as conn:
            conn.execute(_PUT_RIGHT)
        self._behind_s = 0.0

    @contextmanager
    def _superuser(self) -> Iterator[Any]:
        with wiring.connection(Home(self.home), "cs_superuser") as conn:
            yield conn


def _let_settle(conn: Any) -> None:
    """Wait until every entry has its place in the tree: an entry's time is compared with that moment."""
    end = time.monotonic() + SETTLE_S
    while conn.execute(_PENDING).fetchone()[0]:
        if time.monotonic() > end:
            raise fault("the ledger", f"at rest within {SETTLE_S:g} s", "entries that wait for their place")
        time.sleep(0.01)


def insist_unborn(home: Path) -> None:
    """Raise a fault unless this home is one being founded for the demonstration, before its first entry."""
    facts = wiring.installation(Home(home))
    asked = "A demonstration's clock"
    remedy = "Only a laboratory that 'coverslip demo --living' founds can have it."
    if facts.use != "evaluation" or facts.origin != ORIGIN or facts.database is not None:
        raise fault(
            asked, f"an evaluation of {ORIGIN} being founded", f"{facts.use} of {facts.origin}", remedy
        )
    if not home.name.endswith(BEING_PLAYED):
        raise fault(asked, f"a folder named …{BEING_PLAYED}", home.name, remedy)
    with wiring.connection(Home(home), "cs_verifier") as conn:
        row = conn.execute("select count(*) from ledger.entry").fetchone()
    if row is None or row[0]:
        raise fault(asked, "a ledger without an entry", "a laboratory at work", remedy)
