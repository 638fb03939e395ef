"""Setting up: in order, by three different people who verify each other, with secrets that do not stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coverslip.application.setting_up.answers import Letter, Person
from coverslip.application.setting_up.gate import MOST, TRIES, WAIT_S
from coverslip.application.setting_up.state import SECRETS_S, STEPS, WRONG_PASSWORDS
from coverslip.errors import EnvironmentFault, Invalid, Refused
from fix_lab import refused
from fix_setup import KEEPING, LETTER, PEOPLE, SITE, Bench, password_of
from fix_together import together


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the code -------------------------------------------------------------------------------------


def test_the_code_on_the_console_lets_one_browser_in(bench: Bench) -> None:
    token = bench.gate.enter(bench.console[0].lower())
    assert bench.gate.knows(token)
    assert not bench.gate.knows("")
    assert not bench.gate.knows(token + "x")


def test_a_code_is_used_once_and_the_next_takes_over(bench: Bench) -> None:
    first = bench.gate.enter(bench.console[0])
    with refused("SETUP_CODE"):
        bench.gate.enter(bench.console[0])
    second = bench.gate.enter(bench.console[1])
    assert bench.gate.knows(second)
    assert not bench.gate.knows(first)


WRONG = "AAAA-BBBB-CCCC-DDDD"


def test_wrong_codes_are_throttled_by_address_and_the_console_is_told_once(bench: Bench) -> None:
    for _ in range(TRIES):
        with refused("SETUP_CODE"):
            bench.gate.enter(WRONG, "192.0.2.1")
    for _ in range(3):
        with refused("THROTTLED") as caught:
            bench.gate.enter(WRONG, "192.0.2.1")
        assert 0 < caught[0].values["seconds"] <= WAIT_S + 1
    assert bench.warnings == ["5 wrong set-up codes within 60 s from 192.0.2.1"]
    with refused("SETUP_CODE"):
        bench.gate.enter(WRONG, "192.0.2.2")
    bench.clock.at += WAIT_S + 1
    with refused("SETUP_CODE"):
        bench.gate.enter(WRONG, "192.0.2.1")


def test_guesses_from_everywhere_are_throttled_altogether(bench: Bench) -> None:
    for n in range(MOST):
        with refused("SETUP_CODE"):
            bench.gate.enter(WRONG, f"192.0.2.{n}")
    with refused("THROTTLED"):
        bench.gate.enter(WRONG, "198.51.100.1")
    assert bench.warnings == ["100 wrong set-up codes within 60 s from anywhere"]


def test_nobody_shuts_out_who_holds_the_code(bench: Bench) -> None:
    for n in range(2 * MOST):
        with pytest.raises(Refused):
            bench.gate.enter(WRONG, f"192.0.2.{n % 7}")
    assert bench.gate.knows(bench.gate.enter(bench.console[0], "192.0.2.1"))


def test_addresses_without_end_are_not_remembered_without_end(bench: Bench) -> None:
    for n in range(5000):
        with pytest.raises(Refused):
            bench.gate.enter(WRONG, f"2001:db8::{n:x}")
    assert len(bench.gate._wrong) <= 1000
    with refused("THROTTLED"):
        bench.gate.enter(WRONG, "2001:db8::ffff")


def test_of_several_who_give_the_code_at_once_one_is_let_in(bench: Bench) -> None:
    code = bench.console[0]
    found = together(*[lambda: bench.gate.enter(code, "192.0.2.1")] * 8)
    tokens = [one for one in found if isinstance(one, str)]
    assert len(tokens) == 1
    assert {one.code for one in found if isinstance(one, Refused)} <= {"SETUP_CODE", "THROTTLED"}
    assert bench.gate.knows(tokens[0])


# --- order ----------------------------------------------------------------------------------------


def test_everything_in_order_founds(bench: Bench) -> None:
    state = bench.to("review")
    assert state.steps == tuple(s for s in STEPS if s != "letter")
    made = state.found()
    assert (made.origin, made.use) == ("lab.example/site1", "evaluation")
    answers, passwords = bench.machine.asked[0]
    assert answers.people == PEOPLE
    assert passwords == {one.username: password_of(one.username) for one in PEOPLE}
    assert answers.documents == {one.username: "passport" for one in PEOPLE}


@pytest.mark.parametrize("step", STEPS[1:])
def test_no_step_is_answered_before_those_before_it(bench: Bench, step: str) -> None:
    calls = {
        "keeping": lambda: bench.state.answer_keeping(KEEPING),
        "people": lambda: bench.state.answer_people(PEOPLE),
        "keys": lambda: bench.state.enrol("ada", password_of("ada"), password_of("ada")),
        "policy": lambda: bench.state.sign("ada", password_of("ada"), "passport"),
        "letter": lambda: bench.state.answer_letter(Letter(when="later")),
        "review": bench.state.found,
    }
    with refused("SEQ_STATE"):
        calls[step]()
    assert bench.machine.asked == []


def test_it_founds_once(bench: Bench) -> None:
    state = bench.to("review")
    state.found()
    with refused("SEQ_STATE"):
        state.found()
    with refused("SEQ_STATE"):
        state.answer_site(SITE)
    assert len(bench.machine.asked) == 1


def test_nothing_secret_is_left_after_it_founded(bench: Bench) -> None:
    state = bench.to("review")
    state.found()
    kept = {name: value for name, value in vars(state).items() if name != "_ports"}
    assert password_of("quinn") not in repr(kept)
    assert kept["_keys"] == {}
    assert not any(state.enrolled(one.username) for one in PEOPLE)


def test_a_founding_that_fails_keeps_what_was_answered(bench: Bench) -> None:
    state = bench.to("review")
    bench.machine.fails = EnvironmentFault("ENVIRONMENT", what="disk", expected="room", found="none")
    with pytest.raises(EnvironmentFault):
        state.found()
    assert state.founded is None
    bench.machine.fails = None
    assert state.found().entries == 99


# --- founders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (PEOPLE[:2], "At least three people"),
        ((*PEOPLE[:2], replace(PEOPLE[2], username="ada")), "user name ada"),
        ((*PEOPLE[:2], replace(PEOPLE[2], name=" ada  ADMIN ")), "name ada admin"),
        ((*PEOPLE[:2], replace(PEOPLE[2], email="ADA@lab.example")), "e-mail address"),
        ((*PEOPLE[:2], replace(PEOPLE[2], roles=("REV",))), "AUT"),
        (
            (PEOPLE[0], replace(PEOPLE[1], roles=("QA", "AUT")), replace(PEOPLE[2], roles=("REV",))),
            "different people",
        ),
    ],
)
def test_founders_are_three_different_people_with_the_three_roles(
    bench: Bench, people: tuple[Person, ...], why: str
) -> None:
    state = bench.to("people")
    assert why in state.answer_people(people)["people"]
    assert state.people == people, "what was typed is kept"
    with refused("SEQ_STATE"):
        state.enrol("ada", password_of("ada"), password_of("ada"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"username": "Ada Admin"}, "username"),
        ({"name": ""}, "name"),
        ({"email": "ada"}, "email"),
        ({"roles": ("ADM", "QA")}, "roles"),
        ({"roles": ("SVC",)}, "roles"),
        ({"roles": ()}, "roles"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field(bench: Bench, wrong: dict[str, str], field: str) -> None:
    people = (replace(PEOPLE[0], **wrong), *PEOPLE[1:])  # type: ignore[arg-type]
    assert set(bench.to("people").answer_people(people)) == {f"0.{field}"}


def test_each_verifies_another_and_nobody_themselves(bench: Bench) -> None:
    state = bench.to("policy")
    assert {one.username: state.verifies(one.username).username for one in PEOPLE} == {
        "ada": "aurel",
        "quinn": "ada",
        "aurel": "quinn",
    }


def test_a_changed_founder_enrols_anew_and_everybody_signs_anew(bench: Bench) -> None:
    state = bench.to("review")
    changed = (PEOPLE[0], replace(PEOPLE[1], name="Quentin Quality"), PEOPLE[2])
    assert state.answer_people(changed) == {}
    assert [state.enrolled(one.username) for one in PEOPLE] == [True, False, True]
    assert state.signed == {}
    assert state.open == "keys"


def test_a_changed_site_is_signed_for_anew(bench: Bench) -> None:
    state = bench.to("review")
    assert state.answer_site(SITE | {"name": "Another site"}) == {}
    assert state.signed == {}
    with refused("SEQ_STATE"):
        state.found()


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "again", "field"),
    [("short", "short", "password"), ("ada walnut harbour", "ada walnut harbour", "password"),
     ("passwordpassword", "passwordpassword", "password"), ("walnut harbour 3 lantern", "walnut", "again")],
)  # fmt: skip
def test_a_weak_or_mistyped_password_is_not_taken(
    bench: Bench, password: str, again: str, field: str
) -> None:
    state = bench.to("keys")
    assert set(state.enrol("ada", password, again)) == {field}
    assert not state.enrolled("ada")


def test_a_signature_needs_both_components_of_that_founder(bench: Bench) -> None:
    state = bench.to("policy")
    for username, secret in (("ada", "wrong"), ("ada", password_of("aurel")), ("nobody", password_of("ada"))):
        with refused("SIG_REAUTH"):
            state.sign(username, secret, "passport")
    assert state.signed == {}
    assert state.sign("ada", password_of("ada"), "") != {}
    assert state.signed == {}


def test_who_guesses_at_a_password_ends_it(bench: Bench) -> None:
    state = bench.to("policy")
    for _ in range(WRONG_PASSWORDS):
        with refused("SIG_REAUTH"):
            state.sign("ada", "guess", "passport")
    assert state.open == "keys"
    assert not state.enrolled("ada")


def test_secrets_are_forgotten_when_nobody_comes_back_and_the_rest_is_not(bench: Bench) -> None:
    state = bench.to("review")
    bench.clock.at += SECRETS_S - 1
    assert not state.expire()
    bench.clock.at += SECRETS_S + 1
    assert state.expire()
    assert state.open == "keys"
    assert state.people == PEOPLE
    with refused("SEQ_STATE"):
        state.found()


# --- regulated, and the letter --------------------------------------------------------------------


def test_a_regulated_one_does_not_go_on_without_what_it_needs(bench: Bench) -> None:
    bench.machine.lacks = {"backup_to": "A folder for backups.", "anchor_to": "An anchor."}
    state = bench.state
    assert state.answer_site(SITE | {"use": "regulated"}) == {}
    assert set(state.answer_keeping(KEEPING)) == {"backup_to", "anchor_to"}
    with refused("SEQ_STATE"):
        state.answer_people(PEOPLE)


def test_what_is_gone_by_the_time_of_founding_is_asked_for_again(bench: Bench) -> None:
    state = bench.to("review", use="regulated")
    bench.machine.lacks = {"backup_to": "The folder is gone."}
    with pytest.raises(Invalid, match="The folder is gone") as caught:
        state.found()
    assert caught.value.code == "NOT_READY"
    assert state.open == "keeping"
    assert bench.machine.asked == []


def test_the_letter_is_asked_for_only_where_fda_regulates(bench: Bench) -> None:
    state = bench.to("letter", authority="fda")
    assert "letter" in state.steps
    with refused("SEQ_STATE"):
        state.found()
    assert set(state.answer_letter(Letter(**LETTER))) == {"scan"}
    assert set(state.answer_letter(Letter(**LETTER | {"sent_on": "2026-02-02"}, scan=b"x"))) == {"sent_on"}
    assert state.answer_letter(Letter(**LETTER, scan_name="l.pdf", scan=b"x")) == {}
    state.found()
    assert bench.machine.asked[0][0].letter is not None


def test_a_letter_that_goes_later_founds_without_it(bench: Bench) -> None:
    state = bench.to("letter", authority="fda")
    assert set(state.answer_letter(Letter())) == {"when"}
    assert state.answer_letter(Letter(when="later")) == {}
    state.found()
    assert bench.machine.asked[0][0].letter is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"use": "both"}, "use"), ({"code": "t"}, "code"), ({"tz": "Mars/Olympus"}, "tz"),
     ({"name": ""}, "name"), ({"origin": "Lab Example"}, "origin"), ({"authority": "x"}, "authority"),
     ({"predicate": "x"}, "predicate"),
     ({"tz": "../../etc/passwd"}, "tz")],
)  # fmt: skip
def test_an_answer_about_the_site_that_is_none_is_told(
    bench: Bench, wrong: dict[str, str], field: str
) -> None:
    assert set(bench.state.answer_site(SITE | wrong)) == {field}
    assert bench.state.site == SITE | wrong


def test_refusals_are_of_a_kind_people_know() -> None:
    assert Refused("SETUP_CODE").status == 401
    assert Invalid("NOT_READY", what="x").status == 409
