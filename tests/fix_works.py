"""What is made in a laboratory by its people: documents, studies, images, runs, reviews and releases.

Each way here takes the steps that people take; what it returns is new, so that a test minds only its own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from coverslip.kernel.change import Change
from coverslip.records.quality import change
from coverslip.review.workspace import Workspace

if TYPE_CHECKING:
    from fix_lab import Person

TODAY = dt.datetime.now(dt.UTC).date()
LATER = (TODAY + dt.timedelta(days=900)).isoformat()


class Works:
    """The part of ``Lab`` that makes records."""

    def new_sop(self, title: str = "Counting nuclei", **more: Any) -> str:
        """Return a new SOP in draft, ready to be submitted."""
        fields = {
            "title": title,
            "criticality": "gxp_critical",
            "body": "1. Image. 2. Count.",
            "change_summary": "First version.",
            "training_depth": "read_understood",
            "audience": [],
            "effective_date": TODAY.isoformat(),
        }
        return self.aurel.create("document_sop", **(fields | more))

    def approved_change(self, title: str = "Another way of counting") -> str:
        """Return a change that quality approved, on which a next version of a document can rest."""
        impact = [{"area": a, "effect": "none", "why": "The text alone changes."} for a in change.AREAS]
        fields = {
            "title": title,
            "kind": "document",
            "description": "The text is made clearer.",
            "reason": "People asked what it means.",
            "change_class": "minor",
            "impact": impact,
            "plan": [{"action": "Write the next version.", "owner": self.number_of("aurel"), "due": LATER}],
            "test_plan": "Read by somebody who does the work.",
            "rollback": "The version before it goes on.",
            "effective_from": TODAY.isoformat(),
        }
        number = self.aurel.create("change", **fields)
        self.aurel.do(number, "submit", sign=True)
        self.quinn.do(number, "approve", sign=True)
        return number

    def approve_sop(self, number: str, revision: int = 0) -> None:
        """Bring a draft to ``approved``."""
        self.aurel.do(number, "submit", sign=True, revision=revision)
        self.rita.do(number, "review", sign=True, revision=revision)
        self.quinn.do(number, "approve", sign=True, revision=revision)

    def train(self, username: str, document: str, **more: Any) -> str:
        """Train a person on a document version; return the record's number."""
        number = self.aurel.create(
            "training_record",
            person=self.number_of(username),
            document=document,
            depth="read_understood",
            due=TODAY.isoformat(),
            **more,
        )
        self.person(username).do(number, "complete", sign=True)
        return number

    def new_study(self, kind: str = "release_assay", /, **more: Any) -> str:
        """Return a study in draft."""
        fields = {
            "title": "Nuclei in control wells",
            "kind": kind,
            "director": self.number_of("sam"),
            "objectives": "Count nuclei.",
        } | more
        if kind != "sandbox":
            fields.setdefault("protocol", f"{self.n['sop']} v1")
        return self.sam.create("study", **fields)

    def start_study(self, number: str) -> None:
        """Bring a study to ``in_progress``."""
        self.sam.do(number, "accept_responsibility", sign=True)
        self.quinn.do(number, "approve", sign=True)
        self.sam.do(number, "start")

    def new_session(self, **more: Any) -> str:
        """Return an acquisition session, prepared."""
        fields = {
            "title": "Plate 1",
            "study": self.n["study"],
            "operator": self.number_of("alan"),
            "instrument": self.n["instrument"],
            "method": f"{self.n['sop']} v1",
        } | more
        return self.alan.create("acquisition_session", **fields)

    def start_session(self, number: str) -> None:
        """Start an acquisition session."""
        self.alan.do(
            number,
            "start",
            settings={"objective": "20x"},
            checks=[{"check": "lamp", "result": "pass"}],
            device_clock_offset_ms=40,
        )

    def new_image(self, session: str = "", study: str = "") -> str:
        """Return an available image, registered by the service."""
        name = f"{uuid4().hex}.tif"
        data = os.urandom(64)
        kept = self.attach(name, data)
        fields = {
            "name": name,
            "study": study or self.n["study"],
            "session": session or self.n["session"],
            "kind": "raw",
        }
        made = self.door.submit(Change("create", "image", fields=fields), self.service()).entries[0].number
        read = {
            "files": [kept],
            "root": kept["root"],
            "format": "tiff",
            "uncalibrated": True,
            "dims": {"x": 8, "y": 8, "z": 1, "c": 1, "t": 1, "levels": 1},
            "checks": [{"check": "parses", "verdict": "pass", "sentence": "The file reads."}],
        }
        self.machine(made, "accept", **read)
        return made

    def new_set(self) -> str:
        """Return a frozen image set of one new image."""
        number = self.alan.create(
            "image_set", title="Control wells", study=self.n["study"], members=[self.new_image()]
        )
        self.alan.do(number, "freeze", sign=True)
        return number

    def new_run(self, person: Person | None = None, **more: Any) -> str:
        """Return a queued run on a set of its own."""
        fields = {"title": "Planned count", "study": self.n["study"], "method": self.n["method"]} | more
        if "image_set" not in fields:
            fields["image_set"] = self.new_set()
        return (person or self.alan).create("analysis_run", **fields)

    def results_of(self, run: str) -> dict[str, Any]:
        """Return the fields of a result set of a running run of the laboratory's method."""
        row = {
            "position": "A01",
            "quantity_name": "count",
            "unit": "1",
            "value": "12",
            "digits": 0,
            "status": "no_limit",
        }
        return {
            "title": "Results",
            "run": run,
            "method": f"{self.n['method']} v1",
            "algorithm": f"{self.n['algorithm']} v1",
            "parameters": f"{self.n['parameters']} v1",
            "csv": self.attach("r.csv", run.encode()),
            "row_hashes_root": hashlib.sha256(b"code").hexdigest(),
            "rows": [row],
        }

    def new_review(self, **more: Any) -> tuple[str, str]:
        """Return a run submitted by Alan and its review case, queued."""
        run = self.new_run(**more)
        self.machine(run, "start")
        fields = self.results_of(run)
        results = (
            self.door.submit(Change("create", "result_set", fields=fields), self.service()).entries[0].number
        )
        log = self.attach("log.txt", run.encode())
        digest = hashlib.sha256(b"code").hexdigest()
        self.machine(run, "finish", env_digest=digest, log=log, results=results)
        made = self.alan.do(run, "submit", sign=True)
        return run, next(e.number for e in made.entries if e.type == "review_case")

    def review(self, case: str, who: str = "rita") -> None:
        """Do the whole technical review of a case."""
        person: Person = getattr(self, who)
        person.do(case, "start")
        items = self.row(case).fields["exceptions"]["items"]
        answers = [{"exception": i["key"], "answer": "Seen and understood."} for i in items]
        checklist = [{"question": "Are all images there?", "answer": "yes"}]
        person.do(case, "answer", checklist=checklist, answers=answers, conclusion="It is right.")
        self.open_items(case, person)
        person.do(case, "technical", sign=True)

    def workspace(self) -> Workspace:
        """Return what shows a review case and records what of it was opened."""
        return Workspace(self.door, self.reading, self.events)

    def open_items(self, case: str, person: Person) -> None:
        """Have everything sent to a person that must be opened before a case is decided."""
        space, row = self.workspace(), self.row(case)
        for item in space.coverage(row).items:
            if item.needed:
                space.item(row, item.key, person.context)
        page = 1
        while page:
            page = int(space.trail(row, person.context, page)["next"])

    def new_release(self) -> tuple[str, str]:
        """Return an accepted run and the release decision proposed for it by Quinn."""
        run, case = self.new_review()
        self.review(case)
        self.open_items(case, self.vera)
        self.vera.do(case, "qa_decide", sign=True)
        return run, self.quinn.create(
            "release_decision", subject=run, review_case=case, basis="Reviewed and accepted."
        )
