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

from coverslip.kernel.conditions import (
    Compare as Compare,
    Count as Count,
    Current as Current,
    Filled as Filled,
    Guard as Guard,
    InDate as InDate,
    InState as InState,
    NoOpen as NoOpen,
    NotOnHold as NotOnHold,
    Reached as Reached,
    Rule as Rule,
    Signed as Signed,
    Trained as Trained,
    When as When,
)
from coverslip.kernel.conferring import (
    Account as Account,
    Certifies as Certifies,
    Delegates as Delegates,
    EnablesSigning as EnablesSigning,
    GovernsSignatures as GovernsSignatures,
    GrantsRole as GrantsRole,
    IdentifiesDevice as IdentifiesDevice,
    Lists as Lists,
    NeedsCertification as NeedsCertification,
    Preserves as Preserves,
    Provision as Provision,
    Refines as Refines,
    RequiresTraining as RequiresTraining,
    SigningSeries as SigningSeries,
    Trains as Trains,
)
from coverslip.kernel.kinds import (
    Bool as Bool,
    Column as Column,
    Date as Date,
    Decimal as Decimal,
    Enum as Enum,
    Field as Field,
    File as File,
    Instant as Instant,
    Int as Int,
    Json as Json,
    Kind as Kind,
    Link as Link,
    Path as Path,
    Quantity as Quantity,
    Rich as Rich,
    Role as Role,
    Table as Table,
    Text as Text,
    Vocab as Vocab,
    Word as Word,
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

    ``next_of``: instead of a new number, the next version of the record at this path, of its type (``type``
    stays empty): its newest version is copied but for computed fields and those named in ``without``.
    """

    type: str = ""
    link: str = ""
    values: dict[str, Value] = {}
    when: tuple[Compare, ...] = ()
    each: Rule | None = None
    next_of: Path = ()
    without: tuple[str, ...] = ()


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
    size, is part of the content. ``asked``: a guard of the act looks at it, so that it is gathered as well
    when somebody only asks whether the act is open to them.
    """

    field: str
    gatherer: str
    version: int
    path: Path = ()
    asked: bool = False


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
    ``stops``: the act only ever stops work, so that a hold does not keep anybody from it. ``aside``: it ends
    or turns back the record by the way; it is possible, and nobody is waited for to do it.
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
    aside: bool = False


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
