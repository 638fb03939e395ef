"""What waits for whom, what others did, what is late, what stands beside a record: computed, never kept.

Nothing here is declared a second time: who is waited for follows from the acts, roles, named people, resting
states and due dates of the declarations.
"""

from __future__ import annotations

from coverslip.work.around import Around as Around
from coverslip.work.lists import Work as Work
from coverslip.work.mine import MyWork as MyWork
from coverslip.work.notices import Notices as Notices
from coverslip.work.overdue import Overdue as Overdue
