"""The picture of training: what roles ask, who is green, amber or red, and what is still to be opened."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.training.picture import Cell, Missing, Picture, Records

TODAY = "2026-11-21"
ANN = {"type": "user", "uid": "ann", "number": "USR-0001"}
ANL = {"type": "role", "uid": "anl", "number": "ROLE-ANL"}


def row(kind: str, number: str, state: str, fields: dict[str, Any], uid: str = "", revision: int = 0) -> Row:
    content = {"fields": fields, "people": {}}
    title = str(fields.get("printed_name", number))
    return Row(kind, uid or number, number, revision, 1, 1, state, title, "gmp", "", "", content, TODAY)


def user(uid: str = "ann", number: str = "USR-0001", state: str = "active", kind: str = "person") -> Row:
    return row("user", number, state, {"printed_name": uid.capitalize(), "kind": kind}, uid)


def grant(state: str = "active", **span: str) -> Row:
    return row("role_grant", "GRT-1", state, {"person": ANN, "role": ANL, **span})


def sop(revision: int, state: str, **fields: Any) -> Row:
    values = {"training_depth": "read_understood", "audience": [], "effective_date": "2026-12-01"} | fields
    return row("document_sop", "SOP-0001", state, values, f"sop{revision}", revision)


def role(*numbers: str) -> Row:
    return row(
        "role", "ROLE-ANL", "effective", {"code": "ANL", "documents": [{"number": n} for n in numbers]}
    )


def curriculum(state: str = "effective", **item: Any) -> Row:
    values = {"document": {"number": "SOP-0001"}, "depth": "assessed", "grace_days": 5} | item
    return row("curriculum", "CUR-0001", state, {"role": ANL, "items": [values]}, revision=1)


def training(revision: int, state: str, due: str = "2026-12-31", **more: str) -> Row:
    document = {"uid": f"sop{revision}", "number": "SOP-0001"}
    fields = {"person": ANN, "document": document, "due": due, **more}
    return row("training_record", f"TRN-{revision}-{state}", state, fields)


def seen(*rows: Row) -> Picture:
    """Return the picture with Ann, an analyst unless a grant is given, and what is given besides."""
    kinds: dict[str, list[Row]] = {}
    for one in rows:
        kinds.setdefault(one.type, []).append(one)
    return Picture(
        Records(
            TODAY,
            users=kinds.get("user", [user()]),
            roles=kinds.get("role", []),
            grants=kinds.get("role_grant", [grant()]),
            delegations=kinds.get("delegation", []),
            curricula=kinds.get("curriculum", []),
            documents=kinds.get("document_sop", []),
            training=kinds.get("training_record", []),
        )
    )


def only(picture: Picture) -> Cell:
    cells = list(picture.cells())
    assert len(cells) == 1
    return cells[0]


def missing(picture: Picture) -> list[tuple[str, str, str, str]]:
    def value(m: Missing) -> tuple[str, str, str, str]:
        return m.person.number, m.document.label, m.need.depth, m.due

    return [value(m) for m in picture.missing()]


# --- the matrix ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["completed", "exempted"])
def test_whoever_is_trained_on_the_version_in_force_is_green(state: str) -> None:
    cell = only(seen(role("SOP-0001"), sop(1, "effective"), training(1, state)))
    assert (cell.role, cell.document.label, cell.person.number, cell.state) == (
        "ANL", "SOP-0001 v1", "USR-0001", "green",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((), "not trained, not assigned"),
        ((training(1, "assigned"),), "TRN-1-assigned is due on 2026-12-31"),
        ((training(1, "assigned", "2026-11-20"),), "TRN-1-assigned was due on 2026-11-20"),
        ((training(1, "blocked"),), "TRN-1-blocked is blocked after failures"),
        ((training(1, "completed", expires="2026-11-20"),), "not trained, not assigned"),
        ((training(2, "completed"),), "not trained, not assigned"),
    ],
)
def test_whoever_would_be_refused_is_red(rows: tuple[Row, ...], why: str) -> None:
    cell = only(seen(role("SOP-0001"), sop(1, "effective"), *rows))
    assert (cell.state, cell.why) == ("red", why)


def test_whoever_is_trained_today_and_will_not_be_is_amber() -> None:
    ending = only(seen(role("SOP-0001"), sop(1, "effective"), training(1, "completed", expires="2026-12-20")))
    assert (ending.state, ending.why) == ("amber", "trained until 2026-12-20")
    lasting = only(
        seen(role("SOP-0001"), sop(1, "effective"), training(1, "completed", expires="2026-12-21"))
    )
    assert lasting.state == "green"
    versions = (sop(1, "effective"), sop(2, "approved"))
    coming = only(seen(role("SOP-0001"), *versions, training(1, "completed")))
    assert (coming.state, coming.why) == ("amber", "SOP-0001 v2 comes into force on 2026-12-01")
    ready = only(seen(role("SOP-0001"), *versions, training(1, "completed"), training(2, "completed")))
    assert ready.state == "green"


def test_an_audience_is_asked_to_train_and_not_refused_while_there_is_time() -> None:
    document = sop(1, "effective", audience=[ANL])
    assert only(seen(document, training(1, "assigned"))).state == "amber"
    assert only(seen(document, training(1, "assigned", "2026-11-20"))).state == "red"
    assert only(seen(document, training(1, "assigned"), role("SOP-0001"))).state == "red"


def test_the_matrix_of_one_role_has_no_other() -> None:
    picture = seen(role("SOP-0001"), sop(1, "effective"))
    assert [c.role for c in picture.cells("ANL")] == ["ANL"]
    assert list(picture.cells("QA")) == []


def test_a_document_out_of_force_and_a_role_nobody_holds_have_no_cells() -> None:
    assert list(seen(role("SOP-0001"), sop(1, "superseded")).cells()) == []
    assert list(seen(role("SOP-0001"), sop(1, "effective"), grant("revoked")).cells()) == []


# --- what is to be opened --------------------------------------------------------------------------


def test_a_new_holder_is_assigned_what_the_role_and_its_curriculum_ask() -> None:
    assert missing(seen(role("SOP-0001"), sop(1, "effective"))) == [
        ("USR-0001", "SOP-0001 v1", "read_understood", TODAY)
    ]
    assert missing(seen(curriculum(), sop(1, "effective"))) == [
        ("USR-0001", "SOP-0001 v1", "assessed", "2026-11-26")
    ]


def test_the_deeper_training_and_the_shorter_time_win() -> None:
    both = seen(role("SOP-0001"), curriculum(), sop(1, "effective"))
    assert missing(both) == [("USR-0001", "SOP-0001 v1", "assessed", TODAY)]


def test_a_version_approved_is_assigned_before_it_is_in_force() -> None:
    versions = (sop(1, "effective"), sop(2, "approved"))
    found = missing(seen(curriculum(), *versions, training(1, "completed")))
    assert found == [("USR-0001", "SOP-0001 v2", "assessed", "2026-12-01")]


@pytest.mark.parametrize("state", ["assigned", "acknowledged", "blocked", "completed", "exempted"])
def test_nothing_is_opened_twice(state: str) -> None:
    assert missing(seen(role("SOP-0001"), sop(1, "effective"), training(1, state))) == []


def test_training_about_to_end_is_opened_again_in_time() -> None:
    rows = (curriculum(refresh_months=12), sop(1, "effective"))
    assert missing(seen(*rows, training(1, "completed", expires="2026-12-20"))) == [
        ("USR-0001", "SOP-0001 v1", "assessed", "2026-12-20")
    ]
    assert missing(seen(*rows, training(1, "completed", expires="2026-12-21"))) == []
    again = (training(1, "completed", expires="2026-12-20"), training(1, "assigned"))
    assert missing(seen(*rows, *again)) == []
    opened = next(iter(seen(*rows).missing()))
    assert opened.need.refresh_months == 12


@pytest.mark.parametrize(
    "rows",
    [
        (curriculum("draft"),),
        (curriculum("superseded"),),
        (role("SOP-0001"), grant("requested")),
        (role("SOP-0001"), grant(end="2026-11-20")),
        (role("SOP-0001"), grant(start="2026-11-22")),
        (role("SOP-0001"), user(state="disabled")),
        (role("SOP-0001"), user(kind="service")),
        (role(),),
    ],
)
def test_whoever_is_not_asked_is_assigned_nothing(rows: tuple[Row, ...]) -> None:
    assert missing(seen(sop(1, "effective"), *rows)) == []


def test_who_acts_for_somebody_else_is_asked_the_same() -> None:
    lent = row("delegation", "DLG-0001", "active", {"taker": ANN, "role": ANL, "start": TODAY, "end": TODAY})
    picture = seen(role("SOP-0001"), sop(1, "effective"), grant("revoked"), lent)
    assert only(picture).state == "red"
    assert missing(picture) == [("USR-0001", "SOP-0001 v1", "read_understood", TODAY)]
