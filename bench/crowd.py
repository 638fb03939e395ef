"""Many people, documents and images: what matrices, lists of people and reviews are measured with.

Rules kept here: everything goes through the one door, as the people who may; doing it again changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from coverslip.errors import CoverslipError

PEOPLE: Final = 150
DOCUMENTS: Final = 50
IMAGES: Final = 60
"""Images of the set whose run is reviewed."""
_ROLES: Final = ("ANL", "OPR", "REV", "AUT", "MET")
_DEPARTMENTS: Final = ("Histology", "Screening", "Stability", "Release", "Metrology", "Development")
_AGAIN: Final = 60


def crowded(lab: Any) -> None:
    """Add people with two roles each, and documents that two roles are trained on, up to so many."""
    people = int(lab.ask("select count(*) from projection.record where type = 'user'")[0][0])
    for n in range(people, PEOPLE):
        name = f"person{n:03d}"
        roles = (_ROLES[n % 5], _ROLES[(n + 1 + n // 5 % 4) % 5])
        insisted(lambda name=name, n=n, roles=roles: lab.invite(name, f"Person {n:03d} Bench", roles))
    documents = int(lab.ask("select count(*) from projection.record where type = 'document_sop'")[0][0])
    for n in range(documents, DOCUMENTS):
        audience = [f"ROLE-{_ROLES[n % 5]}", f"ROLE-{_ROLES[(n + 1 + n // 5 % 4) % 5]}"]
        number = lab.new_sop(f"{_DEPARTMENTS[n % 6]}: step {n} of the work", audience=audience)
        insisted(lambda number=number: lab.approve_sop(number))
    while insisted(lab.work().due):
        pass


def review_of_images(lab: Any, images: int = IMAGES) -> str:
    """Return a review case, started by Rita, of a run on a set of so many new images."""
    members = [lab.new_image() for _ in range(images)]
    chosen = lab.alan.create("image_set", title="Whole plate", study=lab.n["study"], members=members)
    lab.alan.do(chosen, "freeze", sign=True)
    _, case = lab.new_review(image_set=chosen)
    lab.rita.do(case, "start")
    return str(case)


def insisted(act: Callable[[], Any]) -> Any:
    """Do something, again where a busy machine took longer than a command may."""
    for left in range(_AGAIN, -1, -1):
        try:
            return act()
        except CoverslipError as error:
            if not left or error.code not in ("CLOCK", "SIG_STALE", "UNAVAILABLE"):
                raise
            time.sleep(1)
    raise AssertionError("not reached")
