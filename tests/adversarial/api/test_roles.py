"""The whole interface as its document declares it, with the session of each role (DESIGN, 21 CFR 11.10(g)).

Requests are generated from ``/api/v1/openapi.json``, valid and invalid ones, and each is made by somebody of
every role in turn, so that all ask the same. No answer is an error of the server or differs from what is said
there; what was done is read from the ledger afterwards, and nobody did what their role does not have.
Repeat a run with ``COVERSLIP_FUZZ_SEED``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from coverslip.api.app import create_app
from coverslip.kernel.definition import Definition
from coverslip.ledger import canonical
from fix_lab import Lab, Person
from fix_pages import sequencing
from fix_people import ROLES, TEAM
from fix_world import World, _asked, example

SEED = int(os.environ.get("COVERSLIP_FUZZ_SEED", "20261121"))
EXAMPLES = int(os.environ.get("COVERSLIP_FUZZ_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEFT_ALONE = {("DELETE", "/api/v1/sessions/current"), ("POST", "/api/v1/sessions/current/lock")}
"""These end or lock the session that everything else is asked in; tests/unit/api asks them."""
TRIED = (
    "comment", "complaint", "curriculum", "delegation", "deviation", "document_sop", "incident", "instrument",
    "ncr", "project", "risk_assessment", "specimen", "study", "supplier", "tag", "user", "watch",
)  # fmt: skip
"""Everybody tries to make one of each of these, and every act on what was made. All types are tried at the
door by tests/vocabulary."""
HOLDERS = {role: next(name for name, roles in TEAM.items() if role in roles) for role in ROLES} | {"": "nora"}
"""Somebody for every role, and somebody with none."""


@dataclass
class Interface:
    """The laboratory at its interface, and what the ledger had before."""

    lab: Lab
    schema: Any
    people: list[Person]
    known: int
    made: int = 0

    def operations(self) -> list[Any]:
        found = [result.ok() for result in self.schema.get_all_operations()]
        return [o for o in found if (o.method.upper(), o.path) not in LEFT_ALONE]

    def numbers(self) -> list[str]:
        return [n for name, n in self.lab.n.items() if name != "unique" and self._is_record(n)]

    def _is_record(self, number: str) -> bool:
        return self.lab.reading.find(number, 0) is not None


@pytest.fixture(scope="module")
def interface(peopled: Lab) -> Iterator[Interface]:
    """The interface of a laboratory with somebody for each role, at work."""
    app = create_app(peopled.services())
    people = [peopled.person(name) for name in dict.fromkeys(HOLDERS.values())]
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    known = int(peopled.ask("select max(id) from ledger.entry")[0][0])
    with sequencing(peopled):
        yield Interface(peopled, schema, people, known)


def _acts(lab: Lab, number: str) -> list[str]:
    return sorted(lab.door.catalogue[lab.row(number).type].acts)


def _at_home(draw: Any, interface: Interface, case: Case) -> None:
    """Let two requests of three name what there is: a record, an act it has, the version it is at."""
    lab, given_path = interface.lab, case.path_parameters or {}
    if draw(st.integers(0, 2)) == 0:
        return
    number = draw(st.sampled_from(interface.numbers()))
    row = lab.row(number)
    types = sorted(d.name for d in lab.door.catalogue)
    known = {
        "number": number,
        "act": draw(st.sampled_from(_acts(lab, number))),
        "name": draw(st.sampled_from(types)),
    }
    for name in given_path:
        if name in known:
            given_path[name] = quote(known[name], safe="")
    if isinstance(case.body, dict):
        body = {"type": known["name"], "number": number, "expected_version": row.version}
        for name, value in body.items():
            if name in _properties(case):
                case.body[name] = value if name != "number" or draw(st.booleans()) else ""
        if "reason" in _properties(case):
            case.body["reason"] = "Asked by everybody, in turn."
        if draw(st.booleans()):
            case.body["fields"] = {"title": f"Asked {draw(st.integers(0, 10**9))}"}
            case.body.pop("signature", None)


def _properties(case: Case) -> set[str]:
    for body in case.operation.body:
        schema = body.definition.get("schema", body.definition)
        name = schema.get("$ref", "").rpartition("/")[2]
        return set(
            case.operation.schema.raw_schema["components"]["schemas"].get(name, {}).get("properties", ())
        )
    return set()


def ask(interface: Interface, operation: Any, mode: GenerationMode) -> None:
    """Make generated requests of one operation, each as everybody."""

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data(), case=operation.as_strategy(generation_mode=mode))
    def requests(data: st.DataObject, case: Case) -> None:
        if mode is GenerationMode.POSITIVE:
            _at_home(data.draw, interface, case)
        for person in interface.people:
            interface.made += 1
            headers = {"Authorization": f"Bearer {person.token}", "Host": "localhost"}
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS, headers=headers)

    requests()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_whatever_the_document_declares_is_answered_as_declared(
    interface: Interface, mode: GenerationMode, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nCOVERSLIP_FUZZ_SEED={SEED} COVERSLIP_FUZZ_EXAMPLES={EXAMPLES} ({mode.name.lower()})")
    before = interface.made
    faults = []
    for operation in interface.operations():
        try:
            ask(interface, operation, mode)
        except FailureGroup as fault:  # every operation is asked, then all that was found is told
            faults += [f"{operation.label}: {fault}"]
        except Unsatisfiable:
            # Without parameters, or with none but a text in its path, no request is invalid.
            assert mode is GenerationMode.NEGATIVE, operation.label
    assert not faults, "\n\n".join(faults)
    assert interface.made - before >= len(interface.people) * 20


def _done(lab: Lab, known: int) -> list[dict[str, Any]]:
    """Return the leaves of what was commanded since then: the first entry of each command on a record."""
    found: dict[str, dict[str, Any]] = {}
    for (leaf,) in lab.ask(f"select leaf from ledger.entry where id > {known} order by id"):
        entry = canonical.decode(bytes(leaf))
        if entry["record"]["kind"] not in ("session", "installation"):
            found.setdefault(entry["cmd"], entry)
    return list(found.values())


def _permitted(declared: Definition, act: str, roles: tuple[str, ...]) -> bool:
    if act == "create":
        return bool({"*", *roles} & set(declared.type.create.who))
    who, persons, _ = _asked(declared.type, act)
    return bool(persons) or "*" in who or bool(set(who) & set(roles))


def test_afterwards_nobody_did_what_their_role_does_not_have(interface: Interface) -> None:
    lab = interface.lab
    roles = {lab.person(name).uid: TEAM.get(name, ()) for name in HOLDERS.values()}
    before = interface.known
    everybody_tries(interface)
    done = [entry for entry in _done(lab, before) if entry["actor"]["id"] in roles]
    assert len({entry["record"]["kind"] for entry in done}) > 10, (
        "too little was done for this to mean anything"
    )
    beyond = [
        f"{entry['act']} on a {entry['record']['kind']} by {roles[entry['actor']['id']]}"
        for entry in done
        if not _permitted(
            lab.door.catalogue[entry["record"]["kind"]], entry["act"], roles[entry["actor"]["id"]]
        )
    ]
    assert beyond == []
    assert lab.replay() == []


def everybody_tries(interface: Interface) -> None:
    """Let everybody try to make records of many types, and then every act on what was made."""
    lab, world, reason = interface.lab, World(interface.lab), "Everybody tries this once."
    post = poster(interface)
    made = []
    for name in TRIED:
        for person in interface.people:
            fields = example(name).create(world)
            answer = post(person, "/records", {"type": name, "fields": fields, "reason": reason})
            made += [answer["entries"][0]["number"]] if "entries" in answer else []
    latest = {lab.row(number).type: number for number in made}
    for number in latest.values():
        for act in ("edit", *_acts(lab, number)):
            path = f"/records/{number}/edit" if act == "edit" else f"/records/{number}/acts/{act}"
            for person in interface.people:
                body = {"expected_version": lab.row(number).version, "reason": reason}
                changed = {"fields": {"title": f"By {person.username}"}} if act == "edit" else {}
                post(person, path, body | changed)


def poster(interface: Interface) -> Any:
    """Return what posts JSON as somebody; an answer is never a server's error."""
    from fix_caller import TestClient

    client = TestClient(create_app(interface.lab.services()), raise_server_exceptions=False)

    def post(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {person.token}"}
        answer = client.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code < 500, f"{path} as {person.username}: {answer.text}"
        return dict(answer.json())

    return post


def test_a_deed_beyond_the_role_would_be_seen(interface: Interface) -> None:
    sop = interface.lab.door.catalogue["document_sop"]
    assert not _permitted(sop, "approve", TEAM["maker1"])
    assert _permitted(sop, "approve", TEAM["quality1"])
