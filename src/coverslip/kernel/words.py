"""The closed vocabulary in which a record type is declared (DOMAIN 2).

Rules kept here:

* A word is data: frozen, comparable, with one canonical JSON form. Nothing here acts.
* Only words that a declared type uses exist. What they cannot say is a named ``Rule``.
* A path is a tuple of field names: ``("method", "sop")`` follows the link ``method``, then the
  link ``sop`` of the record found there. ``()`` is the record itself. A name ``rows.image`` reads
  column ``image`` of every row of table ``rows``.
"""

from __future__ import annotations

from typing import Literal

from coverslip.kernel.kinds import (
    Bool as Bool,
)
from coverslip.kernel.kinds import (
    Column as Column,
)
from coverslip.kernel.kinds import (
    Date as Date,
)
from coverslip.kernel.kinds import (
    Decimal as Decimal,
)
from coverslip.kernel.kinds import (
    Enum as Enum,
)
from coverslip.kernel.kinds import (
    Field as Field,
)
from coverslip.kernel.kinds import (
    File as File,
)
from coverslip.kernel.kinds import (
    Instant as Instant,
)
from coverslip.kernel.kinds import (
    Int as Int,
)
from coverslip.kernel.kinds import (
    Json as Json,
)
from coverslip.kernel.kinds import (
    Kind as Kind,
)
from coverslip.kernel.kinds import (
    Link as Link,
)
from coverslip.kernel.kinds import (
    Path as Path,
)
from coverslip.kernel.kinds import (
    Quantity as Quantity,
)
from coverslip.kernel.kinds import (
    Rich as Rich,
)
from coverslip.kernel.kinds import (
    Role as Role,
)
from coverslip.kernel.kinds import (
    Table as Table,
)
from coverslip.kernel.kinds import (
    Text as Text,
)
from coverslip.kernel.kinds import (
    Vocab as Vocab,
)
from coverslip.kernel.kinds import (
    Word as Word,
)

# --- guards (DOMAIN 2.3) -------------------------------------------------------------------------


class InState(Word, frozen=True):
    """Every record at ``path`` is in one of ``states``. An empty link list passes only if ``empty_ok``."""

    path: Path
    states: tuple[str, ...]
    message: str = ""
    empty_ok: bool = False


class Current(Word, frozen=True):
    """Every record at ``path`` is in a state declared effective."""

    path: Path
    message: str = ""


class Trained(Word, frozen=True):
    """The actor is trained on the version of the document at ``path`` that is linked or effective."""

    path: Path
    message: str = ""


class NotOnHold(Word, frozen=True):
    """Nothing blocks the record at ``path``."""

    path: Path
    message: str = ""


class Compare(Word, frozen=True):
    """Value at ``path`` compared with ``value`` or with the value at ``other``; absent fails."""

    path: Path
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "present", "absent"]
    value: str | int | bool | None = None
    other: Path = ()
    message: str = ""


class InDate(Word, frozen=True):
    """The date or instant at ``path`` is today or later."""

    path: Path
    message: str = ""


class Reached(Word, frozen=True):
    """The date or instant at ``path`` is today or past."""

    path: Path
    message: str = ""


class Filled(Word, frozen=True):
    """Table ``table`` has ``min_rows`` rows or more, and every row has all of ``columns`` filled.

    With ``where``, a (column, value) pair, only rows whose column has that value are looked at.
    """

    table: str
    columns: tuple[str, ...]
    min_rows: int = 1
    where: tuple[str, str] | None = None
    message: str = ""


class Count(Word, frozen=True):
    """Number of records of ``type`` whose ``field`` links to the record at ``path``, in ``states``
    (empty: any), compared with ``n`` or the integer at ``limit``. Serialised per (guard, scope)."""

    path: Path
    type: str
    field: str
    op: Literal["lt", "le", "eq", "ge", "gt"]
    n: int = 0
    limit: Path = ()
    states: tuple[str, ...] = ()
    message: str = ""


class NoOpen(Word, frozen=True):
    """No record of ``type`` whose ``field`` links to the record at ``path`` is in a non-terminal state
    outside ``closed``."""

    path: Path
    type: str
    field: str
    closed: tuple[str, ...] = ()
    message: str = ""


class Signed(Word, frozen=True):
    """The record at ``path`` carries a signature with ``meaning``, by ``n`` different people or more.

    ``act`` asks instead who did that act (a quorum whose votes are acts of different roles).
    """

    meaning: str
    path: Path = ()
    message: str = ""
    n: int = 1
    act: str = ""


class When(Word, frozen=True):
    """``then`` is asked only where ``condition`` holds."""

    condition: Compare
    then: tuple[Guard, ...]


class Rule(Word, frozen=True):
    """Named rule ``name@version``: a registered Python function; ``reads`` is what it may see.

    Each read is ``name: path`` or, for records that link here, a ``Count``-like ``inbound`` entry
    in ``children``: ``name: (path, type, field)``.
    """

    name: str
    version: int
    reads: dict[str, Path] = {}
    children: dict[str, tuple[Path, str, str]] = {}
    message: str = ""


Guard = (
    InState
    | Current
    | Trained
    | NotOnHold
    | Compare
    | InDate
    | Reached
    | Filled
    | Count
    | NoOpen
    | Signed
    | When
    | Rule
)


# --- people, signatures (DOMAIN 2.4) -------------------------------------------------------------


class Signer(Word, frozen=True):
    """Everyone who signed the record at ``path`` with ``meaning``."""

    meaning: str
    path: Path = ()


class Actor(Word, frozen=True):
    """Everyone who did ``act`` on the record at ``path``."""

    act: str
    path: Path = ()


class PersonAt(Word, frozen=True):
    """The person a user link at ``path`` names; an empty path: the record itself is the person."""

    path: Path


class Touched(Word, frozen=True):
    """Everyone who changed the content of the record at ``path``."""

    path: Path = ()


Person = Signer | Actor | PersonAt | Touched


class Signature(Word, frozen=True):
    """What must be signed for a transition to happen.

    ``text`` is the meaning in words, shown before the components are asked for. ``roles`` the
    signer must hold one of; empty: the person named by the transition's ``persons``. ``stage``
    says what must already stand: ``full`` identity verified and policy acknowledged,
    ``before_acknowledgement`` only the identity, ``before_verification`` neither (the owner's
    proof of holding a new key). ``delegable``: a delegate may sign for who delegated the role.
    """

    meaning: str
    text: str
    roles: tuple[Role, ...] = ()
    independent_of: tuple[str, ...] = ()
    stage: Literal["full", "before_acknowledgement", "before_verification"] = "full"
    delegable: bool = True


class Reason(Word, frozen=True):
    """Free-text reason; ``minimum`` characters. REGULATION P11-10-e.7 asks for 10 or more."""

    minimum: int = 10


# --- effects (DOMAIN 2.5) ------------------------------------------------------------------------


class Value(Word, frozen=True):
    """Where a set value comes from: ``literal``, ``actor``, ``now``, ``today``, ``path`` or ``self``.

    ``self`` is a link to the record acted on. ``months`` and ``days`` are added to ``today`` or to the
    date at ``path``; ``months_at`` is the path of a whole number of months to add.
    """

    of: Literal["literal", "actor", "now", "today", "path", "self"]
    literal: str | int | bool = ""
    path: Path = ()
    months: int = 0
    days: int = 0
    months_at: Path = ()


class Set(Word, frozen=True):
    """Set ``field`` of the record itself."""

    field: str
    value: Value


class Snapshot(Word, frozen=True):
    """Copy the content of the record at ``path`` into the entry's snapshot under ``name``."""

    path: Path
    name: str


class Do(Word, frozen=True):
    """Consequence: the record at ``path`` takes ``act`` in the same transaction.

    ``unless`` names states in which it already has what the act would give.
    """

    path: Path
    act: str
    unless: tuple[str, ...] = ()


class DoEach(Word, frozen=True):
    """Consequence: every record of ``type`` whose ``field`` links to the record at ``path`` and that is in
    a state in which ``act`` is possible takes it in the same transaction; the others stay as they are."""

    type: str
    field: str
    act: str
    path: Path = ()


class Append(Word, frozen=True):
    """Add one row to the table ``field`` of the record itself: a chain that only grows."""

    field: str
    row: dict[str, Value]


class Create(Word, frozen=True):
    """Consequence: a record of ``type`` is made; ``link`` names its field that will point here (empty: none).

    ``when``: only where all of these hold. ``each``: a named rule that returns a list of field values, one
    record for each; they win over ``values``.
    """

    type: str
    link: str = ""
    values: dict[str, Value] = {}
    when: tuple[Compare, ...] = ()
    each: Rule | None = None


class Supersede(Word, frozen=True):
    """Consequence: the revision effective until now takes ``act``."""

    act: str = "supersede"


class Compute(Word, frozen=True):
    """Set ``field`` to what the named rule returns for the record as this act leaves it."""

    field: str
    rule: Rule


class Gather(Word, frozen=True):
    """Set ``field`` to what the named gatherer finds in the ledger about the record at ``path``.

    Gathering reads entries, so it happens before the decision; what it found, and up to which tree
    size, is part of the content.
    """

    field: str
    gatherer: str
    version: int
    path: Path = ()


Effect = Set | Append | Snapshot | Do | DoEach | Create | Supersede | Compute | Gather


# --- lifecycle (DOMAIN 2.2) ----------------------------------------------------------------------


class State(Word, frozen=True):
    """One state. ``locked``: content cannot be edited. ``effective``: the version in force.
    ``blocking``: while here, the record this type ``blocks`` is on hold. ``resting``: nobody is waited
    for here, so that the record is in nobody's work. ``voided``: left out of lists unless asked for."""

    name: str
    terminal: bool = False
    locked: bool = False
    effective: bool = False
    blocking: bool = False
    resting: bool = False
    voided: bool = False


class Transition(Word, frozen=True):
    """One act that moves a record from a state to another (``to`` empty: stays).

    ``who`` lists roles; ``persons`` names people of the record who may act by being who they are
    (an empty ``who`` with ``persons`` means only they). ``fields`` may be given with the act.
    ``consequence``: happens only as the effect of another act. ``at`` names a date field: the
    scheduler acts on that day. ``touches``: the actor counts as having changed the content.
    ``clears`` lists meanings and acts that no longer count after it: what was signed is to be signed again.
    ``stops``: the act only ever stops work, so that a hold does not keep anybody from it.
    """

    name: str
    label: str
    from_: tuple[str, ...]
    to: str = ""
    who: tuple[Role, ...] = ()
    persons: tuple[str, ...] = ()
    independent_of: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    requires: tuple[Guard, ...] = ()
    signature: Signature | None = None
    effects: tuple[Effect, ...] = ()
    reason: Reason | None = None
    consequence: bool = False
    at: str = ""
    touches: bool = False
    clears: tuple[str, ...] = ()
    stops: bool = False


class Making(Word, frozen=True):
    """How a record comes to be: who may create it, in which state it starts, what must hold."""

    who: tuple[Role, ...]
    state: str
    requires: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
    signature: Signature | None = None
    reason: Reason | None = None
    consequence: bool = False


class Editing(Word, frozen=True):
    """Who may change the content, in which states; a reason is always asked (first save excepted)."""

    who: tuple[Role, ...]
    states: tuple[str, ...]
    persons: tuple[str, ...] = ()
    requires: tuple[Guard, ...] = ()
    reason: Reason = Reason()


# --- what a record confers -----------------------------------------------------------------------


class Account(Word, frozen=True):
    """The record is a person or service that may act while in ``states``.

    In ``enrolling`` states the owner of a one-time code may do one thing: enrol a key. ``since`` names an
    instant: sessions opened before it have ended. ``start`` and ``end`` name dates: the first and the last
    day of the account. Where ``reader``, a (field, value) pair, holds, the account reads and writes nothing.
    """

    states: tuple[str, ...]
    username: str
    name: str
    keys: str
    enrolling: tuple[str, ...] = ()
    since: str = ""
    start: str = ""
    end: str = ""
    reader: tuple[str, str] | None = None


class GrantsRole(Word, frozen=True):
    """In ``states`` the person at ``person`` holds the role linked at ``role`` from ``start`` to ``end``."""

    states: tuple[str, ...]
    person: str
    role: str
    start: str = ""
    end: str = ""


class Delegates(Word, frozen=True):
    """In ``states`` the person at ``taker`` may act in the role linked at ``role`` for the person at
    ``giver``, from ``start`` to ``end``, as long as the giver holds it. Both count as having acted."""

    states: tuple[str, ...]
    giver: str
    taker: str
    role: str
    start: str
    end: str


class Trains(Word, frozen=True):
    """In ``states`` the person at ``person`` is trained on the document version at ``document``."""

    states: tuple[str, ...]
    person: str
    document: str
    end: str = ""


class EnablesSigning(Word, frozen=True):
    """In ``states`` the person at ``person`` has accepted the signature policy at ``policy``."""

    states: tuple[str, ...]
    person: str
    policy: str


class Certifies(Word, frozen=True):
    """In ``states`` an 11.100(c) certification covers the organisation."""

    states: tuple[str, ...]


class IdentifiesDevice(Word, frozen=True):
    """In ``states`` the record is a source whose deliveries are signed with the key at ``key``."""

    states: tuple[str, ...]
    key: str
    serial: str


class RequiresTraining(Word, frozen=True):
    """In ``states`` holding a role needs training on the documents linked at ``documents``, a field or
    ``table.column``. The role is the one linked at ``role``; empty: the record itself."""

    states: tuple[str, ...]
    documents: str
    role: str = ""


class NeedsCertification(Word, frozen=True):
    """In ``states`` the installation needs an 11.100(c) certification where a row of ``table`` has
    ``column`` equal to ``value``."""

    states: tuple[str, ...]
    table: str
    column: str
    value: str


class GovernsSignatures(Word, frozen=True):
    """In ``states`` this document version is the signature policy, where ``field`` is true."""

    states: tuple[str, ...]
    field: str


class SigningSeries(Word, frozen=True):
    """In ``states``, where ``field`` equals ``value``, later signings of one continuous period ask the
    secret component only (P11-200-a1i)."""

    states: tuple[str, ...]
    field: str
    value: str


class Lists(Word, frozen=True):
    """In ``states`` the record is a controlled list: the rows of ``table`` hold its values in column
    ``value``; one whose column ``retired`` is true can no longer be chosen."""

    states: tuple[str, ...]
    table: str
    value: str
    retired: str


class Preserves(Word, frozen=True):
    """In ``states`` nothing linked at ``field`` may be disposed of, whatever its retention says."""

    states: tuple[str, ...]
    field: str


class Refines(Word, frozen=True):
    """In ``states`` the record type named at ``type`` is refined by the additive patch at ``patch``.

    An empty ``patch``: it was, and is so no more. The definition still names the record, so that one that
    was in force before never comes back as if nothing had been.
    """

    states: tuple[str, ...]
    type: str
    patch: str


Provision = (
    Account
    | GrantsRole
    | Delegates
    | Trains
    | EnablesSigning
    | Certifies
    | IdentifiesDevice
    | RequiresTraining
    | NeedsCertification
    | GovernsSignatures
    | SigningSeries
    | Preserves
    | Refines
    | Lists
)


class Number(Word, frozen=True):
    """``prefix-NNNN`` or ``prefix-YYYY-NNNNN``; ``code`` takes the number's tail from that field."""

    prefix: str
    width: int = 4
    yearly: bool = False
    code: str = ""


class Retention(Word, frozen=True):
    """Class of DOMAIN 1.5, or the longest of the records at ``longest_of``.

    ``events`` dates what starts a clock: event name -> date field of this type. ``class_at`` names a field
    that holds the class (a study says it of itself).
    """

    class_: str = ""
    longest_of: Path = ()
    events: dict[str, str] = {}
    class_at: str = ""


class Type(Word, frozen=True):
    """One record type: a declaration and nothing else.

    ``sandbox_of``: path to the study-like record whose ``field == value`` marks the record as
    unregulated (``Unregulated``). ``revisions``: versions of one number are records of their own
    and at most one is effective. ``blocks``: field that links the record held while in a blocking
    state. ``summary``: fields shown in lists, in order. ``due`` names the date by which the record is to
    have left its open states.
    """

    name: str
    title: str
    version: int
    purpose: str
    number: Number
    gxp: str
    fields: dict[str, Field]
    states: tuple[State, ...]
    create: Making
    transitions: tuple[Transition, ...]
    retention: Retention
    title_field: str
    edit: Editing | None = None
    persons: dict[str, Person] = {}
    provides: tuple[Provision, ...] = ()
    revisions: bool = False
    blocks: str = ""
    summary: tuple[str, ...] = ()
    predicate_rules: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    author: str = "Coverslip"
    migration_note: str = "First version."
    due: str = ""


class Sandbox(Word, frozen=True):
    """The record is unregulated where ``field`` of the record at ``path`` equals ``value``, or that one is.

    Such a record asks no second signature and can never be used by a regulated one.
    """

    path: Path
    field: str
    value: str
