"""The refinement of the guide fits, and every word of a patch is in its table."""

from __future__ import annotations

import json
import re
from pathlib import Path

from coverslip.kernel import patches
from coverslip.kernel.definition import Catalogue
from coverslip.kernel.refined import refined, refinement
from coverslip.records import all_types

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "refine-a-type.md"


def test_the_refinement_of_the_guide_fits_the_shipped_type() -> None:
    (given,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text("utf-8"), re.S)
    fields = json.loads(given)
    row = {"type": fields["record_type"], "patch": fields["patch"]}
    found = refined(Catalogue(all_types()), [refinement("RFN-0001", row)])[fields["record_type"]]
    assert "site_room" in found.type.fields
    declared = next(t for t in all_types() if t.name == "refinement")
    assert fields.keys() <= declared.fields.keys()


def test_the_guide_lists_every_word_and_no_other() -> None:
    table = GUIDE.read_text("utf-8").split("## The words")[1].split("## What becomes")[0]
    named = " ".join(re.findall(r"^\| (`.*?) \|", table, re.M))
    listed = set(re.findall(r"`(\w+)`", named))
    assert listed == {str(step.__struct_config__.tag) for step in patches.Step.__subclasses__()}
