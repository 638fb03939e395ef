"""Genesis: the first entries of an installation, and the only way past a guard (DOMAIN 3.11).

Rules kept here:

* Possible only at log size 0, by named founders: at least three people, with ADM, QA and AUT among
  them, nobody verifying themselves.
* One command, every entry of type ``genesis``, every signature real: founders enrol keys of their
  own, verify each other in a circle, and sign the signature policy and its acknowledgement.
* The types it makes are given by the caller as a ``Charter``: the kernel names none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from coverslip.errors import Invalid, Refused
from coverslip.kernel import entries, keys, signature, words as w
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Change, Context
from coverslip.kernel.content import Normaliser, raise_problems
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.drafts import Draft, title_of
from coverslip.kernel.facts import Facts
from coverslip.kernel.ports import Batch, Store
from coverslip.kernel.rows import NIL, Row
from coverslip.kernel.signature import PREFIX, Signer
from coverslip.kernel.view import render, shown_hash
from coverslip.ledger import canonical
from coverslip.ledger.identity import uuid7

NEEDED = ("ADM", "QA", "AUT")


@dataclass(frozen=True, slots=True, repr=False)
class Founder:
    """One founder: what they are called, the roles they take, and the secret they chose themselves."""

    username: str
    name: str
    email: str
    roles: tuple[str, ...]
    secret: str
    document: str = ""
    """By what the founder who verified this one's identity knows them; empty: in person."""

    def __repr__(self) -> str:
        return f"Founder({self.username!r}, {self.roles!r})"


@dataclass(frozen=True, slots=True)
class Step:
    """One version genesis writes: ``act`` on the record called ``key``.

    ``fields`` may hold ``{"$": key}`` for a link to another genesis record. ``by`` names the founder
    who acts; ``signs`` a transition's or creation's signature word to fulfil, ``state`` the outcome.
    """

    key: str
    type: str
    act: str
    state: str
    by: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    signs: w.Signature | None = None
    number: str = ""


class Genesis:
    """Writes the first command of a log."""

    def __init__(self, catalogue: Catalogue, store: Store, accounts: Accounts) -> None:
        self._catalogue, self._store, self._accounts = catalogue, store, accounts
        self._rows: dict[str, Row] = {}
        self._keys: dict[str, tuple[str, keys.Enrolment, Founder]] = {}
        self._sign_as: dict[str, Callable[[bytes], bytes]] = {}
        self._built: list[entries.Built] = []

    def run(
        self,
        founders: tuple[Founder, ...],
        steps: Callable[[Mapping[str, keys.Enrolment]], tuple[Step, ...]],
        context: Context,
        clock: Mapping[str, Any],
    ) -> int:
        """Write genesis and return how many entries it took.

        ``steps`` gets each founder's enrolled key and says what to write; the record of a founder has
        the founder's user name as its key.

        Raises:
            Invalid: fewer than three people, or a needed role missing.
            Refused: the log is not empty.
        """
        self._require(founders)
        answer = self._store.facts({})
        installation = answer["installation"]
        if int(installation.get("version", 0)) != 0:
            raise Refused(
                "SEQ_STATE",
                record=installation["origin"],
                state="founded",
                action="genesis",
                states="an empty log",
            )
        for founder in founders:
            uid = str(uuid7())
            keys.check_secret(founder.secret, founder.username)
            made, self._sign_as[founder.username] = keys.enrol_and_sign(founder.secret, uid)
            made.wrapped["enrolled_at"] = answer["now"]
            self._keys[founder.username] = (uid, made, founder)
        # Keys take seconds to derive; the time of all entries is taken after that.
        now = self._store.facts({})["now"]
        self._facts = Facts(now, None, 0, (), None, {}, installation, {}, dict(clock))
        self._context = context
        self._frame = entries.Frame(installation["origin"], str(uuid7()), now, clock, context, "genesis")
        self._definitions(installation["uuid"], installation["use"])
        for step in steps({name: made for name, (_, made, _) in self._keys.items()}):
            self._write(step)
        self._sign_as.clear()
        return self._commit()

    def _require(self, founders: tuple[Founder, ...]) -> None:
        held = {role for f in founders for role in f.roles}
        missing = [role for role in NEEDED if role not in held]
        if len({f.username.casefold() for f in founders}) < 3 or missing:
            raise Invalid(
                "VAL_REQ",
                field=f"three founders, among them {', '.join(NEEDED)}",
                state="an installation opens",
            )
        holder = {role: f.username for f in reversed(founders) for role in f.roles}
        if holder["AUT"] == holder["QA"]:
            raise Invalid(
                "VAL_VOCAB",
                field=f"roles of {holder['QA']}",
                value="AUT and QA, nobody else being one of them first",
                choices="one person who writes the policy and another who approves it",
            )
        for founder in founders:
            if "ADM" in founder.roles and set(founder.roles) & {"OPR", "ANL", "REV", "QA"}:
                raise Invalid(
                    "VAL_VOCAB",
                    field=f"roles of {founder.username}",
                    value="ADM with another",
                    choices="ADM or a role that works with records, not both",
                )

    def _definitions(self, installation: str, use: str) -> None:
        """Put every type definition on the ledger, as versions of the installation's stream.

        The first says what the installation is used for, so that nobody can say otherwise later.
        """
        previous: str | None = None
        for version, definition in enumerate(self._catalogue, start=1):
            made = entries.section("definition", canonical.decode(definition.canonical))
            said = {"type": definition.name, "hash": definition.hash} | ({"use": use} if version == 1 else {})
            detail = entries.section("detail", said)
            built = entries.build_event(
                self._frame,
                "installation",
                installation,
                version,
                previous,
                "define",
                {"definition": made, "detail": detail},
            )
            previous = built.leaf_hash
            self._built.append(built)

    # --- one version ---------------------------------------------------------------------------

    def _write(self, step: Step) -> None:
        definition = self._catalogue[step.type]
        base = self._rows.get(step.key)
        founder_uid, made, founder = self._keys[step.by]
        given = {name: self._resolve(value) for name, value in step.fields.items()}
        fields = {**(base.fields if base else _defaults(definition.type)), **self._normalise(step, given)}
        content = self._content(step, base, fields, founder_uid)
        uid = base.uid if base else self._keys[step.key][0] if step.key in self._keys else str(uuid7())
        draft = Draft(
            definition, uid, step.act, base.version + 1 if base else 1, base, content, signature=step.signs
        )
        sections = entries.content_sections(draft)
        if step.signs is not None:
            sections["signature"] = self._sign(draft, sections, founder_uid, made, founder)
        by = replace(self._context, person=founder_uid)
        frame = replace(self._frame, context=by)
        built = entries.build_record(frame, draft, sections, step.signs.meaning if step.signs else "")
        self._built.append(replace(built, new=replace(built.new, actor=UUID(founder_uid))))
        self._rows[step.key] = draft.as_row(built.leaf_hash)

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"$"}:
            row = self._rows.get(value["$"])
            if row is None:
                uid, _, founder = self._keys[value["$"]]
                raise Invalid(
                    "VAL_FORM", field=founder.username, expected="written before it is linked", found=uid
                )
            return {"number": row.number, **({"revision": row.revision} if row.revision else {})}
        if isinstance(value, list):
            return [self._resolve(v) for v in value]
        if isinstance(value, dict):
            return {k: self._resolve(v) for k, v in value.items()}
        return value

    def _normalise(self, step: Step, given: dict[str, Any]) -> dict[str, Any]:
        found = {(r.number, r.revision): r for r in self._rows.values()}
        found |= {(r.number, 0): r for r in self._rows.values()}
        normalise = Normaliser(
            self._catalogue, self._catalogue[step.type], found, today=self._facts.today, sandbox=False
        )
        fields = {name: normalise.field(name, value) for name, value in given.items()}
        raise_problems(normalise.problems, step.number or step.type)
        return fields

    def _content(self, step: Step, base: Row | None, fields: dict[str, Any], person: str) -> dict[str, Any]:
        declared = self._catalogue[step.type].type
        if base is not None:
            content = dict(base.content)
        else:
            content = {
                "type": step.type,
                "number": step.number or self._number(declared, fields),
                "gxp": declared.gxp,
                "created_at": self._frame.at,
                "created_by": person,
            }
            if declared.revisions:
                content["revision"] = 1
        people = {k: list(v) for k, v in (base.people if base else {}).items()}
        names = [
            step.act,
            *(["touched"] if base is None else []),
            *([f"signed_{step.signs.meaning}"] if step.signs else []),
        ]
        for name in names:
            people.setdefault(name, []).append(person)
        content |= {
            "state": step.state,
            "fields": fields,
            "people": people,
            "title": title_of(declared, fields),
        }
        return content

    def _number(self, declared: w.Type, fields: dict[str, Any]) -> str:
        number = declared.number
        if number.code:
            return f"{number.prefix}-{fields[number.code]}"
        answer = self._store.facts({"number": number.prefix})
        year = f"{self._frame.at[:4]}-" if number.yearly else ""
        return f"{number.prefix}-{year}{int(answer['number']):0{number.width}d}"

    def _sign(
        self,
        draft: Draft,
        sections: dict[str, entries.Section],
        uid: str,
        made: keys.Enrolment,
        founder: Founder,
    ) -> entries.Section:
        shown = shown_hash(render(draft.definition, draft.as_row()))
        signer = Signer(uid, founder.username, founder.name, made.wrapped)
        change = Change(draft.act, shown=shown)
        role = next((r for r in founder.roles if draft.signature and r in draft.signature.roles), "founder")
        signed = signature.statement(
            self._facts,
            draft,
            sections,
            change,
            self._context,
            signer,
            role,
            None,
            ["user_id", "password"],
            str(uuid7()),
        )
        value = self._sign_as[founder.username](PREFIX + canonical.encode(signed))
        return entries.section(
            "signature",
            {
                "scheme": keys.SCHEME,
                "kid": made.kid,
                "public": made.public,
                "signature": value.hex(),
                "statement": signed,
            },
        )

    def _commit(self) -> int:
        at = entries.instant(self._frame.at)
        built = tuple(b.new for b in self._built)
        self._store.commit(Batch(UUID(self._frame.command), UUID(NIL), at, built))
        for uid, made, _ in self._keys.values():
            self._accounts.put_credential(uid, made.kid, made.wrapped)
        return len(built)


def _defaults(declared: w.Type) -> dict[str, Any]:
    return {name: f.default for name, f in declared.fields.items() if f.default is not None}
