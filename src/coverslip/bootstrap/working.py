"""Lists of work, put together: what waits for whom, what others did, what stands beside a record."""

from __future__ import annotations

from collections.abc import Collection

from coverslip.kernel.authority import roles_held
from coverslip.kernel.change import Context
from coverslip.kernel.commit import Door
from coverslip.kernel.facts import facts_from
from coverslip.kernel.ports import Store
from coverslip.store.pool import Pool
from coverslip.store.watching_sql import PostgresWatch
from coverslip.store.work_sql import PostgresWork
from coverslip.work import Around, MyWork, Notices, Work


def working(pool: Pool, store: Store, door: Door) -> Work:
    """Return the lists of work of an installation."""
    reading = PostgresWork(pool)

    def roles(context: Context) -> Collection[str]:
        return roles_held(facts_from(store.facts({"session": context.session}), {}), context.person)

    mine = MyWork(door.catalogue, reading, door, roles, lambda: str(store.facts({})["now"])[:10])
    return Work(mine, Notices(reading, PostgresWatch(pool)), Around(reading))
