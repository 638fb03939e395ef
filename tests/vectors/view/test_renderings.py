"""What each version of the rendering makes of one record, byte for byte; the texts here never change."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverslip.kernel import roles
from coverslip.kernel.view import VERSION, VERSIONS, render, shown_hash
from fix_view import FIELDS, SIGNED, definition, held, row_of

FOLDER = Path(__file__).parent
LATE = {"occurred_at": "2026-11-20T09:00:00Z", "late": True}
HASHES = {
    1: "0bd83f8c3e55ceaeb65570afb91042ae5c5dcebb1502360989faf6a81e83cc4e",
    2: "86dce8188205a87a53b0c1f88f14063d8f5193868c0cc50ada12b4bab45431e8",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_of_the_rendering_gives_the_bytes_it_always_gave(version: int) -> None:
    row = held(row_of(FIELDS, content=LATE), "A question is open.")
    found = render(definition(), row, [SIGNED], version)
    assert found.encode() == (FOLDER / f"check_sheet.v{version}.txt").read_bytes()
    assert shown_hash(found, version) == HASHES[version]


def test_every_version_there_ever_was_can_be_made_and_no_other() -> None:
    assert list(VERSIONS) == list(range(VERSION, 0, -1))
    for never in (0, VERSION + 1):
        with pytest.raises(ValueError, match="no rendering"):
            render(definition(), row_of({}), (), never)


def test_one_text_under_two_versions_has_two_hashes() -> None:
    assert len({shown_hash("the same", version) for version in VERSIONS}) == len(VERSIONS)


def test_titles_of_roles_stand_in_what_is_signed_and_so_do_not_change() -> None:
    told = {
        code: roles.title(code) for code in ("ADM", "QA", "QAL", "AUT", "REV", "ANL", "OPR", "SDR", "SEC")
    }
    assert told == {
        "ADM": "Application administrator",
        "QA": "Quality unit",
        "QAL": "Quality lead",
        "AUT": "Author",
        "REV": "Technical reviewer",
        "ANL": "Image analyst",
        "OPR": "Operator",
        "SDR": "Study director",
        "SEC": "Security officer",
    }
