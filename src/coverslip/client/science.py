"""What a scientist does at an installation: search, read images, fetch results, ask for runs.

``Coverslip`` has these beside sessions, records and files. numpy, pandas and zarr are needed only by those
calls that return them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coverslip.client.errors import misuse
from coverslip.client.found import Hit, Record, frame, hit, matches, record
from coverslip.client.images import Download, Image
from coverslip.client.records import Records, segment
from coverslip.client.results import full_table, summary_table
from coverslip.client.runs import Asked, Progress, Run, frozen_set, study_of, untold
from coverslip.client.transport import Transport
from coverslip.client.values import Json

if TYPE_CHECKING:
    import pandas as pd


class Science:
    """Mixed into ``Coverslip``, which has the transport, the records and ``download``."""

    _transport: Transport
    records: Records
    download: Download

    # --- finding -------------------------------------------------------------------------------

    def search(self, text: str, *, type: str = "", limit: int = 20) -> list[Hit]:
        """Return at most ``limit`` (1 to 100) records by number, title, people and text, best first.

        It is the search of the pages: every word must be there, the last letters of a word may be missing;
        personal and sensitive fields are not searched. Voided records are among them: their state says so.
        Text is found once the index has read it, a second or so after it was entered; a number at once.
        Raises ``MisuseError`` for an empty text or another limit, ``NotFoundError`` for an unknown type.
        """
        if not text.strip():
            raise misuse("text", "something to look for", "nothing")
        if not 1 <= limit <= 100:
            raise misuse("limit", "1 to 100", str(limit))
        query = {"q": text.strip(), "limit": limit} | ({"type": type} if type else {})
        return [hit(one) for one in self._transport.json("GET", "/search", query=query)["hits"]]

    def record(self, number: str) -> Record:
        """Return one record with its fields; ``SOP-0001 v2`` names a version. Raises ``NotFoundError``."""
        return record(self.records.show(number))

    def find(
        self,
        type: str,
        *,
        state: str = "",
        text: str = "",
        tag: str = "",
        where: Mapping[str, Any] | None = None,
        limit: int = 0,
        overdue: bool = False,
        voided: bool = False,
    ) -> list[Record]:
        """Return records of a type, newest change first; ``limit`` 0 for all of them.

        ``where`` compares fields for equality, links by number: ``where={"study": "STU-0001"}``. It is
        compared here, after reading; the other filters are the server's. Raises ``NotFoundError`` for an
        unknown type.
        """
        asked = {"state": state, "text": text, "tag": tag, "overdue": overdue, "voided": voided}
        found: list[Record] = []
        for one in self.records.list(type, limit=0 if where else limit, **asked):  # type: ignore[arg-type]
            if matches(item := record(one), where or {}):
                found.append(item)
            if limit and len(found) >= limit:
                break
        return found

    def table(self, type: str, **filters: Any) -> pd.DataFrame:
        """Return what ``find`` returns as a table; columns and ``attrs`` as ``found.frame`` says."""
        definition: Json = self._transport.json("GET", f"/types/{segment(type)}")
        return frame(self.find(type, **filters), definition, str(self._transport.address))

    # --- images --------------------------------------------------------------------------------

    def image(self, number: str) -> Image:
        """Return an image to be read in parts; only what is known of it is read now.

        Raises ``NotFoundError`` where there is none.
        """
        return Image(self._transport, self.records, self.download, number)

    def images(self, **filters: Any) -> Iterator[Image]:
        """Yield the images that ``find("image", …)`` finds, each to be read in parts."""
        for one in self.find("image", **filters):
            yield self.image(one.number)

    # --- runs and results ----------------------------------------------------------------------

    def run(
        self,
        *,
        method: str,
        images: str | Sequence[str],
        study: str = "",
        title: str = "",
        reason: str = "",
        rule: str = "",
        ask: Asked | None = None,
        timeout_s: float = 3600.0,
        progress: Progress = untold,
        **fields: Any,
    ) -> Run:
        """Return a run of an approved method on images, asked for when ``with`` begins.

        The server computes it; code inside ``with`` is not part of it. ``method`` such as ``"AM-0001 v1"``;
        ``images`` a frozen image set, or numbers of images, which are made a set and frozen under signature
        first: then ``rule`` says how they were chosen and ``ask`` asks for both components. ``fields`` are
        further fields of the run, such as ``request`` of a reprocessing. ``reason`` is why it is asked for.
        """
        of = study or study_of(self.records, images)
        purpose = title or f"{method} on {images if isinstance(images, str) else f'{len(images)} images'}"
        number = (
            images
            if isinstance(images, str)
            else frozen_set(self.records, images, of, f"Images for {purpose}"[:300], rule, ask)
        )
        given: Json = fields | {"title": purpose, "method": method, "image_set": number, "study": of}
        return Run(
            self._transport, self.records, given, reason=reason, timeout_s=timeout_s, progress=progress
        )

    def results(self, number: str, *, exact: bool = False) -> pd.DataFrame:
        """Return the full table of a run or result set, its hashes checked; see ``results.full_table``."""
        return full_table(self._transport, self.records, number, exact=exact)

    def summary(self, number: str) -> pd.DataFrame:
        """Return the values on a result set, or on that of a run; see ``results.summary_table``."""
        return summary_table(self.records, number)
