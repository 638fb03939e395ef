"""What both demonstrations do alike: opening the site, bringing people in, approving the method, answering.

Rules kept here: every act is one person's own through the public interface; who does it is given, so that
each demonstration keeps its own cast and its own dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from coverslip.cli.demo.cast import Person
from coverslip.client import Coverslip

LETTER = (
    "To the FDA: our electronic signatures are meant as the binding equal of handwriting.\n"
    "Signed by hand for the Demonstration laboratory (example)."
)
STATEMENT = (
    "Electronic signatures in our systems are intended to be the legally binding equivalent of "
    "handwritten signatures."
)
CHECKLIST = [
    {"question": "Were the images of the set opened?", "answer": "yes"},
    {"question": "Are settings within the method?", "answer": "yes"},
    {"question": "Is every exception explained?", "answer": "yes"},
]


def shipped(name: str) -> Path:
    """Return the path of a shipped image."""
    return Path(str(files("coverslip.cli.demo") / "images" / name))


def certify(quality: Person, scan: dict[str, Any], on: str) -> str:
    """Record the certification letter as sent and open the site; return the letter's number."""
    number = quality.create(
        "certification_letter",
        organisation="Demonstration laboratory",
        sites=["SITE-01"],
        statement=STATEMENT,
        signed_by="Q. Okafor",
        addressee="As named on the FDA's web page",
        channel="electronic",
        covers_from=on,
    )
    quality.act(number, "sign_on_paper", handwritten_scan=scan)
    quality.act(number, "send", sent_on=on)
    quality.sign("SITE-01", "activate")
    return number


def enrol(home: Path, administrator: Person, checker: Person, person: Person, on: str) -> None:
    """Let a person make their own key; a second person checks who they are."""
    code = administrator.lab.records.invitation(person.number)
    with Coverslip(home=home) as desk:
        desk.enrol(code, person.username, person.password)
    check = [{"document_kind": "passport", "manner": "in person", "on": on}]
    checker.sign(person.number, "activate", identity_check=check)


def acknowledge(person: Person) -> None:
    """Sign the policy on electronic signatures."""
    person.create_signed(
        "esign_acknowledgement",
        person=person.number,
        policy="POL-0001",
        statement="I hold my electronic signature equal to my handwritten signature.",
    )


def approved(author: Person, quality: Person, type: str, **fields: Any) -> str:
    """Make a record, submit it as its author and approve it as quality; return its number."""
    number = author.create(type, **fields)
    author.sign(number, "submit")
    quality.sign(number, "approve")
    return number


def method(author: Person, quality: Person, sop: str, at_least: str) -> tuple[str, str, str]:
    """Register algorithm and parameters as the server has them, and approve the method that uses them.

    ``at_least`` is the lower limit of the count. Returns the numbers of algorithm, parameters and method.
    """
    bundled = author.lab.algorithms()[0]
    algorithm = approved(
        author, quality, "algorithm", title="Nucleus count", kind="classical", deterministic=True,
        source="bundled with Coverslip", **bundled["algorithm"],
    )  # fmt: skip
    parameters = approved(
        author, quality, "parameter_set", title="Nucleus count, defaults", algorithm=f"{algorithm} v1",
        values=bundled["parameters"], rationale="Defaults of the bundled algorithm.",
    )  # fmt: skip
    number = approved(
        author, quality, "analysis_method", title="Nuclei per field", algorithm=f"{algorithm} v1",
        parameters=f"{parameters} v1", sop=f"{sop} v1", permitted_runs=1,
        intended_use="Counting stained nuclei in one channel.", outputs=outputs(at_least),
    )  # fmt: skip
    return algorithm, parameters, number


def outputs(at_least: str) -> list[dict[str, Any]]:
    """Return what a method of counting gives, with the lower limit of the count."""
    return [
        {"quantity_name": "count", "unit": "1", "digits": 0, "limit_lo": at_least},
        {"quantity_name": "median_area", "unit": "px", "digits": 1},
    ]


def answer(reviewer: Person, case: str, asked: Sequence[dict[str, Any]]) -> None:
    """Answer the exceptions of a review case that ask for an answer."""
    reviewer.act(
        case,
        "answer",
        conclusion="The run follows its method.",
        checklist=CHECKLIST,
        answers=[
            {"exception": one["key"], "answer": "Looked at; explained in the record."}
            for one in asked
            if one["severity"] != "info"
        ],
    )
