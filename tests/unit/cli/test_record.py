"""Records on the command line: read, write, sign, and be refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import Refused

PASSWORD = "correct horse battery"


@pytest.fixture
def user(ada: Any) -> str:
    ran = ada("user", "new", "cem", "--name", "Cem Cakir", "--json")
    assert ran.code == 0
    return str(json.loads(ran.out)["entries"][0]["number"])


def test_a_new_account_says_where_it_is_recorded(ada: Any) -> None:
    ran = ada("user", "new", "cem", "--name", "Cem Cakir")
    assert ran.code == 0 and "invited" in ran.out and "recorded as entry 0" in ran.out


def test_a_write_that_is_not_integrated_yet_hands_over_its_receipt(ada: Any, lab: Any) -> None:
    lab.pending = True
    ran = ada("user", "new", "cem", "--name", "Cem Cakir")
    assert ran.code == 0 and "pending" in ran.out and "coverslip receipt v1" in ran.out


def test_records_are_listed_a_line_each_in_a_pipe(ada: Any, user: str) -> None:
    ran = ada("record", "list", "user")
    assert [line.split("\t")[:3] for line in ran.out.splitlines()] == [[user, "invited", "Cem Cakir"]]
    assert ada("user", "list").out.split("\t")[3] == "Cem Cakir"


@pytest.mark.parametrize("command", ["show", "history", "links", "view"])
def test_every_read_has_a_form_for_machines(ada: Any, user: str, command: str) -> None:
    assert ada("record", command, user).code == 0
    json.loads(ada("record", command, user, "--json").out)


def test_a_record_says_what_one_can_do(ada: Any, user: str) -> None:
    shown = ada("record", "show", user).out
    assert "username" in shown and "can     enrol" in shown and "signed as 'acknowledged'" in shown


def test_a_record_says_what_one_cannot_do_and_why(ada: Any, user: str, lab: Any) -> None:
    lab.readers.add("ada")
    assert "cannot  enrol (AUTH_ROLE: You need the role ANL" in ada("record", "do", user).out


def test_an_edit_is_seen_in_history_and_difference(ada: Any, user: str) -> None:
    assert ada("record", "edit", user, "-f", "job_title=Analyst", "--reason", "was forgotten").code == 0
    assert "job_title: (empty) -> Analyst" in ada("record", "history", user).out
    assert "job_title: (empty) -> Analyst" in ada("record", "diff", user, "--from", 1, "--to", 2).out


def test_an_edit_without_a_reason_is_refused(ada: Any, user: str) -> None:
    ran = ada("record", "edit", user, "-f", "job_title=Analyst")
    assert ran.code == 1 and ran.err.startswith("REASON: ")


def test_an_edit_of_nothing_is_wrong_usage(ada: Any, user: str) -> None:
    assert ada("record", "edit", user, "--reason", "was forgotten").code == 2


def test_signing_shows_the_record_and_its_meaning_before_the_password_is_read(
    ada: Any, user: str, lab: Any
) -> None:
    ran = ada("sign", user, "enrol", "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 0
    assert ran.out.index("Cem Cakir") < ran.out.index("You sign as 'acknowledged': This signing key is mine.")
    assert ran.out.index("You sign as") < ran.out.index("enrolled")
    change = lab.changes[-1][0]
    assert change.shown and change.expected_version == 1


def test_doing_an_act_that_is_signed_holds_the_same_ceremony(ada: Any, user: str) -> None:
    ran = ada(
        "record",
        "do",
        user,
        "enrol",
        "--username",
        "ada",
        "--password-stdin",
        "--json",
        stdin=f"{PASSWORD}\n",
    )
    assert ran.code == 0 and json.loads(ran.out)["entries"][0]["state"] == "enrolled"
    assert "You sign as 'acknowledged'" in ran.err


def test_a_signature_with_a_wrong_password_changes_nothing(ada: Any, user: str) -> None:
    ran = ada("sign", user, "enrol", "--username", "ada", "--password-stdin", stdin="wrong\n")
    assert ran.code == 1 and ran.err.startswith("SIG_REAUTH: ")
    assert json.loads(ada("record", "show", user, "--json").out)["state"] == "invited"


def test_a_password_alone_does_not_sign(ada: Any, user: str) -> None:
    ran = ada("sign", user, "enrol", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 2 and "--username" in ran.err
    assert json.loads(ada("record", "show", user, "--json").out)["state"] == "invited"


def test_the_only_signature_open_to_one_need_not_be_named(ada: Any) -> None:
    made = ada("record", "new", "acquisition_session", "-f", "title=Monday", "--json")
    number = json.loads(made.out)["entries"][0]["number"]
    assert [ada("record", "do", number, act).code for act in ("start", "complete")] == [0, 0]
    ran = ada("sign", number, "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 0 and "verified" in ran.out


def test_one_of_several_signatures_is_never_chosen_for_a_person(ada: Any, user: str, lab: Any) -> None:
    ran = ada("sign", user, "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ran.code == 2 and "open to you: enrol, " in ran.err and len(lab.changes) == 1


def test_an_act_that_is_not_open_is_refused_by_the_server_without_asking_a_password(
    ada: Any, user: str, lab: Any
) -> None:
    lab.readers.add("ada")
    ran = ada("record", "do", user, "enrol")
    assert ran.code == 1 and ran.err.startswith("AUTH_ROLE: ")
    assert "AUTH_ROLE" in lab.refusals


def test_an_act_out_of_sequence_is_refused(ada: Any, user: str) -> None:
    ran = ada("record", "do", user, "activate")
    assert ran.code == 1 and ran.err.startswith("SEQ_STATE: ")


def test_a_creation_that_is_signed_shows_what_will_be_made(ada: Any) -> None:
    ran = ada(
        "record",
        "new",
        "esign_acknowledgement",
        "-f",
        "policy=POL-0001",
        "--username",
        "ada",
        "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )
    assert ran.code == 0
    assert "│ POL-0001" in ran.out and "legally binding equal" in ran.out


def test_fields_come_from_options_files_and_attached_files(ada: Any, lab: Any, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"name": "from file", "kind": "raw"}')
    (tmp_path / "plane.tif").write_bytes(b"pixels")
    given = ["-f", "name=from option", "-f", 'tags=["a", "b"]', "-f", "bit_depth=8", "--json-fields"]
    ran = ada("record", "new", "image", "--fields", "f.json", *given, "--file", "files=plane.tif")
    assert ran.code == 0
    fields = lab.changes[-1][0].fields
    assert (fields["name"], fields["kind"], fields["tags"], fields["bit_depth"]) == (
        "from option",
        "raw",
        ["a", "b"],
        8,
    )
    assert fields["files"]["size"] == 6


def test_a_number_stays_text_unless_asked_otherwise(ada: Any, lab: Any) -> None:
    ada("record", "new", "image", "-f", "name=007", "-f", "bit_depth=8", "-f", "uncalibrated=true")
    assert lab.changes[-1][0].fields == {"name": "007", "bit_depth": "8", "uncalibrated": "true"}


@pytest.mark.parametrize(
    "given",
    [
        ["-f", "name"],
        ["-f", "=x"],
        ["-f", "a=1", "-f", "a=2"],
        ["-f", "a=[1"],
        ["--fields", "none.json"],
        ["--fields", "-"],
        ["--file", "x"],
        ["--file", "x=none.tif"],
    ],
)
def test_fields_that_cannot_be_read_are_wrong_usage_and_nothing_is_sent(
    ada: Any, lab: Any, given: list[str]
) -> None:
    assert ada("record", "new", "image", *given, stdin="[1]").code == 2
    assert lab.changes == []


def test_every_missing_field_is_named(ada: Any) -> None:
    ran = ada("record", "new", "study")
    assert ran.code == 1 and ran.err.startswith("VAL_REQ: ")


def test_a_role_is_asked_for_by_its_code(ada: Any, lab: Any) -> None:
    assert ada("role", "grant", "USR-0001", "rev", "--why", "reviews nuclei counts").code == 0
    assert lab.changes[-1][0].fields == {
        "person": "USR-0001",
        "role": "ROLE-REV",
        "justification": "reviews nuclei counts",
    }


def test_an_invitation_is_printed_alone_so_that_it_can_be_handed_over(ada: Any, user: str) -> None:
    assert ada("user", "invite", user).out == "one-time\n"


def test_text_from_elsewhere_cannot_steer_a_terminal(ada: Any) -> None:
    ada("user", "new", "cem", "--name", "Cem\x1b]0;owned\x07\u202e[red]")
    shown = ada("record", "list", "user").out
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "\\u001b" in shown and "[red]" in shown


class AWaitingLab:
    """An act that waits for a condition, or for somebody else."""

    def __init__(self, lab: Any, code: str) -> None:
        lab.explain = lambda row, context, act: Refused(
            code, record=row.number, action=act, role="SEC", roles="none", conditions="The key is listed."
        )


def _signed_with(ada: Any, user: str, *more: str) -> Any:
    return ada("sign", user, "enrol", *more, "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")


def test_an_act_that_waits_for_what_is_given_with_it_is_signed(ada: Any, user: str, lab: Any) -> None:
    AWaitingLab(lab, "SEQ_PRE")
    ran = _signed_with(ada, user, "-f", "code_by=USR-0001")
    assert ran.code == 0 and "You sign as 'acknowledged'" in ran.out


def test_an_act_that_takes_fields_says_which(ada: Any, user: str, lab: Any) -> None:
    AWaitingLab(lab, "SEQ_PRE")
    shown = ada("record", "do", user).out
    assert "not yet enrol (with it you give signing_keys, code_by. SEQ_PRE: " in shown
    assert "cannot  unlock" not in shown and "cannot  edit (SEQ_PRE" in shown


def test_what_is_not_open_for_another_reason_is_not_signed(ada: Any, user: str, lab: Any) -> None:
    AWaitingLab(lab, "SEQ_PRE")
    assert "You sign as" not in _signed_with(ada, user).out
    AWaitingLab(lab, "AUTH_ROLE")
    assert "You sign as" not in _signed_with(ada, user, "-f", "code_by=USR-0001").out


def test_a_refusal_among_many_names_the_place_of_its_change(
    ada: Any, lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        error = Refused("SEQ_PRE", record="TAG-0001", action="create", conditions="It is there.")
        error.values["line"] = 2
        raise error

    monkeypatch.setattr(lab, "submit_all", refuse, raising=False)
    batch = tmp_path / "batch.jsonl"
    batch.write_text('{"act": "create", "type": "tag", "fields": {}}\n' * 2)
    ran = ada("record", "bulk", batch)
    assert ran.code == 1 and ran.err.startswith("change 2: SEQ_PRE: ")


def test_an_account_is_made_with_its_last_day_and_who_answers_for_it(ada: Any, lab: Any) -> None:
    more = ("--kind", "inspector", "--start", "2026-12-01", "--end", "2026-12-11")
    assert ada("user", "new", "irene", "--name", "Irene", *more).code == 0
    assert lab.rows[-1].fields["valid_to"] == "2026-12-11"
    answering = ("--responsible", "USR-0001")
    assert ada("user", "new", "eln", "--name", "E", "--kind", "service", *answering).code == 0
    assert "responsible" in lab.rows[-1].fields
