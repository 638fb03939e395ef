"""Checkpoints and receipts: exact lines, nothing more."""

from __future__ import annotations

import base64

import pytest

from coverslip.ledger.checkpoint import Checkpoint, CheckpointError, cosigned_message
from coverslip.ledger.receipt import PendingReceipt
from coverslip.ledger.tree import EMPTY_ROOT

ROOT = bytes(range(32))
ROOT64 = base64.b64encode(ROOT).decode()
GOOD = f"log.example/lab\n42\n{ROOT64}\n"
RECEIPT = (
    "coverslip receipt v1\nlog.example/lab\n0190a6c1-7b2e-7f00-8abc-0123456789ab\n"
    + "ab" * 32
    + "\n2026-11-21T04:00:00.123456Z\n"
)


def test_a_checkpoint_is_three_lines_and_reads_back() -> None:
    one = Checkpoint("log.example/lab", 42, ROOT)
    assert one.text() == GOOD
    assert Checkpoint.parse(GOOD) == one


def test_an_empty_log_has_the_empty_root() -> None:
    empty = Checkpoint("log.example/lab", 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text()) == empty
    with pytest.raises(CheckpointError):
        Checkpoint("log.example/lab", 0, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "\n",
        GOOD + "extension\n",
        GOOD.replace("log.example/lab", ""),
        GOOD.replace("log.example/lab", "log example"),
        GOOD.replace("log.example/lab", "log+example"),
        GOOD.replace("log.example/lab", "l" * 256),
        GOOD.replace("42", "042"),
        GOOD.replace("42", "+42"),
        GOOD.replace("42", "-42"),
        GOOD.replace("42", " 42"),
        GOOD.replace("42", "4_2"),
        GOOD.replace("42", "٤٢"),
        GOOD.replace("42", ""),
        GOOD.replace("42", "9223372036854775808"),
        GOOD.replace("42", "9" * 19),
        GOOD.replace(ROOT64, ROOT64[:-1]),
        GOOD.replace(ROOT64, ROOT64[:-4]),
        GOOD.replace(ROOT64, ROOT64[:-2] + "9="),
        GOOD.replace(ROOT64, base64.b64encode(ROOT + b"x").decode()),
        GOOD.replace("\n", "\r\n"),
    ],
)
def test_a_text_of_another_form_cannot_be_a_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.parse(text)


def test_a_cosignature_covers_time_and_text() -> None:
    assert cosigned_message(GOOD, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + GOOD.encode()
    with pytest.raises(CheckpointError):
        cosigned_message(GOOD, -1)
    with pytest.raises(CheckpointError):
        cosigned_message(GOOD, 2**63)


def test_a_receipt_is_five_lines_and_reads_back() -> None:
    one = PendingReceipt.parse(RECEIPT)
    assert one.text() == RECEIPT
    assert one.entry == "0190a6c1-7b2e-7f00-8abc-0123456789ab"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1", "v2"),
        ("log.example/lab", ""),
        ("0190a6c1", "0190A6C1"),
        ("ab" * 32, "ab" * 31),
        (".123456Z", "Z"),
        ("Z\n", "Z"),
        ("Z\n", "Z\nmore\n"),
    ],
)
def test_a_text_of_another_form_cannot_be_a_receipt(old: str, new: str) -> None:
    assert old in RECEIPT
    with pytest.raises(CheckpointError):
        PendingReceipt.parse(RECEIPT.replace(old, new))
