"""What a signature needs, and what refuses one; every refusal is one entry about the record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coverslip.kernel import keys
from coverslip.kernel.change import Change, Credential
from coverslip.kernel.identity import LOCK_AFTER, Place, context_of
from coverslip.ledger import canonical
from coverslip.verifier import ed25519
from fix_lab import SHOWN, Lab, Person, refused, secret_of


@pytest.fixture
def aurel(lab: Lab) -> Iterator[Person]:
    """Aurel, whose failed signings are forgotten afterwards, as a second person would."""
    yield lab.aurel
    lab.accounts.clear_failures("signing", lab.aurel.uid)


def sign(lab: Lab, number: str, credential: Credential | None, shown: str = SHOWN) -> None:
    change = Change("submit", number=number, expected_version=lab.row(number).version, shown=shown)
    lab.aurel.submit(change, credential)


def assert_unsigned(lab: Lab, number: str, *codes: str) -> None:
    assert lab.row(number).state == "draft"
    assert lab.row(number).version == 1
    assert [d["code"] for d in lab.refusals(number)] == list(codes)


@pytest.mark.parametrize(
    ("username", "secret"),
    [
        ("aurel", "walnut harbour 6 lantern"),
        ("quinn", secret_of("aurel")),
        ("quinn", secret_of("quinn")),
        ("", secret_of("aurel")),
        ("aurel ", secret_of("aurel")),
        ("aurel", ""),
        ("aurel", secret_of("aurel") + "\x00"),
    ],
    ids=[
        "wrong secret",
        "another's name",
        "another's both",
        "no name",
        "name with space",
        "no secret",
        "more",
    ],
)
def test_both_components_must_be_the_signers_own(lab: Lab, aurel: Person, username: str, secret: str) -> None:
    sop = lab.new_sop()
    with refused("SIG_REAUTH") as caught:
        sign(lab, sop, Credential(username, secret))
    assert secret not in caught[0].message or not secret
    assert_unsigned(lab, sop, "SIG_REAUTH")


def test_a_wrong_secret_is_counted_and_ten_lock_signing(lab: Lab) -> None:
    number = lab.invite("otto", "Otto", ("AUT",))
    otto = lab.sign_in("otto")
    otto.create("esign_acknowledgement", sign=True, person=number, policy="POL-0001", statement="Read.")
    sop = otto.create(
        "document_sop", title="Locked out", criticality="gxp", body="1.", change_summary="First.",
        training_depth="none", audience=[], effective_date="2099-01-01",
    )  # fmt: skip
    for _ in range(LOCK_AFTER):
        with refused("SIG_REAUTH"):
            otto.do(sop, "submit", sign=True, credential=Credential("otto", "wrong horse battery"))
    with refused("ACCOUNT_LOCKED"):
        otto.do(sop, "submit", sign=True)
    assert lab.row(sop).state == "draft"
    assert len(lab.refusals(sop)) == LOCK_AFTER + 1


def test_a_signed_act_without_components_says_what_it_would_mean(lab: Lab) -> None:
    sop = lab.new_sop()
    with refused("SIG_REQUIRED") as caught:
        sign(lab, sop, None)
    assert caught[0].values["meaning"] == "authored"
    assert caught[0].values["meaning_text"]
    assert_unsigned(lab, sop, "SIG_REQUIRED")


def test_nobody_signs_what_was_not_shown(lab: Lab, aurel: Person) -> None:
    sop = lab.new_sop()
    with refused("SIG_REQUIRED"):
        sign(lab, sop, aurel.credential, shown="")
    assert_unsigned(lab, sop, "SIG_REQUIRED")


def test_nobody_signs_an_old_version(lab: Lab, aurel: Person) -> None:
    sop = lab.new_sop()
    lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="Clearer")
    change = Change("submit", number=sop, expected_version=1, shown=SHOWN)
    with refused("SIG_STALE"):
        aurel.submit(change, aurel.credential)
    assert lab.row(sop).state == "draft"


def test_an_identity_not_verified_signs_nothing_but_its_own_key(lab: Lab) -> None:
    number = lab.ada.create(
        "user", username="petra", printed_name="Petra", kind="person", email="p@lab.example"
    )
    code = lab.identity.invite(lab.row(number).uid, lab.ada.uid)
    opened, *_ = lab.identity.begin_enrolment(
        code, "petra", secret_of("petra"), Place("w", "127.0.0.1", "t", "UTC")
    )
    fields = {"person": number, "policy": "POL-0001", "statement": "Read."}
    change = Change("create", "esign_acknowledgement", fields=fields, shown=SHOWN)
    with refused("IDENTITY_NOT_VERIFIED"):
        lab.door.submit(change, context_of(opened.session), Credential("petra", secret_of("petra")))


def test_an_enrolment_code_works_once(lab: Lab) -> None:
    number = lab.ada.create(
        "user", username="rosa", printed_name="Rosa", kind="person", email="r@lab.example"
    )
    code = lab.identity.invite(lab.row(number).uid, lab.ada.uid)
    place = Place("w", "127.0.0.1", "t", "UTC")
    opened, *_ = lab.identity.begin_enrolment(code, "rosa", secret_of("rosa"), place)
    assert opened.token
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment(code, "rosa", secret_of("rosa"), place)
    with refused("AUTH_REQUIRED"):
        lab.identity.begin_enrolment("no such code", "rosa", secret_of("rosa"), place)


def test_another_persons_wrapped_key_does_not_open_in_ones_own_row(lab: Lab) -> None:
    wrapped = lab.accounts.credential(lab.quinn.uid)
    assert wrapped is not None
    keys.prove(wrapped, secret_of("quinn"), lab.quinn.uid)
    with refused("SIG_REAUTH"):
        keys.prove(wrapped, secret_of("quinn"), lab.aurel.uid)


def test_what_is_signed_names_the_record_its_base_and_what_enters(lab: Lab) -> None:
    sop = lab.new_sop()
    base = lab.row(sop)
    lab.aurel.do(sop, "submit", sign=True)
    entry = lab.history(sop)[-1]
    signature = entry["sections"]["signature"]
    statement = signature["statement"]
    message = b"coverslip-signature-v1\n" + canonical.encode(statement)
    ed25519.verify(bytes.fromhex(signature["public"]), message, bytes.fromhex(signature["signature"]))
    assert statement["record"] == {"kind": "document_sop", "id": base.uid, "number": sop}
    assert statement["base"] == {"ver": 1, "leaf": base.leaf_hash}
    assert statement["signer"]["person"] == lab.aurel.uid
    assert statement["signer"]["name"] == "Aurel Author"
    assert statement["components"] == ["user_id", "password"]
    assert (statement["act"], statement["meaning"], statement["shown"]) == ("submit", "authored", SHOWN)
    assert "content" in statement["sections"]


def test_the_key_that_signs_is_the_one_enrolled_and_verified(lab: Lab) -> None:
    row = lab.row(lab.number_of("alan"))
    kids = [k["kid"] for k in row.fields["signing_keys"]]
    chosen = lab.new_set()
    signed = next(e for e in lab.history(chosen) if e["meaning"] == "executed")
    assert [signed["sections"]["signature"]["kid"]] == kids


# --- continuous period (11.200(a)(1)(i)) --------------------------------------------------------


def test_a_series_of_signings_asks_both_components_each_time_unless_the_site_opted_in(
    lab: Lab, aurel: Person
) -> None:
    sop = lab.new_sop()
    sign(lab, sop, aurel.credential)
    another = lab.new_sop()
    with refused("SIG_REAUTH"):
        sign(lab, another, Credential("", secret_of("aurel")))
    assert lab.row(another).state == "draft"


@pytest.fixture
def series(lab: Lab) -> Iterator[None]:
    """A site that lets a series of signings ask the secret alone after the first."""
    made = lab.ask(
        "insert into projection.authority(person, kind, code, source_type, source, data) values"
        " ('00000000-0000-0000-0000-000000000000', 'series', 'SITE-01', 'site', gen_random_uuid(), '{}')"
        " returning source"
    )
    moved = (
        "insert into ops.authority_epoch as e (person, epoch) values"
        " ('00000000-0000-0000-0000-000000000000', 1) on conflict (person) do update set epoch = e.epoch + 1"
        " returning 1"
    )
    lab.ask(moved)
    yield
    lab.ask("delete from projection.authority where source = %s returning 1", made[0][0])
    lab.ask(moved)


def test_in_a_series_the_first_signing_asks_both_and_later_ones_the_secret(lab: Lab, series: None) -> None:
    first, second, third = lab.new_sop(), lab.new_sop(), lab.new_sop()
    rex = lab.sign_in("rex")
    change = [Change("submit", number=n, expected_version=1, shown=SHOWN) for n in (first, second, third)]
    alone = Credential("", secret_of("rex"))
    with refused("SIG_REAUTH"):
        rex.submit(change[0], alone)
    rex.submit(change[0], rex.credential)
    rex.submit(change[1], alone)
    with refused("SIG_REAUTH"):
        rex.submit(change[2], Credential("", "wrong horse battery"))
    statements = [lab.history(n)[-1]["sections"]["signature"]["statement"] for n in (first, second)]
    assert [s["components"] for s in statements] == [["user_id", "password"], ["password"]]
    assert statements[0]["period"] == statements[1]["period"]
    elsewhere = lab.sign_in("rex")  # the same workstation, another session
    with refused("SIG_REAUTH"):
        elsewhere.submit(change[2], alone)
    lab.accounts.clear_failures("signing", rex.uid)


def test_a_series_ends_when_it_lies_idle(lab: Lab, series: None) -> None:
    first, second = lab.new_sop(), lab.new_sop()
    rex = lab.sign_in("rex")
    rex.do(first, "submit", sign=True)
    session = rex.context.session
    for name in ("last", "began"):
        lab.ask(
            "update ops.session set data = data || jsonb_build_object(%s::text,"
            " ops.iso(clock_timestamp() - interval '61 minutes')) where session = %s returning 1",
            name, session,
        )  # fmt: skip
        with refused("SIG_REAUTH"):
            rex.do(second, "submit", sign=True, credential=Credential("", secret_of("rex")))
    lab.accounts.clear_failures("signing", rex.uid)


# --- counting refusals --------------------------------------------------------------------------


def test_wrong_content_again_and_again_is_one_entry_a_minute(lab: Lab) -> None:
    sop = lab.rex.create("document_sop", title="Counted", criticality="gxp")
    for _ in range(5):
        with refused("VAL_RANGE"):
            lab.rex.do(sop, "edit", why="Made it clearer for readers.", title="x" * 400)
    entries = [d for d in lab.refusals(sop) if d["code"] == "VAL_RANGE"]
    minutes = lab.ask(
        "select count from ops.refusal_slot where who = %s and rule like 'VAL_RANGE%%'", lab.rex.uid
    )
    assert len(entries) == len(minutes)
    assert sum(m[0] for m in minutes) == 5


def test_a_refusal_that_cannot_be_recorded_is_no_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from coverslip.errors import EnvironmentFault

    def broken(*_: object) -> None:
        raise EnvironmentFault("TRAIL_UNAVAILABLE", why="the disk is full")

    sop = lab.new_sop()
    monkeypatch.setattr(lab.events, "record", broken)
    with refused("TRAIL_UNAVAILABLE"):
        lab.alan.do(sop, "edit", why="I would like it otherwise.", title="Other")
    monkeypatch.undo()
    assert lab.row(sop).version == 1
