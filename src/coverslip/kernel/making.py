"""Making records as the consequence of an act: one draft, its links fitted to what its type declares.

Rules kept here:

* A made record passes its type's own guards and has every required field, or the act that would have
  made it is refused: nothing half made is kept.
* A link to the record that made it is completed when that record's entry is built, because only then
  is there a hash to pin it to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from coverslip.errors import Refused
from coverslip.kernel import guards, words as w
from coverslip.kernel.definition import Catalogue, Definition
from coverslip.kernel.drafts import Created, Draft, Request, title_of
from coverslip.kernel.facts import Facts
from coverslip.kernel.rows import Row


class Maker:
    """Makes drafts of new records from what an act gives them."""

    def __init__(self, request: Request, facts: Facts, people: tuple[str, ...]) -> None:
        self._request, self._facts, self._people = request, facts, people
        self._made: dict[str, int] = {}

    def actor_link(self) -> dict[str, str]:
        """Return a link to the acting person or device."""
        row = next(
            a
            for a in self._facts.authority
            if a.person == self._people[0] and a.kind in ("account", "device")
        )
        return {
            "type": str(row.data.get("type", "")),
            "uid": self._people[0],
            "number": str(row.data.get("number", "")),
        }

    def make(self, kind: str, parent: Draft, fields: dict[str, Any], links: tuple[str, ...]) -> Created:
        """Return the new record of ``kind``; ``links`` names the fields that will point to ``parent``.

        Raises ``SEQ_PRE`` where it would lack a required field or not pass its type's guards.
        """
        definition = self._request.catalogue[kind]
        index = self._made[kind] = self._made.get(kind, 0) + 1
        known = {row.uid: row for row in [*_rows(self._facts), parent.as_row()]}
        fields = {n: _fitted(self._request.catalogue, definition, n, v, known) for n, v in fields.items()}
        for name in links:
            fields[name] = back_link(self._request.catalogue, definition, name, parent.as_row())
        for name, declared in definition.type.fields.items():
            if declared.default is not None:
                fields.setdefault(name, declared.default)
        uid, number = self._request.ids.take(definition, index, fields)
        content = self._content(definition, number, fields, sandbox=bool(parent.content.get("sandbox")))
        if definition.type.revisions:
            content["revision"] = 1
        draft = self._effects(Draft(definition, uid, "create", 1, None, content), known, parent)
        return Created(draft, links, parent.uid)

    def next_version(
        self, newest: Row, parent: Draft, given: dict[str, Any], without: tuple[str, ...]
    ) -> Created:
        """Return the version after ``newest``: a copy that nobody signed, less what is to be said anew.

        Left out are computed fields and ``without``; ``given`` wins. Raises ``SEQ_STATE`` while the newest
        version is still a draft, and ``SEQ_PRE`` as ``make`` does.
        """
        definition = self._request.catalogue[newest.type]
        sandbox = bool(parent.content.get("sandbox"))
        require_next(definition, newest, sandbox=sandbox)
        known = {row.uid: row for row in [*_rows(self._facts), parent.as_row()]}
        kinds = definition.type.fields
        fields = {
            n: v
            for n, v in newest.fields.items()
            if n in kinds and kinds[n].source != "computed" and n not in without
        }
        for name, value in given.items():
            if value is not None:
                fields[name] = _fitted(self._request.catalogue, definition, name, value, known)
        index = self._made[newest.type] = self._made.get(newest.type, 0) + 1
        uid, number = self._request.ids.take(definition, index, fields, newest.number)
        content = self._content(definition, number, fields, sandbox=sandbox)
        content["revision"] = newest.revision + 1
        draft = self._effects(Draft(definition, uid, "create", 1, None, content), known, parent)
        return Created(draft, (), parent.uid)

    def _content(
        self, definition: Definition, number: str, fields: dict[str, Any], *, sandbox: bool
    ) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": definition.name,
            "number": number,
            "gxp": "none" if sandbox else definition.type.gxp,
            "created_at": self._facts.now,
            "created_by": self._people[0],
            "state": definition.type.create.state,
            "fields": fields,
            "people": {"create": list(self._people), "touched": list(self._people)},
            "title": "",
        }
        if sandbox:
            content["sandbox"] = True
        return content

    def _effects(self, draft: Draft, known: dict[str, Row], parent: Draft) -> Draft:
        """Apply the effects of the type's own creation, and ask its guards."""
        declared = draft.definition.type
        fields = dict(draft.fields)
        base = f"made/{draft.uid}"
        reads = {
            f"{base}/{name}": tuple(known[uid] for uid in _uids(value) if uid in known)
            for name, value in fields.items()
        }
        facts = replace(self._facts, reads={**self._facts.reads, **reads})
        for effect in declared.create.effects:
            scene = guards.Scene(
                self._request.catalogue, facts, base, None, fields, self._people[0], "create"
            )
            if isinstance(effect, w.Compute):
                value = guards.ask_rule(effect.rule, scene)
                fields |= {} if value is None else {effect.field: value}
            elif isinstance(effect, w.Set):
                fields |= self._set(effect, scene)
        if declared.title_field not in fields:
            fields[declared.title_field] = parent.as_row().title or parent.number
        scene = guards.Scene(self._request.catalogue, facts, base, None, fields, self._people[0], "create")
        said = [u.sentence for u in guards.unmet(declared.create.requires, scene)]
        said += [
            f"{declared.title.lower()} has {f.label.lower()}"
            for n, f in declared.fields.items()
            if (f.required or declared.create.state in f.required_at) and n not in fields
        ]
        if said:
            raise Refused(
                "SEQ_PRE",
                record=parent.number,
                action=parent.act.replace("_", " "),
                conditions="; ".join(said),
                unmet=said,
            )
        return replace(
            draft, content={**draft.content, "fields": fields, "title": title_of(declared, fields)}
        )

    def _set(self, effect: w.Set, scene: guards.Scene) -> dict[str, Any]:
        value = effect.value
        found: Any = {
            "literal": value.literal,
            "now": self._facts.now,
            "today": self._facts.today,
            "actor": self.actor_link() if value.of == "actor" else None,
            "path": next(iter(scene.values(value.path)), None) if value.of == "path" else None,
        }.get(value.of)
        found = guards.dated(value, found, scene)
        return {} if found is None else {effect.field: found}


def require_next(definition: Definition, previous: Row, *, sandbox: bool) -> None:
    """Refuse a version after ``previous`` where there are none, where it is open, or across the fence.

    Raises ``SEQ_STATE`` or ``SEQ_PRE``.
    """
    locked = [s.name for s in definition.type.states if s.locked]
    if not definition.type.revisions or previous.state not in locked:
        raise Refused(
            "SEQ_STATE",
            record=previous.label,
            state=previous.state,
            action="new version",
            states=" or ".join(locked) if definition.type.revisions else "types that have versions",
        )
    if bool(previous.content.get("sandbox")) != sandbox:
        raise Refused(
            "SEQ_PRE",
            record=previous.label,
            action="new version",
            conditions=f"{previous.number} and its next version are both regulated, or both of a sandbox",
        )


def _rows(facts: Facts) -> Iterator[Row]:
    if facts.record is not None:
        yield facts.record
    for rows in facts.reads.values():
        yield from rows


def _uids(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and "uid" in item:
            yield str(item["uid"])


def back_link(catalogue: Catalogue, definition: Definition, name: str, row: Row) -> Any:
    """Return the link to ``row`` as field ``name`` keeps it: pinned or not, one or a list of one."""
    declared = definition.type.fields[name]
    link = _as_declared(catalogue, declared.kind, row)
    return [link] if declared.many else link


def pointing(catalogue: Catalogue, created: Created, parent: Row) -> Draft:
    """Return the made record with its links to the record that made it, pinned to the entry just built."""
    draft = created.draft
    links = {name: back_link(catalogue, draft.definition, name, parent) for name in created.links}
    return replace(draft, content={**draft.content, "fields": {**draft.fields, **links}})


def _as_declared(catalogue: Catalogue, kind: w.Kind, row: Row) -> dict[str, Any]:
    pinned = not isinstance(kind, w.Link) or kind.pin == "version"
    link = row.link(pinned=pinned)
    if not pinned and catalogue[row.type].type.revisions:
        del link["uid"]
    return link


def _fitted(
    catalogue: Catalogue, definition: Definition, name: str, value: Any, known: dict[str, Row]
) -> Any:
    declared = definition.type.fields[name]
    if isinstance(value, list):
        return [_fitted_one(catalogue, declared.kind, v, known) for v in value]
    fitted = _fitted_one(catalogue, declared.kind, value, known)
    return [fitted] if declared.many else fitted


def _fitted_one(catalogue: Catalogue, kind: w.Kind, value: Any, known: dict[str, Row]) -> Any:
    if isinstance(kind, w.Table) and isinstance(value, dict):
        return {
            c: _fitted_one(catalogue, kind.columns[c].kind, v, known) if c in kind.columns else v
            for c, v in value.items()
        }
    if isinstance(kind, w.Link) and isinstance(value, dict) and value.get("uid") in known:
        return _as_declared(catalogue, kind, known[str(value["uid"])])
    return value
