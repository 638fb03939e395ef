"""As it was on a day: a record, its definition of then, and who had acted, holding and knowing what.

Rules kept here:

* The version shown is the one that stood then, rendered under its own definition, with its signatures, state
  and holds of then. Of a document that is the revision in force then, else the latest there was.
* Roles and trainings are those at the moment of each act: what had been entered before it, projected from
  the versions of the records that confer them, under their own definitions (P11-10-g.5, P11-10-i.1).
* What a signer was shown is made again, by the version of the rendering whose hash the signature names; where
  none gives that hash, the text is not called what was shown.
* The matrix says who could do what: roles as granted then, usable or not by the training of then, and the
  acts that the definitions in force then opened to each role.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from coverslip.errors import NotFound
from coverslip.kernel.authority import ANYBODY
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.history import manifests
from coverslip.kernel.past import Moment, Past, Version, in_force, instant
from coverslip.kernel.rows import NIL, Authority, Row
from coverslip.kernel.view import VERSIONS, render, shown_hash

ADMINISTRATOR = "ADM"


class Versions(Protocol):
    """Reading versions of records and definitions as the ledger keeps them."""

    def of_types(self, kinds: Collection[str]) -> Iterator[Version]:
        """Yield every version of every record of these types."""
        ...

    def of_numbers(self, numbers: Collection[str]) -> Iterator[Version]:
        """Yield every version of the records with these numbers, all revisions of each."""
        ...

    def definitions(self) -> list[tuple[str, str, str]]:
        """Return (type, hash, since when) of every definition on the log, in order."""
        ...


class Histories(Protocol):
    """Reading the entries of a record."""

    def history(self, uid: str) -> list[dict[str, Any]]:
        """Return the entries of a record and those about it, oldest first, with their sections."""
        ...


@dataclass(frozen=True)
class AsOf:
    """Answers what stood at a moment; every question is read anew."""

    catalogue: Catalogue
    versions: Versions
    reading: Histories

    def record(self, number: str, revision: int, at: str) -> dict[str, Any]:
        """Return a record as it was. Raises ``NOT_FOUND`` when there was none of that number yet."""
        return _Question(self.catalogue, self.versions, self.reading).record(number, revision, at)

    def signed(self, row: Row, version: int) -> dict[str, Any]:
        """Return what its signer was shown of a record before ``version``, which carries the signature.

        ``shown`` as the signature names it, ``base`` the version that was read (0: this act made the record),
        ``rendering`` the version of the rendering that gives that hash (0: none does) and its ``text``.
        Raises ``NOT_FOUND`` when that version carries no signature.
        """
        return _Question(self.catalogue, self.versions, self.reading).signed(row, version)

    def matrix(self, at: str, person: str = "") -> dict[str, Any]:
        """Return who could do what; of one ``person`` (number) also every act that was open to them.

        Raises ``NOT_FOUND`` when that person had no account then.
        """
        return _Question(self.catalogue, self.versions, self.reading).matrix(at, person)


@dataclass(frozen=True)
class _Question:
    catalogue: Catalogue
    versions: Versions
    reading: Histories
    _documents: dict[str, dict[str, list[Version]]] = field(default_factory=dict)
    """Versions of documents that roles ask, by number; they are asked for each person and role."""

    def record(self, number: str, revision: int, at: str) -> dict[str, Any]:
        moment = Moment(at)
        streams = _streams(self.versions.of_numbers([number]))
        version = self._standing(streams, revision, moment)
        if version is None:
            raise NotFound("NOT_FOUND", what="record", record=f"{number} as of {at}")
        past = self._past()
        stream = [v for v in streams[version.uid] if v.version <= version.version]
        row = version.row(stream[0], past.blockers(version.uid, moment))
        definition = self.catalogue.under(version.kind, version.definition)
        signed = [m for m in manifests(self.reading.history(version.uid)) if m["version"] <= version.version]
        text = render(definition, row, signed)
        return {
            "number": row.number,
            "label": row.label,
            "as_of": at,
            "type": row.type,
            "type_title": definition.type.title,
            "version": row.version,
            "since": row.changed_at,
            "state": row.state,
            "title": row.title,
            "gxp": row.gxp,
            "leaf_hash": row.leaf_hash,
            "definition": {
                "hash": definition.hash,
                "version": definition.type.version,
                "note": definition.type.migration_note,
            },
            "fields": row.fields,
            "text": text,
            "shown": shown_hash(text),
            "signatures": signed,
            "on_hold": [{"number": b.number, "reason": b.reason} for b in row.blockers],
            "acts": [self._act(past, v) for v in stream],
        }

    def signed(self, row: Row, version: int) -> dict[str, Any]:
        entries = self.reading.history(row.uid)
        own = (e for e in entries if e["version"] == version and not e["about"])
        made = next((e["sections"]["signature"] for e in own if e["sections"].get("signature")), None)
        if made is None:
            raise NotFound("NOT_FOUND", what="signature", record=f"{row.label}, entry version {version}")
        statement = made["statement"]
        base = int(statement.get("base", {}).get("ver", 0))
        found = {"shown": str(statement["shown"]), "base": base, "rendering": 0, "text": ""}
        stream = {v.version: v for v in _streams(self.versions.of_numbers([row.number]))[row.uid]}
        if not base:
            return found
        act, read = stream[version], stream[base]
        then = read.row(stream[1], self._past().blockers(row.uid, Moment(act.at, act.position)))
        definition = self.catalogue.under(read.kind, read.definition)
        before = [m for m in manifests(entries) if m["version"] <= base]
        # An enrolment names the account without the signatures on it, and what genesis wrote names itself.
        made_by = act.row(stream[1], ())
        for rendering, (one, signatures) in itertools.product(
            VERSIONS, ((then, before), (then, []), (made_by, []))
        ):
            text = render(definition, one, signatures, rendering)
            if shown_hash(text, rendering) == found["shown"]:
                return found | {"rendering": rendering, "text": text, "base": one.version}
        return found

    def matrix(self, at: str, person: str = "") -> dict[str, Any]:
        moment, past = Moment(at), self._past()
        authority = past.authority(moment)
        definitions = self._definitions(moment)
        people = [self._person(past, authority, account, moment) for account in _accounts(authority)]
        if person:
            people = [p | {"may": _may(p, definitions)} for p in people if p["number"] == person]
            if not people:
                raise NotFound("NOT_FOUND", what="account", record=f"{person} as of {at}")
        return {
            "as_of": at,
            "people": sorted(people, key=lambda p: str(p["number"])),
            "roles": _opened(definitions),
            "definitions": {d.name: d.hash for d in definitions},
        }

    # --- parts ---------------------------------------------------------------------------------

    def _past(self) -> Past:
        kinds = [d.name for d in self.catalogue if d.type.provides or d.type.blocks]
        return Past(self.catalogue, self.versions.of_types(kinds))

    def _standing(self, streams: dict[str, list[Version]], revision: int, moment: Moment) -> Version | None:
        found = [v for stream in streams.values() if (v := in_force(stream, moment)) is not None]
        if revision:
            return next((v for v in found if v.content.get("revision", 0) == revision), None)
        effective = [v for v in found if self._is_effective(v)]
        return max(effective or found, key=lambda v: int(v.content.get("revision", 0)), default=None)

    def _is_effective(self, version: Version) -> bool:
        definition = self.catalogue.under(version.kind, version.definition)
        return version.content["state"] in definition.effective_states

    def _act(self, past: Past, version: Version) -> dict[str, Any]:
        moment = Moment(version.at, version.position)
        authority = past.authority(moment)
        account = next((a for a in authority if _is_account(a) and a.person == version.actor), None)
        found: dict[str, Any] = {"act": version.act, "version": version.version, "at": version.at}
        if account is None:
            return found | {"person": version.actor, "name": "", "roles": [], "trained": []}
        told = self._person(past, authority, account, moment)
        return found | {k: told[k] for k in ("number", "name", "username", "roles", "trained")}

    def _person(
        self, past: Past, authority: tuple[Authority, ...], account: Authority, moment: Moment
    ) -> dict[str, Any]:
        own = [a for a in authority if a.person == account.person]
        everybody = [a for a in authority if a.person == NIL]
        roles = sorted((a for a in own if a.kind == "role"), key=lambda a: (a.code, str(a.data.get("grant"))))
        trained = [a for a in own if a.kind == "trained"]
        policies = [a.subject for a in everybody if a.kind == "policy"]
        acknowledged = {a.subject for a in own if a.kind == "esign"}
        return {
            "number": str(account.data.get("number", "")),
            "username": account.code if account.kind == "account" else "",
            "name": str(account.data.get("name", "")),
            "account": account.kind,
            "verified": bool(account.data.get("verified", account.kind == "device")),
            "reads_only": bool(account.data.get("reads_only")),
            "administrator": any(a.code == ADMINISTRATOR for a in roles),
            "roles": [self._role(past, everybody, trained, role, moment) for role in roles],
            "trained": sorted(
                ({"document": past.named(a, moment), "record": str(a.data["record"])} for a in trained),
                key=lambda t: (t["document"], t["record"]),
            ),
            "acknowledged_policy": bool(policies) and set(policies) <= acknowledged,
        }

    def _role(
        self,
        past: Past,
        everybody: list[Authority],
        trained: list[Authority],
        role: Authority,
        moment: Moment,
    ) -> dict[str, Any]:
        needed = {
            str(number)
            for a in everybody
            if a.kind == "role_document" and a.code == role.code
            for number in a.data.get("documents", ())
        }
        known = {a.subject for a in trained}
        lacking = [label for uid, label in self._in_force(needed, moment) if uid not in known]
        giver = {"on_behalf_of": past.number(str(role.data["behalf"]))} if role.data.get("behalf") else {}
        return {
            "role": role.code,
            "grant": str(role.data.get("grant", "")),
            **giver,
            "usable": not lacking,
            "lacking": lacking,
        }

    def _in_force(self, numbers: set[str], moment: Moment) -> list[tuple[str, str]]:
        """Return (uid, label) of the versions of documents that were in force then."""
        streams: dict[str, list[Version]] = {}
        for number in sorted(numbers):
            if number not in self._documents:
                self._documents[number] = _streams(self.versions.of_numbers([number]))
            streams |= self._documents[number]
        found = [
            v for stream in streams.values() if (v := in_force(stream, moment)) and self._is_effective(v)
        ]
        return sorted((v.uid, f"{v.content['number']} v{v.content.get('revision', 1)}") for v in found)

    def _definitions(self, moment: Moment) -> list[Definition]:
        found: dict[str, str] = {}
        for name, hash, since in self.versions.definitions():
            if instant(since) <= instant(moment.at):
                found[name] = hash
        return [self.catalogue.under(name, hash) for name, hash in sorted(found.items())]


def _streams(versions: Iterable[Version]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(version.uid, []).append(version)
    return found


def _is_account(row: Authority) -> bool:
    return row.kind in ("account", "device")


def _accounts(authority: Iterable[Authority]) -> list[Authority]:
    return [a for a in authority if _is_account(a)]


def _opened(definitions: Iterable[Definition]) -> dict[str, dict[str, list[str]]]:
    """Return role -> type -> acts; ``*`` is everybody with an account, ``(named)`` who the record names."""
    found: dict[str, dict[str, list[str]]] = {}
    for definition in definitions:
        for act, roles in _acts(definition):
            for role in roles:
                found.setdefault(role, {}).setdefault(definition.name, []).append(act)
    return {role: found[role] for role in sorted(found)}


def _acts(definition: Definition) -> Iterator[tuple[str, tuple[str, ...]]]:
    declared = definition.type
    yield "create", declared.create.who
    if declared.edit is not None:
        yield "edit", (*declared.edit.who, *(("(named)",) if declared.edit.persons else ()))
    for found in declared.transitions:
        if not found.consequence:
            yield found.name, (*found.who, *(("(named)",) if found.persons else ()))


def _may(person: dict[str, Any], definitions: Iterable[Definition]) -> dict[str, list[str]]:
    if person["reads_only"] or not person["verified"]:
        return {}
    usable = {role["role"] for role in person["roles"] if role["usable"]} | {ANYBODY}
    found = {d.name: [act for act, roles in _acts(d) if usable & set(roles)] for d in definitions}
    return {name: acts for name, acts in found.items() if acts}
