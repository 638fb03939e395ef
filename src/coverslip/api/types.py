"""Record types as they are in force here: shipped, with what the site added, and what a patch would do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from coverslip.api.access import ContextOf, ServicesOf
from coverslip.api.shapes import Body
from coverslip.application.services import Services
from coverslip.errors import Invalid, NotFound
from coverslip.kernel import patches, words as w
from coverslip.kernel.definition import Definition
from coverslip.kernel.saying import said
from coverslip.ledger import canonical

router = APIRouter(tags=["types"])


class Try(Body):
    """A patch to be tried; nothing is kept."""

    patch: Annotated[dict[str, Any], Field(max_length=10)]


@router.get("/types")
def types(services: ServicesOf, context: ContextOf) -> list[dict[str, Any]]:
    """List the record types in force with their acts, and the refinements each carries."""
    return [
        {
            "name": d.name,
            "title": d.type.title,
            "purpose": d.type.purpose,
            "prefix": d.type.number.prefix,
            "version": d.type.version,
            "definition": d.hash,
            "states": [s.name for s in d.type.states],
            "acts": ["create", "edit", *d.acts] if d.type.edit else ["create", *d.acts],
            "refined_by": [one["number"] for one in _refined(d) if "patch" in one],
        }
        for d in services.catalogue
    ]


@router.get("/types/{name}")
def type_definition(name: str, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return one definition in force as it stands on the ledger, and which refinement changed what."""
    definition = _definition(services, name)
    return {
        "name": definition.name,
        "title": definition.type.title,
        "version": definition.type.version,
        "migration_note": definition.type.migration_note,
        "definition": definition.hash,
        "shipped": definition.shipped,
        "refinements": [_refinement(services, one) for one in _refined(definition)],
        "canonical": definition.canonical.decode(),
    }


@router.post("/types/{name}/refinement/check")
def check(name: str, body: Try, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Try a patch on a type as it is now: every problem, and what it does in words; nothing is kept."""
    definition = _definition(services, name)
    steps, problems = patches.read(body.patch)
    try:
        after = services.door.catalogue.tried(name, body.patch)
    except Invalid as error:
        problems = [str(one).removeprefix("tried: ") for one in error.values["problems"]]
        return {"type": name, "fits": False, "problems": problems, "effect": [said(s) for s in steps]}
    return {
        "type": name,
        "fits": True,
        "problems": [],
        "effect": [said(s) for s in steps],
        "version": after.type.version,
        "before": definition.type.version,
    }


def _definition(services: Services, name: str) -> Definition:
    definition = services.catalogue.get(name)
    if definition is None:
        raise NotFound("NOT_FOUND", what="record type", record=name[:60])
    return definition


def _refined(definition: Definition) -> list[dict[str, Any]]:
    form = canonical.decode(definition.canonical)
    listed: list[dict[str, Any]] = form.get("refined", {}).get("by", [])
    return listed


def _refinement(services: Services, one: dict[str, Any]) -> dict[str, Any]:
    """Return a refinement a definition names: its record, and what each step of its patch does."""
    row = services.reading.find(str(one["number"]))
    if row is None:
        raise NotFound("NOT_FOUND", what="record", record=str(one["number"]))
    words = services.catalogue.under(row.type, row.definition).type.provides
    names = [word.patch for word in words if isinstance(word, w.Refines) and word.patch]
    steps = patches.read(row.fields[names[0]])[0]
    return {
        "number": row.number,
        "title": row.title,
        "in_force": "patch" in one,
        "effect": [said(step) for step in steps] if "patch" in one else [],
    }
