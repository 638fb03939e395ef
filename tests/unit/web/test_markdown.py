"""Texts with marks: shown as meant, never as markup of their own, and never at the server's expense."""

from __future__ import annotations

import time

import pytest

from coverslip.web.templating import markdown


def test_marks_are_what_they_mean_and_markup_is_text() -> None:
    assert markdown("**bold** [SOP](/r/SOP-0001)") == (
        '<p><strong>bold</strong> <a href="/r/SOP-0001">SOP</a></p>\n'
    )
    assert "<script" not in markdown("<script>x</script> [a](javascript:alert(1)) ![b](/x)")
    assert "href" not in markdown("[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x)")
    assert "<img" not in markdown("![b](/r/SOP-0001)")


@pytest.mark.parametrize("text", ["[" * 200_000, "[a" * 60_000 + "]" * 60_000, "[<b>" * 50_000])
def test_a_text_made_to_exhaust_is_shown_as_it_was_typed(text: str) -> None:
    began = time.monotonic()
    assert markdown(text).unescape() == f"<pre>{text}</pre>"
    assert "<b>" not in markdown(text)
    assert time.monotonic() - began < 5
