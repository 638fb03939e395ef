"""Comments, attachments, tags and watches: what stands beside a record and never changes it."""

from __future__ import annotations

from typing import Any

import pytest

from fix_lab import Lab, refused


def test_a_comment_makes_no_signature_stale_and_changes_no_version(lab: Lab) -> None:
    sop = lab.new_sop()
    read = lab.row(sop)
    comment = lab.alan.create("comment", subject=sop, text="Which objective?", field="body")
    assert lab.row(sop) == read
    lab.aurel.do(sop, "submit", sign=True, version=read.version)
    assert lab.row(sop).state == "in_review"
    kept = lab.row(comment).fields["subject"]
    assert (kept["version"], kept["hash"]) == (read.version, read.leaf_hash)
    assert lab.replay() == []


def test_a_comment_is_asked_answered_and_resolved(lab: Lab) -> None:
    comment = lab.alan.create("comment", subject=lab.n["study"], text="Why?", asked=lab.number_of("sam"))
    with refused("VAL_REQ"):
        lab.sam.do(comment, "answer")
    lab.sam.do(comment, "answer", answer="Because the protocol says so.")
    lab.alan.do(comment, "resolve")
    row = lab.row(comment)
    assert (row.state, row.people["answer"]) == ("resolved", [lab.sam.uid])
    with refused("LOCKED"):
        lab.sam.do(comment, "answer", answer="And more.")


def test_only_its_author_edits_a_comment_and_says_why(lab: Lab) -> None:
    comment = lab.alan.create("comment", subject=lab.n["study"], text="Frist.")
    with refused("AUTH_ROLE"):
        lab.rita.do(comment, "edit", why="It was misspelt there.", text="First.")
    with refused("REASON"):
        lab.alan.do(comment, "edit", text="First.")
    lab.alan.do(comment, "edit", why="It was misspelt there.", text="First.")
    assert [e["sections"]["content"]["fields"]["text"] for e in lab.history(comment)[-1:]] == ["First."]
    with refused("AUTH_ROLE"):
        lab.rita.do(comment, "withdraw", why="I do not like what it says.")
    lab.alan.do(comment, "withdraw", why="It was about another study.")
    assert lab.row(comment).fields["text"] == "First.", "withdrawn, and still there"


@pytest.mark.parametrize("field", ["no_such", "title.column", "members[7]", "a b"])
def test_a_comment_is_not_pinned_to_a_field_that_is_not_there(lab: Lab, field: str) -> None:
    with refused("SEQ_PRE"):
        lab.alan.create("comment", subject=lab.n["study"], text="Here.", field=field)


def test_a_region_lies_within_its_image(lab: Lab) -> None:
    image = lab.new_image()
    box: dict[str, Any] = {"x": 2, "y": 2, "width": 6, "height": 6}
    lab.alan.create("comment", subject=image, text="A crystal.", region={**box, "z": 0})
    for wrong in ({**box, "x": 3}, {**box, "z": 1}, {**box, "width": 0}, {"x": 1}, {**box, "note": "big"}):
        with refused("SEQ_PRE"):
            lab.alan.create("comment", subject=image, text="A crystal.", region=wrong)
    with refused("SEQ_PRE"):
        lab.alan.create("comment", subject=lab.n["study"], text="A crystal.", region=box)


def test_a_reply_is_about_the_same_record(lab: Lab) -> None:
    first = lab.alan.create("comment", subject=lab.n["study"], text="Why?")
    lab.rita.create("comment", subject=lab.n["study"], text="See the protocol.", reply_to=first)
    with refused("SEQ_PRE"):
        lab.rita.create("comment", subject=lab.n["instrument"], text="See there.", reply_to=first)


def test_a_record_carries_a_word_once_however_it_is_written(lab: Lab) -> None:
    study = lab.n["study"]
    tag = lab.alan.create("tag", subject=study, word="  Über  Exposed ")
    assert lab.row(tag).fields["word"] == "über exposed"
    with refused("DUP"):
        lab.rita.create("tag", subject=study, word="U\u0308ber exposed")
    lab.rita.create("tag", subject=lab.n["instrument"], word="über exposed")
    lab.rita.do(tag, "remove", why="It was exposed as planned.")
    assert lab.rita.create("tag", subject=study, word="über exposed") != tag
    assert lab.replay() == []


def test_everybody_watches_for_themselves_once(lab: Lab) -> None:
    study = lab.n["study"]
    with refused("SEQ_PRE"):
        lab.alan.create("watch", subject=study, person=lab.number_of("rita"))
    watch = lab.alan.create("watch", subject=study)
    assert lab.row(watch).fields["person"]["uid"] == lab.alan.uid
    with refused("DUP"):
        lab.alan.create("watch", subject=study, person=lab.number_of("alan"))
    lab.rita.create("watch", subject=study)
    with refused("AUTH_ROLE"):
        lab.rita.do(watch, "end")
    lab.alan.do(watch, "end")
    lab.alan.create("watch", subject=study)


def test_a_file_is_attached_and_withdrawn_with_a_reason(lab: Lab) -> None:
    study = lab.n["study"]
    kept = lab.attach("letter.pdf", b"%PDF-1.4 letter")
    letter = lab.alan.create("attachment", subject=study, what="Letter of the sponsor", file=kept)
    with refused("VAL_FORM"):
        lab.alan.create("attachment", subject=study, what="Another", file={**kept, "size": 3})
    with refused("AUTH_ROLE"):
        lab.rita.do(letter, "withdraw", why="It belongs to another study.")
    with refused("REASON"):
        lab.alan.do(letter, "withdraw")
    lab.alan.do(letter, "withdraw", why="It belongs to another study.")
    assert lab.vault.has(kept["root"])


def test_an_attached_file_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from coverslip.records.collaboration import attachment

    study = lab.new_study()
    monkeypatch.setattr(attachment, "MAX_TOTAL_BYTES", 30)
    lab.alan.create("attachment", subject=study, what="First", file=lab.attach("a.txt", b"x" * 20))
    with refused("SEQ_PRE"):
        lab.alan.create("attachment", subject=study, what="Second", file=lab.attach("b.txt", b"y" * 20))
    monkeypatch.setattr(attachment, "MAX_BYTES", 5)
    with refused("SEQ_PRE"):
        lab.alan.create("attachment", subject=study, what="Third", file=lab.attach("c.txt", b"z" * 6))


def test_what_is_said_in_a_sandbox_stays_in_it(lab: Lab) -> None:
    study = lab.new_study("sandbox")
    comment = lab.alan.create("comment", subject=study, text="Just trying.")
    assert lab.row(comment).content["sandbox"] is True
    tag = lab.alan.create("tag", subject=comment, word="toy")
    assert lab.row(tag).content["sandbox"] is True
