"""Projecting: the current state a record version leaves behind, as a pure function of its content.

Rules kept here: nothing but content and definition goes in, so that the ledger alone rebuilds every
projection (law 1), and ``ledger replay`` compares.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from coverslip.kernel import words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.keys import PASSKEY
from coverslip.kernel.ports import Projection
from coverslip.kernel.rows import NIL, Row

_LOOK_ALIKES = str.maketrans("0135$|аеорсухіΟοΑαΕε", "oless1aeopcyxiooaaee")


def project(definition: Definition, uid: str, content: dict[str, Any]) -> Projection:
    """Return the projection of one version; ``content`` includes its personal fields."""
    fields: dict[str, Any] = content["fields"]
    site = fields.get("site")
    return Projection(
        number=content["number"],
        state=content["state"],
        title=content["title"],
        gxp=content["gxp"],
        definition=definition.hash,
        content=content,
        revision=content.get("revision", 0),
        site=UUID(site["uid"]) if isinstance(site, dict) and "uid" in site else None,
        links=list(_links(definition, fields)),
        authority=[
            row for word in definition.type.provides for row in _authority(word, definition, uid, content)
        ],
        blocks=list(_blocks(definition, content)),
        unique=list(_unique(definition, fields)),
    )


def same_links(definition: Definition, before: Row, content: dict[str, Any]) -> bool:
    """Return whether a new version links as the one before it did, both under one definition."""
    fields: dict[str, Any] = content["fields"]
    if before.definition != definition.hash:
        return False
    return list(_links(definition, fields)) == list(_links(definition, before.fields))


def _links(definition: Definition, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str]] = set()
    for name in definition.link_fields:
        table, _, column = name.partition(".")
        value = fields.get(table)
        for item in value if isinstance(value, list) else [value]:
            link = item.get(column) if column and isinstance(item, dict) else item
            if isinstance(link, dict) and "uid" in link and (name, link["uid"]) not in seen:
                seen.add((name, link["uid"]))
                row = {"field": name, "type": link["type"], "uid": link["uid"]}
                yield row | ({"version": link["version"]} if "version" in link else {})


def _blocks(definition: Definition, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name = definition.type.blocks
    if name and definition.state(content["state"]).blocking:
        link = content["fields"][name]
        reason = str(content["fields"].get(definition.type.title_field, ""))
        yield {"target_type": link["type"], "target_uid": link["uid"], "reason": reason[:500]}


def _unique(definition: Definition, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, declared in definition.type.fields.items():
        if declared.unique and isinstance(fields.get(name), str):
            forever = declared.unique == "forever"
            value = skeleton(fields[name]) if forever else fields[name]
            yield {"scope": f"{definition.name}.{name}", "value": value, "forever": forever}


def skeleton(text: str) -> str:
    """Return the form under which look-alike names collide: folded, normalised, confusables merged."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return plain.translate(_LOOK_ALIKES).replace("i", "l").replace("rn", "m").replace("vv", "w")


def _authority(
    word: w.Provision, definition: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    enrolling = word.enrolling if isinstance(word, w.Account) else ()
    if content["state"] in (*word.states, *enrolling):
        yield from _GIVE[type(word)](word, definition, uid, content)


def _account(word: w.Account, d: Definition, uid: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    data = {
        "type": d.name,
        "number": content["number"],
        "name": fields[word.name],
        "verified": content["state"] in word.states,
        "kids": [k["kid"] for k in fields.get(word.keys, ()) if k["scheme"] != PASSKEY],
    }
    waiting = fields.get(word.waiting, ()) if word.waiting else ()
    passkeys = [k for k in fields.get(word.keys, ()) if k["scheme"] == PASSKEY]
    if passkeys:
        data["passkeys"] = {k["kid"]: k["public"] for k in passkeys if k["kid"] not in waiting}
        data["passkeys_waiting"] = {k["kid"]: k["public"] for k in passkeys if k["kid"] in waiting}
    if word.since and word.since in fields:
        data["since"] = fields[word.since]
    if word.reader and fields.get(word.reader[0]) == word.reader[1]:
        data["reads_only"] = True
    row = {"person": uid, "kind": "account", "code": fields[word.username], "data": data}
    yield row | _span(
        fields.get(word.start) if word.start else None, fields.get(word.end) if word.end else None
    )


def _role(word: w.GrantsRole, d: Definition, uid: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    row = {
        "person": fields[word.person]["uid"],
        "kind": "role",
        "code": fields[word.role]["number"].split("-", 1)[1],
        "data": {"grant": content["number"]},
    }
    yield row | _span(fields.get(word.start), fields.get(word.end))


def _delegated(
    word: w.Delegates, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    row = {
        "person": fields[word.taker]["uid"],
        "kind": "role",
        "code": fields[word.role]["number"].split("-", 1)[1],
        "data": {"grant": content["number"], "behalf": fields[word.giver]["uid"]},
    }
    yield row | _span(fields.get(word.start), fields.get(word.end))


def _nothing(word: w.Provision, d: Definition, uid: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Words that are looked up where they are declared confer nothing on anybody."""
    return iter(())


def _span(start: str | None, end: str | None) -> dict[str, str]:
    span: dict[str, str] = {}
    if start:
        span["valid_from"] = f"{start[:10]}T00:00:00Z"
    if end:
        following = dt.date.fromisoformat(end[:10]) + dt.timedelta(days=1)
        span["valid_to"] = f"{following.isoformat()}T00:00:00Z"
    return span


def _trains(word: w.Trains, d: Definition, uid: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    document = fields[word.document]
    row = {
        "person": fields[word.person]["uid"],
        "kind": "trained",
        "code": document["number"],
        "subject": document["uid"],
        "data": {"record": content["number"]},
    }
    yield row | _span(None, fields.get(word.end) if word.end else None)


def _esign(
    word: w.EnablesSigning, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    yield {
        "person": fields[word.person]["uid"],
        "kind": "esign",
        "code": fields[word.policy]["number"],
        "subject": fields[word.policy]["uid"],
        "data": {"record": content["number"]},
    }


def _certifies(
    word: w.Certifies, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    yield {"person": NIL, "kind": "certified", "code": content["number"], "data": {}}


def _device(
    word: w.IdentifiesDevice, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    if fields.get(word.key):
        data = {
            "type": d.name,
            "number": content["number"],
            "key": fields[word.key],
            "serial": fields[word.serial],
            "name": content["title"],
        }
        yield {"person": uid, "kind": "device", "code": content["number"], "data": data}


def _role_documents(
    word: w.RequiresTraining, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    table, _, column = word.documents.partition(".")
    given = content["fields"].get(table, ())
    numbers = [item[column]["number"] if column else item["number"] for item in given]
    role = content["fields"][word.role]["number"] if word.role else content["number"]
    if numbers:
        yield {
            "person": NIL,
            "kind": "role_document",
            "code": role.split("-", 1)[1],
            "data": {"documents": numbers},
        }


def _needs(
    word: w.NeedsCertification, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if any(row.get(word.column) == word.value for row in content["fields"].get(word.table, ())):
        yield {"person": NIL, "kind": "needs_certification", "code": content["number"], "data": {}}


def _policy(
    word: w.GovernsSignatures, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if content["fields"].get(word.field) is True:
        yield {
            "person": NIL,
            "kind": "policy",
            "code": content["number"],
            "subject": uid,
            "data": {"revision": content.get("revision", 1)},
        }


def _series(
    word: w.SigningSeries, d: Definition, uid: str, content: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if content["fields"].get(word.field) == word.value:
        yield {"person": NIL, "kind": "series", "code": content["number"], "data": {}}


def _refines(word: w.Refines, d: Definition, uid: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    fields = content["fields"]
    data = {"type": fields[word.type]}
    if word.patch:
        data["patch"] = fields[word.patch]
    yield {"person": NIL, "kind": "refines", "code": content["number"], "data": data}


_GIVE: dict[type, Any] = {
    w.Account: _account,
    w.GrantsRole: _role,
    w.Delegates: _delegated,
    w.Preserves: _nothing,
    w.Refines: _nothing,
    w.Lists: _nothing,
    w.Trains: _trains,
    w.EnablesSigning: _esign,
    w.Certifies: _certifies,
    w.IdentifiesDevice: _device,
    w.RequiresTraining: _role_documents,
    w.NeedsCertification: _needs,
    w.GovernsSignatures: _policy,
    w.SigningSeries: _series,
    w.Refines: _refines,
}
