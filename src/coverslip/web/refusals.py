"""Refusals on pages: code, rule and words as everywhere, with a title and the clause in plain words."""

from __future__ import annotations

from coverslip import clauses
from coverslip.errors import CoverslipError

_TITLES = {
    "AUTH_REQUIRED": "nobody is signed in",
    "AUTH_ROLE": "your role cannot do this",
    "AUTH_SELF": "a second person is needed",
    "AUTH_TRAIN": "training is not current",
    "AUTH_ESIGN": "you have not signed the e-signature policy",
    "AUTH_ORG": "the 11.100(c) letter is not on file",
    "SIG_REAUTH": "the signature was not made",
    "SIG_REQUIRED": "this needs a signature",
    "SIG_STALE": "this record changed while you were reading",
    "SIG_DUP": "this was signed already",
    "SEQ_STATE": "this is out of sequence",
    "SEQ_PRE": "something must come first",
    "REASON": "say why, in your own words",
    "HASH": "this does not match its recorded hash",
    "HOLD": "the record is on hold",
    "LOCKED": "this version is locked",
    "CLOCK": "the clock is not in sync",
    "ACCOUNT_LOCKED": "the account is locked",
    "THROTTLED": "too many attempts",
    "CROSS_SITE": "this form came from elsewhere",
    "METHOD": "records are never removed",
}
_FAMILIES = {
    "refused": "Refused: not possible now",
    "conflict": "Refused: somebody was faster",
    "invalid": "Refused: something in the form needs you",
    "not_found": "Not found",
    "evidence": "Alteration found",
    "environment": "The action was not completed. No record was changed.",
}


def title(error: CoverslipError) -> str:
    """Return the heading of a refusal."""
    known = _TITLES.get(error.code)
    return f"Refused: {known}" if known else _FAMILIES[error.spec.family]


def clause(error: CoverslipError) -> str:
    """Return what the control asks, in a few words, or empty text."""
    return clauses.control_of(error.rule).title if error.rule and clauses.known(error.rule) else ""
