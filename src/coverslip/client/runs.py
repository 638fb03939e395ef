"""Analysis runs from Python: ask for one, wait for it, take its results.

Rules kept here: the server computes, with the approved method in its own environment; what Python computes is
no result of a run and is recorded by none. A run that was asked for is counted, whatever becomes of it here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from coverslip.client.errors import fault, misuse
from coverslip.client.results import full_table, summary_table
from coverslip.client.values import Json, Receipt, View

if TYPE_CHECKING:
    import pandas as pd

    from coverslip.client.records import Records
    from coverslip.client.transport import Transport

TYPE = "analysis_run"
SET = "image_set"
WAITING = ("queued", "running")
FAILED = ("failed", "aborted")
Progress = Callable[[str, float], None]
"""Called with the run's state and the seconds waited, each time it was looked at."""
Asked = Callable[[View, str], tuple[str, str]]
"""Shows a view and the words that are signed; returns user name and password, entered for this signing."""


def untold(_: str, __: float) -> None:
    """Report nothing."""


class Run:
    """A run, asked for when ``with`` begins; when ``with`` ends, it is waited for.

    An error inside ``with`` is passed on at once; the run goes on and is counted. ``number`` is empty before
    the run is asked for.
    """

    def __init__(
        self,
        transport: Transport,
        records: Records,
        fields: Json,
        *,
        reason: str = "",
        timeout_s: float = 3600.0,
        progress: Progress = untold,
    ) -> None:
        self._transport, self._records, self._fields = transport, records, fields
        self._reason, self._timeout_s, self._progress = reason, timeout_s, progress
        self.number = ""
        self.receipt: Receipt | None = None
        self._record: Json = {}

    def __repr__(self) -> str:
        return f"<Run {self.number} {self.state}>" if self.number else "<Run, not yet asked for>"

    def __enter__(self) -> Run:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.wait()

    def start(self) -> Run:
        """Ask for the run; once only. Raises ``RefusedError`` with everything that does not hold."""
        if not self.number:
            self.receipt = self._records.create(TYPE, self._fields, reason=self._reason)
            self.number = self.receipt.number
            self._record = self._records.show(self.number)
        return self

    @property
    def state(self) -> str:
        """The run's state when it was last looked at: queued, running, completed, failed or aborted, …"""
        return str(self._record.get("state", ""))

    @property
    def record(self) -> Json:
        """The run's record as it was last looked at."""
        return self._record

    def wait(self, timeout_s: float | None = None, progress: Progress | None = None) -> Run:
        """Wait until the run has ended. Raises ``FaultError`` if it failed, or has not ended in time.

        A run that has not ended in time goes on; ``wait`` may be called again.
        """
        if not self.number:
            raise misuse("the run", "one that was asked for", "one that was not", "Use 'with', or start().")
        limit, tell = self._timeout_s if timeout_s is None else timeout_s, progress or self._progress
        began, pause = time.monotonic(), 0.1
        while True:
            self._record = self._records.show(self.number)
            waited = time.monotonic() - began
            tell(self.state, waited)
            if self.state not in WAITING:
                return self._ended()
            if waited + pause > limit:
                raise fault(
                    f"Run {self.number}", f"ended within {limit:g} s", self.state, "It goes on; wait again."
                )
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def _ended(self) -> Run:
        if self.state in FAILED:
            why = str(self._record["fields"].get("error", "no error was recorded"))
            raise fault(f"Run {self.number}", "completed", f"{self.state}: {why}"[:1000], "Read its log.")
        return self

    def results(self, *, exact: bool = False) -> pd.DataFrame:
        """Wait, and return the full table as ``Coverslip.results`` does."""
        self.wait()
        return full_table(self._transport, self._records, self.number, exact=exact)

    def summary(self) -> pd.DataFrame:
        """Wait, and return the values under review as ``Coverslip.summary`` does."""
        self.wait()
        return summary_table(self._records, self.number)


def study_of(records: Records, images: str | Sequence[str]) -> str:
    """Return the study that an image set, or the first of some images, belongs to."""
    first = images if isinstance(images, str) else next(iter(images), "")
    if not first:
        raise misuse("images", "an image set, or numbers of images", "none")
    return str(records.show(first)["fields"]["study"]["number"])


def frozen_set(
    records: Records, images: Sequence[str], study: str, title: str, rule: str, ask: Asked | None
) -> str:
    """Make a set of the images and freeze it under signature; return its number.

    Raises ``MisuseError`` without ``ask`` or without words on how the images were chosen, before anything is
    made: a set is signed before its results are seen, and only by a person who enters both components now.
    """
    if ask is None or not rule:
        raise misuse(
            "images",
            "the number of a frozen image set, or images with 'rule' and 'ask'",
            "images alone",
            "Say how they were chosen, and give ask=ask_on_terminal to sign for it.",
        )
    fields: dict[str, Any] = {"title": title, "study": study, "members": list(images), "selection_rule": rule}
    number = records.create(SET, fields).number
    acts = {one["act"]: one for one in records.show(number)["acts"]}
    view = records.view(number)
    if not acts["freeze"]["meaning"]:  # in a sandbox nothing is signed
        records.act(number, "freeze", expected_version=view.version)
        return number
    username, password = ask(view, str(acts["freeze"]["meaning_text"]))
    records.sign(view, "freeze", username=username, password=password)
    return number
