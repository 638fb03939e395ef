"""Signing with the true cost: Argon2id, unwrapping, the statement, the commit.

Rules kept here: the person is enrolled here with the cost the product asks for, whatever the laboratory's
others were; each act signs another version, as a person does who enters user name and password.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict
from typing import Any

from bench.lab import laboratory
from bench.rows import Row, Size, at_most, plain
from coverslip.kernel import keys
from coverslip.settings import Limits

LIMIT = 2.0


def measure(size: Size) -> list[Row]:
    """Return the median and the slowest signing in seconds."""
    with laboratory() as lab:
        keys._COST = asdict(Limits().password)  # the laboratory puts its own back when it is closed
        lab.invite("ines", "Ines Signer", ("AUT", "QA"))
        person = lab.sign_in("ines")
        person.create(
            "esign_acknowledgement",
            sign=True,
            person=lab.number_of("ines"),
            policy="POL-0001",
            statement="I have read this policy.",
        )
        taken = [_signed(lab, person) for _ in range(max(5, size.rounds))]
    cost = asdict(Limits().password)
    return [
        at_most("signing, median", statistics.median(taken), "s", LIMIT),
        at_most("signing, slowest", max(taken), "s", LIMIT),
        plain("Argon2id memory", cost["memory_kib"] / 1024, "MiB"),
    ]


def _signed(lab: Any, person: Any) -> float:
    number = lab.new_sop(title="An SOP to be submitted")
    begin = time.perf_counter()
    person.do(number, "submit", sign=True)
    return time.perf_counter() - begin
