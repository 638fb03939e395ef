"""Who may act, by what role, and who is independent of whom.

Rules kept here:

* Authority is looked at in the facts of this very act, never remembered (P11-10-g.1).
* A role counts only while the person is trained on what it requires (P11-10-g.3).
* Independence is by person over everyone named, never by role (P11-10-g.2).
* In a sandbox one person may do every act; nobody else's signature is asked.
* The service's role is held in a service session only, the device's in a device session only: neither a
  device's key nor a person's grant makes anybody the installation.
* Before identity is verified an account enrols its own key and does nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from coverslip.errors import Refused
from coverslip.kernel import roles as named, words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.facts import SELF, Facts
from coverslip.kernel.rows import NIL, Authority, Row

ANYBODY = "*"
SERVICE_ROLE = named.SERVICE
DEVICE_ROLE = named.DEVICE


def roles_held(facts: Facts, person: str) -> dict[str, Authority]:
    """Return the roles the person holds at the moment of the facts, by code."""
    mine = [a for a in facts.authority if a.kind == "role" and a.person == person]
    # What a person holds themselves wins over what was delegated to them.
    found = {a.code: a for a in sorted(mine, key=lambda a: not a.data.get("behalf"))}
    found.pop(DEVICE_ROLE, None)
    if (facts.session or {}).get("kind") != "service":
        found.pop(SERVICE_ROLE, None)
    device = next((a for a in facts.authority if a.kind == "device" and a.person == person), None)
    return found | ({DEVICE_ROLE: device} if device is not None else {})


def behalf_of(facts: Facts, person: str, role: str) -> Authority | None:
    """Return the delegation by which a person holds a role for somebody else; None where it is their own."""
    found = roles_held(facts, person).get(role)
    return found if found is not None and found.data.get("behalf") else None


def require_writer(facts: Facts, person: str, record: str, action: str) -> None:
    """Refuse an account that reads only: an inspector writes nothing (DOMAIN 1.1)."""
    account = next((a for a in facts.authority if a.kind == "account" and a.person == person), None)
    if account is not None and account.data.get("reads_only"):
        raise Refused(
            "AUTH_ROLE",
            record=record,
            role="an account that may write",
            action=action,
            roles="an account that only reads",
        )


def require_account(facts: Facts, person: str) -> None:
    """Refuse an actor that is neither an active account nor a device in service."""
    if not any(a.kind in ("account", "device") and a.person == person for a in facts.authority):
        raise Refused("AUTH_REQUIRED")


def require_verified(facts: Facts, person: str) -> None:
    """Refuse an account whose owner nobody has verified yet, or not since its credentials were reset."""
    account = next((a for a in facts.authority if a.kind == "account" and a.person == person), None)
    if account is not None and not account.data.get("verified"):
        raise Refused("IDENTITY_NOT_VERIFIED", person="you")


def documents_known(facts: Facts, person: str) -> bool:
    """Return whether every document the person's roles require was in force when the facts were read."""
    held = roles_held(facts, person)
    needed = {
        number
        for a in facts.authority
        if a.kind == "role_document" and a.code in held
        for number in a.data.get("documents", ())
    }
    return needed <= {document.number for document in facts.documents}


def missing_training(facts: Facts, person: str, role: str) -> Row | None:
    """Return the first document the role requires and the person is not trained on."""
    needed = {
        number
        for a in facts.authority
        if a.kind == "role_document" and a.code == role
        for number in a.data.get("documents", ())
    }
    trained = {a.subject for a in facts.authority if a.kind == "trained" and a.person == person}
    return next((d for d in facts.documents if d.number in needed and d.uid not in trained), None)


def require_role(
    facts: Facts, person: str, who: Iterable[str], action: str, record: str, *, delegated: bool = True
) -> str:
    """Return the role under which the person may act; refuse with AUTH_ROLE or AUTH_TRAIN.

    Their own roles come before those delegated to them, which do not count unless ``delegated``.
    """
    wanted = tuple(who)
    held = roles_held(facts, person)
    own = {code: a for code, a in held.items() if not a.data.get("behalf")}
    if ANYBODY in wanted:
        return next(iter(sorted(own)), "")
    held = held if delegated else own
    usable = sorted((code for code in wanted if code in held), key=lambda code: code not in own)
    if not usable:
        raise Refused(
            "AUTH_ROLE",
            record=record,
            role=named.any_of(wanted),
            action=action,
            roles=named.all_of(held),
            remedy=named.remedy(wanted),
        )
    lacking: Row | None = None
    for code in usable:
        document = missing_training(facts, person, code)
        if document is None:
            return code
        lacking = lacking or document
    assert lacking is not None  # noqa: S101 -- usable is not empty, so a document was found
    raise Refused(
        "AUTH_TRAIN",
        record=record,
        doc=lacking.number,
        v=lacking.revision or lacking.version,
        role=named.title(usable[0]),
        since=lacking.changed_at[:10],
        action=action,
    )


def persons(definition: Definition, name: str, facts: Facts, base: str, own: Row | None) -> set[str]:
    """Return the ids of the people a declared person name stands for."""
    return _people(definition.type.persons[name], facts, base, own)


def _people(person: w.Person, facts: Facts, base: str, own: Row | None) -> set[str]:
    if isinstance(person, w.PersonAt):
        if not person.path:
            return {own.uid} if own is not None else set()
        rows = _rows(facts, base, own, person.path[:-1])
        return {uid for row in rows for uid in _linked_uids(row, person.path[-1])}
    key = {"Signer": "signed_{}", "Actor": "{}", "Touched": "touched"}[type(person).__name__]
    name = key.format(getattr(person, "meaning", "") or getattr(person, "act", ""))
    return {uid for row in _rows(facts, base, own, person.path) for uid in row.people.get(name, ())}


def _rows(facts: Facts, base: str, own: Row | None, path: w.Path) -> tuple[Row, ...]:
    if not path:
        return (own,) if own is not None else ()
    return facts.rows("/".join((base, *path)))


def _linked_uids(row: Row, field: str) -> Iterable[str]:
    value = row.fields.get(field)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and "uid" in item:
            yield str(item["uid"])


def require_independence(
    definition: Definition,
    names: Iterable[str],
    facts: Facts,
    people: tuple[str, ...],
    action: str,
    record: str,
) -> None:
    """Refuse with AUTH_SELF when one of ``people`` is among those they must be independent of.

    ``people``: who acts, and for whom where the role is delegated; both count (P11-10-g.2).
    """
    for name in names:
        declared = definition.type.persons[name]
        named = _people(declared, facts, SELF, facts.record)
        if not named.isdisjoint(people):
            done = getattr(declared, "meaning", "") or getattr(declared, "act", "") or name
            when = facts.record.changed_at[:10] if facts.record is not None else facts.today
            raise Refused(
                "AUTH_SELF",
                record=record,
                action=action,
                person="you" if people[0] in named else "you and the person you act for",
                did=f"{_past(done)} ({name})",
                date=when,
            )


def _past(act: str) -> str:
    return act if act.endswith("ed") else f"did '{act.replace('_', ' ')}'"


def require_signing(facts: Facts, person: str, stage: str, *, evaluation: bool) -> None:
    """Refuse unless this person may sign now: identity, policy, certification, clock (P11-100, -10-j)."""
    own = [a for a in facts.authority if a.person == person]
    everybody = [a for a in facts.authority if a.person == NIL]
    if stage == "before_verification":
        return
    if not any(a.kind == "account" and a.data.get("verified") for a in own):
        raise Refused("IDENTITY_NOT_VERIFIED", person="you")
    if stage == "full":
        for policy in (a for a in everybody if a.kind == "policy"):
            if not any(a.kind == "esign" and a.subject == policy.subject for a in own):
                raise Refused("AUTH_ESIGN", doc=policy.code, v=policy.data.get("revision", 1))
        needs = next((a for a in everybody if a.kind == "needs_certification"), None)
        if needs is not None and not any(a.kind == "certified" for a in everybody):
            raise Refused("AUTH_ORG", site=needs.code)
    offset_us = facts.clock.get("off_us", 0)
    if not evaluation and not (facts.clock.get("ok") and abs(offset_us) <= 1_000_000):
        raise Refused("CLOCK", offset=f"{offset_us / 1e6:.3f} s" if facts.clock.get("ok") else "unknown")
