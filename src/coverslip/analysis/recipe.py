"""What a run computes, read from its records: method, algorithm, parameters, images and their pixels.

Rules kept here:

* The code that would run must be the code the algorithm was approved with.
* Every object is hashed again before it is decoded, in the readers' own process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from coverslip.analysis import registry
from coverslip.analysis.runner import Input, Job
from coverslip.errors import EnvironmentFault, Refused
from coverslip.imaging import Refusal, read_plane
from coverslip.kernel.rows import Row


class Objects(Protocol):
    """Stored objects, by root."""

    def verify(self, root: str) -> Any:
        """Hash an object again; raises HASH."""
        ...

    def path(self, root: str) -> Path:
        """Return where an object lies."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """The records a run stands on. ``images`` are in the order of the image set."""

    method: Row
    algorithm: Row
    parameters: Row
    images: tuple[Row, ...]


def recipe(run: Row, by_uid: Callable[[str, str], Row | None]) -> Recipe:
    """Follow the links of a run. Raises ``ENVIRONMENT`` when a record named is not there."""

    def linked(row: Row, field: str) -> Row:
        return _record(by_uid, row.fields[field], f"{field} of {row.number}")

    method = linked(run, "method")
    members = linked(run, "image_set").fields.get("members", ())
    images = tuple(_record(by_uid, link, f"an image of {run.number}") for link in members)
    return Recipe(method, linked(method, "algorithm"), linked(method, "parameters"), images)


def _record(by_uid: Callable[[str, str], Row | None], link: dict[str, Any], what: str) -> Row:
    found = by_uid(link["type"], link["uid"])
    if found is None:
        raise EnvironmentFault("ENVIRONMENT", what=what, expected="a record", found="none")
    return found


def job_of(made: Recipe, objects: Objects) -> Job:
    """Return the job of a recipe, its pixels read.

    Raises ``NOT_FOUND`` for an entry point that is not registered, ``VAL_FORM`` or ``VAL_RANGE`` for
    parameters, ``LINK_VER`` when the code is not the approved code, ``HASH`` for a damaged object and
    ``ENVIRONMENT`` for pixels that cannot be read.
    """
    algorithm = made.algorithm
    registered = registry.find(str(algorithm.fields["entry_point"]))
    values = registered.check({str(v["name"]): str(v["value"]) for v in made.parameters.fields["values"]})
    approved, present = str(algorithm.fields["code_hash"]), registry.code_hash()
    if approved != present:
        raise Refused(
            "LINK_VER",
            record=algorithm.number,
            target=algorithm.number,
            v=algorithm.fields["semver"],
            state=f"registered with code {approved[:12]}, not {present[:12]}",
            allowed="matching",
            message=(
                f"{algorithm.number} v{algorithm.fields['semver']} is registered with hash {approved[:16]}; "
                f"you supplied {present[:16]}. Register a new version."
            ),
        )
    channel = int(values.get("channel", "0"))
    inputs = tuple(Input(image.number, _pixels(image, channel, objects)) for image in made.images)
    return Job(registered.entry_point, present, values, inputs)


def _pixels(image: Row, channel: int, objects: Objects) -> Any:
    root = str(image.fields["root"])
    objects.verify(root)
    plane = read_plane(objects.path(root), c=min(channel, int(image.fields["dims"].get("c", 1)) - 1))
    if isinstance(plane, Refusal):
        raise EnvironmentFault(
            "ENVIRONMENT", what=f"the pixels of {image.number}", expected=plane.expected, found=plane.found
        )
    return plane.pixels
