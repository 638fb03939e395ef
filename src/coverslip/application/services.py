"""What the interface needs, handed in by ``bootstrap``; nothing here knows an adapter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from coverslip.application.assurance import Assurance, NoAssurance
from coverslip.application.pictures import Pictures, no_pictures
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Context
from coverslip.kernel.commit import Door
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.events import Events
from coverslip.kernel.identity import Identity
from coverslip.kernel.queries import Counted, Found, Listed, ListPage, TrailAsked, TrailPage
from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import EVERYTHING, Narrowed


class Reading(Protocol):
    """Reading without deciding: lists, one record, its history."""

    def find(self, number: str, revision: int = 0) -> Row | None:
        """Return a record: the revision named, else the one in force, else the latest."""
        ...

    def page(
        self, kind: str, state: str, text: str, cursor: str, limit: int, narrowed: Narrowed = EVERYTHING
    ) -> tuple[list[Row], str]:
        """Return records of a type, newest change first, and the cursor of the next page (empty: none)."""
        ...

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it, oldest first, with their sections."""
        ...

    def rows_of(self, wanted: Collection[tuple[str, str]]) -> list[Row]:
        """Return the records of these (type, uid), in the order asked."""
        ...

    def linked(self, uid: str, types: Collection[str] = (), most: int = 5000) -> list[Row]:
        """Return the records that link to this one, of these types where some are given; ``most`` of them."""
        ...

    def linked_some(
        self, uids: Collection[str], each: int, without: Collection[str] = ()
    ) -> list[tuple[str, Row]]:
        """Return (uid linked to, record) of what links to these, of every type the newest ``each``."""
        ...

    def linked_counts(self, uid: str, most: int) -> dict[str, int]:
        """Return by type how many records link to this one; ``most`` stands for that and any more."""
        ...

    def linked_newest(self, uid: str, kind: str, most: int, before: str = "") -> list[Row]:
        """Return the newest records of a type that link to this one, made before the one named (a uid)."""
        ...

    def linked_open(self, uid: str, states: Mapping[str, Collection[str]], most: int = 200) -> list[Row]:
        """Return records that link to this one and are in one of the ``states`` named for their type."""
        ...

    def linked_states(self, uid: str, types: Collection[str], most: int) -> dict[str, dict[str, int]]:
        """Return by type how many that link to this one are in which state; of ``most`` of a type."""
        ...

    def titles(self, numbers: Collection[str]) -> dict[str, str]:
        """Return by number the title ``find`` would show."""
        ...

    def concerning(self, person: str, grants: Sequence[tuple[str, str]]) -> list[Row]:
        """Return the unfinished records that concern a person and tell them something, newest first."""
        ...

    def status(self) -> dict[str, Any]:
        """Return size and root of the tree, the last checkpoint, and entries not yet integrated."""
        ...

    def certificates(self, kind: str) -> list[dict[str, Any]]:
        """Return certificates of a kind (``backup``, ``vault``), newest first."""
        ...

    def feed(self, after: int, kind: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return events in tree order behind index ``after``, and the cursor to go on from."""
        ...

    def roles(self, person: str) -> list[str]:
        """Return the codes of the roles a person holds now."""
        ...

    def access_facts(self, person: str = "") -> dict[str, dict[str, Any]]:
        """Return by person (uid) last use, credential in force and missing training."""
        ...

    def receipt(self, entry: str) -> dict[str, Any] | None:
        """Return where an entry stands: leaf hash and, once integrated, its tree index."""
        ...


class Delivery(Protocol):
    """Taking files in."""

    def deliver(
        self, session: str, context: Any, manifest: dict[str, Any], stream: BinaryIO
    ) -> dict[str, Any]:
        """Take one file of an acquisition session; return the image's number, state and checks."""
        ...

    def attach(self, name: str, media_type: str, stream: BinaryIO, length: int) -> dict[str, Any]:
        """Keep a file in the vault and return its file value, to be named in a record."""
        ...

    def open(self, root: str) -> tuple[int, Iterator[bytes]]:
        """Return size and bytes of a stored file."""
        ...


class Exporting(Protocol):
    """Making evidence bundles."""

    def bundle(self, row: Row, context: Any, text_filter: str, out: BinaryIO) -> dict[str, Any]:
        """Write the bundle of a record and return its manifest summary; the export is an entry."""
        ...


class Reproducing(Protocol):
    """Computing a recorded run again."""

    def reproduce(self, row: Row) -> dict[str, Any]:
        """Return verdict and differences of a run computed again; nothing is recorded."""
        ...


class Retaining(Protocol):
    """How long records are kept, and by which rule."""

    def one(self, row: Row) -> dict[str, Any]:
        """Return how long one record is kept: sentence, date or what is waited for, every clock."""
        ...

    def soon(self, row: Row, most: int) -> dict[str, Any] | None:
        """Return ``one``; None where more than ``most`` records would have to be looked at for it."""
        ...

    def due(self, cursor: str) -> tuple[list[dict[str, Any]], str]:
        """Return records nothing asks to be kept any more, and where to go on (empty: at the end)."""
        ...


class Working(Protocol):
    """Lists of work: what waits for whom, what others did, what stands beside a record."""

    def mine(self, context: Context, cursor: str, limit: int) -> dict[str, Any]:
        """Return ``items`` that wait for whoever asks, and the cursor of the ``next`` page."""
        ...

    def events(self, person: str, after: int | None, limit: int) -> dict[str, Any]:
        """Return ``events`` of others after a tree index, ``next`` to go on from, and whether ``more``."""
        ...

    def seen(self, person: str, index: int) -> int:
        """Keep how far a person has looked; return how far they have."""
        ...

    def narrowed(self, tag: str, *, overdue: bool, everything: bool) -> Narrowed:
        """Return what a list shows: with a tag, only the overdue, voided ones only with ``everything``."""
        ...

    def around(self, row: Row, most: int = 200) -> dict[str, Any]:
        """Return comments, tags, attachments and holds, ``most`` of each, and how many watch a record."""
        ...

    def around_briefly(self, row: Row) -> dict[str, Any]:
        """Return the tags of a record, how many of each other kind stand beside it, and how many watch it."""
        ...


class NoWork:
    """Stands where an installation keeps no lists of work."""

    def mine(self, context: Context, cursor: str, limit: int) -> dict[str, Any]:
        """Return an empty page."""
        return {"items": [], "next": ""}

    def events(self, person: str, after: int | None, limit: int) -> dict[str, Any]:
        """Return an empty page."""
        return {"events": [], "next": after or 0, "more": False, "seen": 0}

    def seen(self, person: str, index: int) -> int:
        """Return that nothing is kept."""
        return 0

    def narrowed(self, tag: str, *, overdue: bool, everything: bool) -> Narrowed:
        """Return that nothing is left out."""
        return EVERYTHING

    def around(self, row: Row, most: int = 200) -> dict[str, Any]:
        """Return that nothing stands beside."""
        counts = dict.fromkeys(("attachments", "comments", "holds", "tags"), 0)
        return {name: [] for name in counts} | {"watchers": 0, "more": False, "counts": counts}

    def around_briefly(self, row: Row) -> dict[str, Any]:
        """Return that nothing stands beside."""
        return self.around(row)


class Teaching(Protocol):
    """Who is trained on what their roles ask."""

    def show(self, role: str = "") -> dict[str, Any]:
        """Return ``as_of``, ``cells``, ``counts`` by state and ``gaps``, of one role or of all."""
        ...

    def page(self, role: str = "", unit: str = "", start: int = 0, most: int = 30) -> dict[str, Any]:
        """Return ``show`` of some people by name, with how many there are, of a role and a unit or of all."""
        ...

    def of_document(self, versions: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the cells of one document, whose every version is given."""
        ...


class NoTeaching:
    """Stands where an installation shows no training."""

    def show(self, role: str = "") -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        raise EnvironmentFault(
            "ENVIRONMENT", what="the training matrix", expected="a training service", found="none"
        )

    def page(self, role: str = "", unit: str = "", start: int = 0, most: int = 30) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        return self.show()

    def of_document(self, versions: Sequence[Row]) -> list[dict[str, Any]]:
        """Raise ``ENVIRONMENT``."""
        self.show()
        return []


class Reviewing(Protocol):
    """Review cases as a reviewer looks at them; what is opened is entered as opened."""

    def show(self, case: Row, context: Context, wanted: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return exceptions, items, coverage, conditions, signatures and what arrived; opens nothing.

        ``wanted``: which part of the trail is shown beside.
        """
        ...

    def item(self, case: Row, key: str, context: Context) -> dict[str, Any]:
        """Return one item with its evidence; that it was sent is an entry. Raises ``NOT_FOUND``."""
        ...

    def trail(
        self, case: Row, context: Context, page: int = 1, wanted: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return a page of the trail of the scope, newest first; that a whole one was sent is an entry."""
        ...

    def position(self, case: Row) -> str:
        """Return where case and scope stand; another answer means that something arrived."""
        ...


class NoReviews:
    """Stands where an installation shows no reviews."""

    def show(self, case: Row, context: Context, wanted: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        raise EnvironmentFault("ENVIRONMENT", what="review cases", expected="a review service", found="none")

    def item(self, case: Row, key: str, context: Context) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        return self.show(case, context)

    def trail(
        self, case: Row, context: Context, page: int = 1, wanted: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        return self.show(case, context)

    def position(self, case: Row) -> str:
        """Return nothing."""
        return ""


class PastViews(Protocol):
    """What stood at a moment."""

    def record(self, number: str, revision: int, at: str) -> dict[str, Any]:
        """Return a record as it was. Raises ``NOT_FOUND`` when there was none of that number yet."""
        ...

    def signed(self, row: Row, version: int) -> dict[str, Any]:
        """Return what its signer was shown: ``text``, ``rendering``, ``shown``, ``base``. ``NOT_FOUND``."""
        ...

    def matrix(self, at: str, person: str = "") -> dict[str, Any]:
        """Return who could do what; of one ``person`` (number) also every act that was open to them."""
        ...


class Lists(Protocol):
    """Lists of records of any filter and order."""

    def page(self, asked: Listed, cursor: str, limit: int) -> ListPage:
        """Return a page behind a cursor (empty: the first). Raises ``VAL_FORM`` for another list's cursor."""
        ...

    def count(self, asked: Listed) -> Counted:
        """Return how many there are: exactly up to a bound, else as estimated."""
        ...

    def counted_page(self, asked: Listed, cursor: str, limit: int) -> tuple[ListPage, Counted]:
        """Return ``page`` and ``count`` of a list, both from one look."""
        ...

    def walk(self, asked: Listed) -> Iterator[Row]:
        """Yield every record of a list in its order, all as they were at one moment."""
        ...


class Searching(Protocol):
    """Finding records by numbers, titles, people and text."""

    def search(self, text: str, types: tuple[str, ...] = (), limit: int = 20) -> Found:
        """Return records that have every word, best first, and how far the index has come."""
        ...


class Trails(Protocol):
    """The audit trail of the whole installation."""

    def page(self, asked: TrailAsked, cursor: str, limit: int) -> TrailPage:
        """Return entries, newest first, behind a cursor. Raises ``VAL_FORM`` for another trail's cursor."""
        ...

    def one(self, entry: str) -> dict[str, Any] | None:
        """Return an entry by its tree index or its id, with its changes and its ``leaf``; None: not there."""
        ...


class NoQuestions:
    """Stands where an installation keeps nothing to be asked."""

    def page(self, asked: Any, cursor: str, limit: int) -> Any:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()

    def count(self, asked: Listed) -> Counted:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()

    def counted_page(self, asked: Listed, cursor: str, limit: int) -> tuple[ListPage, Counted]:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()

    def walk(self, asked: Listed) -> Iterator[Row]:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()

    def search(self, text: str, types: tuple[str, ...] = (), limit: int = 20) -> Found:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()

    def one(self, entry: str) -> dict[str, Any] | None:
        """Raise ``ENVIRONMENT``."""
        raise _nothing_kept()


def _nothing_kept() -> EnvironmentFault:
    return EnvironmentFault("ENVIRONMENT", what="lists and search", expected="a database", found="none")


class NoRuns:
    """Stands where an installation computes nothing."""

    def reproduce(self, row: Row) -> dict[str, Any]:
        """Raise ``ENVIRONMENT``."""
        raise EnvironmentFault(
            "ENVIRONMENT", what="computing runs again", expected="an analysis service", found="none"
        )


@dataclass(frozen=True)
class Services:
    """Everything a request may use."""

    catalogue: Catalogue
    door: Door
    identity: Identity
    accounts: Accounts
    events: Events
    reading: Reading
    delivery: Delivery
    exporting: Exporting
    receipts: Callable[[str, str, str], str]
    """Signed pending receipt of (entry uuid, leaf hash hex, time), as note text."""
    installation: Callable[[], dict[str, Any]]
    retaining: Retaining
    past: PastViews
    algorithms: Callable[[], list[dict[str, Any]]] = list
    """What is bundled: field values of an algorithm record, and its parameters with their ranges."""
    reproducing: Reproducing = field(default_factory=NoRuns)
    working: Working = field(default_factory=NoWork)
    lists: Lists = field(default_factory=NoQuestions)
    searching: Searching = field(default_factory=NoQuestions)
    trails: Trails = field(default_factory=NoQuestions)
    teaching: Teaching = field(default_factory=NoTeaching)
    reviewing: Reviewing = field(default_factory=NoReviews)
    anchors: Callable[[], list[dict[str, Any]]] = list
    """How each place stands that keeps checkpoints: last success, age, independence, whether too old."""
    upload_limit_bytes: int = 64 * 1024**3
    gaps: Callable[[], dict[str, Any]] = dict
    """Numbers no record has, entry ids never used, leaves that are missing."""
    quarantine: Callable[[], CoverslipError | None] = lambda: None
    """Why nothing may be written; None where everything may."""
    pictures: Pictures = field(default_factory=no_pictures)
    """Seeing images."""
    assurance: Assurance = field(default_factory=NoAssurance)
    """What may be said of the integrity of records, and a verification on demand."""
