"""Passwords are screened against lists when they are set; what the lists guess is refused."""

from __future__ import annotations

import time

import pytest

from coverslip.errors import Invalid
from coverslip.kernel import keys, screening


@pytest.mark.parametrize(
    "secret",
    ["password1234", "Password1234!", "qwertyuiop12", "Summer2026!!", "1qaz2wsx3edc", "trustno1trustno1",
     "iloveyou1234", "abcdefghijklmn",
     "aaaaaaaaaaaaaaaa", "letmeinletmein", "P4ssw0rd2026", "coverslipcoverslip"],
)  # fmt: skip
def test_a_common_password_and_its_variations_are_refused(secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        keys.check_secret(secret, "ada")
    assert secret not in str(caught.value), "an error never repeats a password"


@pytest.mark.parametrize("secret", ["walnut harbour 4 lantern", "kZ8#vv1qPw0!x", "granite meadow compass"])
def test_words_of_ones_own_and_random_characters_are_taken(secret: str) -> None:
    keys.check_secret(secret, "ada")


def test_short_ones_and_ones_with_the_user_name_are_refused() -> None:
    for secret in ("kZ8#vv1qPw", "marguerite granite meadow"):
        with pytest.raises(Invalid):
            keys.check_secret(secret, "marguerite")
    keys.check_secret("marguerite granite meadow", "olaf")


def test_the_longest_password_is_screened_in_a_moment() -> None:
    began = time.monotonic()
    keys.check_secret(("granite meadow compass " * 60)[:1024], "ada")
    assert time.monotonic() - began < 5


def test_by_what_a_password_was_screened_is_kept_beside_its_key() -> None:
    made = keys.enrol("granite meadow 7 compass", "00000000-0000-0000-0000-000000000001")
    assert made.wrapped["screened"] == screening.lists() and screening.lists().startswith("zxcvbn 4.")
