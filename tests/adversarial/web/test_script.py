"""Whatever is typed anywhere stays text wherever it is shown: no element, attribute or script comes of it.

What is typed goes through the door into records of every type that has free text, and is looked for on every
page of the record, in lists, in search and in refusals; what addresses say is looked for in every answer.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from coverslip.bootstrap.faces import Faces, faces
from coverslip.errors import CoverslipError
from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from fix_pages import Elements, Visitor, filled, routes
from fix_world import World, example, example_names

PROBE = "xss-probe"
TYPED = (
    f"\"'><{PROBE} onfocus=boom() style=x></{PROBE}></textarea></title></select><script>boom()</script>"
    "{{7*191}}{% raw %}${7*191}<!--"
)
SHORT = f"'\"><{PROBE} onclick=boom()>"
ADDRESSES = ("", "/record", "/audit", "/signatures", "/related", "/versions", "/print")


def broken_out(text: str) -> list[str]:
    """Return what on a page is not the page's own."""
    if "1337" in re.sub(r"[0-9a-f-]{20,}", "", text) and "7*191" not in text:
        return ["a template ran what was typed"]
    found = []
    for tag, attributes in Elements(text).found:
        if tag == PROBE:
            found.append(f"<{tag}>")
        if tag == "script" and not attributes.get("src", "").startswith("/static/"):
            found.append(f"<script {attributes}>")
        found += [f"<{tag} {name}>" for name in attributes if name.startswith("on") or name == "style"]
        found += [
            f"<{tag} {name}={value}>"
            for name, value in attributes.items()
            if name in ("href", "src", "action", "formaction") and not re.match(r"(/(?!/)|#|\?|$)", value)
        ]
        found += [
            f"<{tag} {n}>"
            for n, v in attributes.items()
            if n.startswith("hx-") and PROBE in v and "q=" not in v
        ]
    return found


def hostile(world: World, name: str) -> dict[str, Any]:
    """Return fields for a record of a type, with the probe in every free text that holds it."""
    fields = dict(example(name).create(world))
    for field, declared in world.definition(name).type.fields.items():
        kind = getattr(declared, "kind", None)
        free = isinstance(kind, (w.Text, w.Rich)) and not getattr(kind, "pattern", "")
        if free and declared.source == "typed" and not declared.many:
            most = getattr(kind, "max_length", 200) or 200
            fields[field] = TYPED if most >= len(TYPED) else SHORT[:most]
    return fields


@pytest.fixture(scope="module")
def shown(world: World) -> list[Row]:
    """Records of every type whose free texts take what is typed; a type that takes none of it is left out."""
    found = []
    for name in example_names():
        if example(name).create is None:
            continue  # made by another record's act
        try:
            number = world.create_only(name, **hostile(world, name))
        except (CoverslipError, AssertionError):
            continue  # a rule of the type reads the text, or nobody makes such a record by hand
        found.append(world.row(number))
    assert len(found) >= 25, [row.type for row in found]
    return found


@pytest.fixture(scope="module")
def reader(world: World) -> Visitor:
    quinn = world.lab.person("quinn")
    return Visitor(faces(world.lab.services()), "quinn", quinn.token)


def test_what_was_typed_into_records_stays_text_on_every_page(shown: list[Row], reader: Visitor) -> None:
    seen, wrong = 0, {}
    for row in shown:
        reference = row.label.replace(" ", "")
        pages = [f"/r/{reference}{address}" for address in ADDRESSES]
        pages += [f"/types/{row.type}", f"/types/{row.type}/new", f"/r/{reference}/do/edit"]
        for address in pages:
            answer = reader.get(address, follow_redirects=True)
            seen += PROBE in answer.text
            if broken := broken_out(answer.text):
                wrong[address] = broken[:3]
    assert wrong == {}
    assert seen > 2 * len(shown), "the probe was hardly shown anywhere"


def test_what_was_typed_stays_text_in_search_and_suggestions(shown: list[Row], reader: Visitor) -> None:
    for address in (
        "/search?q=" + quote(PROBE),
        f"/suggest?types={shown[0].type}&f.x={quote(PROBE)}",
        "/work",
    ):
        for headers in ({}, {"HX-Request": "true"}):
            answer = reader.get(address, headers=headers)
            assert broken_out(answer.text) == [], address


def test_what_an_address_says_stays_text_in_the_answer(world: World, reader: Visitor) -> None:
    wrong = {}
    for _, route in routes(reader.client.app._pages, "GET"):  # type: ignore[attr-defined]
        names = [p.alias or p.name for p in route.dependant.query_params]
        for d in route.dependant.dependencies:
            names += [p.alias or p.name for p in d.query_params]
        plain = filled(world.lab, route)
        asked = [f"{plain}?{n}={quote(TYPED)}" for n in (*names, "q", "next", "said", "done", "f.title")]
        asked += [re.sub(r"\{[^}]*\}", quote(SHORT, safe=""), route.path), f"{plain}/{quote(SHORT, safe='')}"]
        for address in asked:
            for headers in ({}, {"HX-Request": "true"}):
                answer = reader.get(address, headers=headers)
                if "text/html" in answer.headers.get("content-type", "") and broken_out(answer.text):
                    wrong[address] = broken_out(answer.text)[:3]
                assert PROBE not in str(answer.headers.get("content-disposition", "")), address
    assert wrong == {}


def test_what_a_form_says_stays_text_when_it_is_shown_again(world: World, reader: Visitor) -> None:
    wrong, again = {}, 0
    for definition in world.lab.door.catalogue:
        fields = {f"f.{name}": TYPED for name in definition.type.fields}
        form = fields | {"reason": TYPED, "key": TYPED, "number": SHORT, "username": TYPED, "password": "x"}
        answer = reader.post(f"/types/{definition.name}/new", form)
        again += PROBE in answer.text
        if broken := broken_out(answer.text):
            wrong[definition.name] = broken[:3]
    assert wrong == {}
    assert again > 20


@pytest.mark.parametrize("field", ["username", "workstation", "next", "zone"])
def test_what_nobody_says_at_the_sign_in_stays_text(reader: Visitor, field: str) -> None:
    form = {"username": "x", "password": "y"} | {field: SHORT}
    answer = Visitor(reader.client.app, "").post("/sign-in", form)  # type: ignore[arg-type]
    assert answer.status_code in (401, 403, 422)
    assert broken_out(answer.text) == []


@pytest.mark.parametrize(
    "page",
    [
        f"<p>{SHORT}</p>",
        "<script>go()</script>",
        '<p onclick="go()">',
        '<a href="javascript:go()">x</a>',
        '<a href="//evil.example">x</a>',
        "<p>1337</p>",
    ],
)
def test_a_page_that_was_broken_out_of_would_be_seen(page: str) -> None:
    assert broken_out(page)


def test_faces_stand_behind_every_reader(reader: Visitor) -> None:
    assert isinstance(reader.client.app, Faces)
