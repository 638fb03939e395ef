"""Screening a password when it is set: not a common one, and not one that is guessed from common ones.

Rules kept here (21 CFR 11.300(b), P11-300-b.1):

* The lists are those of zxcvbn (30 000 leaked passwords, words, names, keyboard rows, dates), with the
  user name and the product's name added. A password that these lists guess within 10 000 million tries is
  refused; a stolen wrapped key can be tried about that often in a lifetime.
* What was screened with which list is kept beside the key, because it is never screened again: nobody but
  its owner has it. A newer list counts from the next password on, or after a reset.
"""

from __future__ import annotations

from importlib.metadata import version

from zxcvbn import zxcvbn

GUESSES_LOG10 = 10
MOST = 72
"""Characters looked at; what follows can only help."""
PRODUCT_WORDS = ("coverslip", "microscopy", "laboratory")


def lists() -> str:
    """Return by what a password is screened now, as it is kept beside the key."""
    return f"zxcvbn {version('zxcvbn')}"


def guessable(secret: str, username: str) -> bool:
    """Return whether the lists guess this password within the tries that are too few."""
    found = zxcvbn(secret[:MOST], user_inputs=[username, *PRODUCT_WORDS])
    return float(found["guesses_log10"]) < GUESSES_LOG10
