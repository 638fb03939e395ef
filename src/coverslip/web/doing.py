"""What somebody did, as a sentence in the past: ``approved SOP-0003 v1``, ``put INS-0001 in service``.

Rules kept here: the words are those of the act's label in the declaration. A label that is no plain verb is
quoted as it stands, so that no sentence says something else than the declaration does.
"""

from __future__ import annotations

import re

from coverslip.kernel.definition import Definition

_WHOLE = {
    "Ask to unblind": "asked to unblind {}",
    "Check layout": "checked the layout of {}",
    "Correct or complete": "corrected or completed {}",
    "Decide": "decided on {}",
    "Decide on reportability": "decided on the reportability of {}",
    "Decide on what is left": "decided on what is left of {}",
    "Dispose of": "disposed of {}",
    "Judge ineffective": "judged {} ineffective",
    "Look again": "looked at {} again",
    "Justify use as it is": "justified the use of {} as it is",
    "Let it be assessed late": "let {} be assessed late",
    "Make the document obsolete": "made the document of {} obsolete",
    "Quality review": "reviewed {} for quality",
    "Read and understood": "read and understood {}",
    "Report lost": "reported {} lost",
    "Respond": "responded to {}",
    "Send conclusion back": "sent the conclusion of {} back",
    "Send plan back": "sent the plan of {} back",
    "Sign as owner of the system": "signed {} as owner of the system",
    "Sign as who delegates": "signed {} as who delegates",
    "Stop watching": "stopped watching by {}",
    "Take an aliquot": "took an aliquot of {}",
    "Take the disposition": "took the disposition of {}",
    "Technical review": "reviewed {} technically",
    "Verify identity and activate": "verified the identity of {} and activated the account",
    "Verify identity for passkey": "verified the identity of {} for a passkey",
}
"""Labels whose sentence no rule gives."""
_IRREGULAR = {
    "cancel": "cancelled",
    "enrol": "enrolled",
    "plan": "planned",
    "reset": "reset",
    "begin": "began",
    "bring": "brought",
    "draw": "drew",
    "freeze": "froze",
    "give": "gave",
    "keep": "kept",
    "leave": "left",
    "let": "let",
    "make": "made",
    "put": "put",
    "read": "read",
    "send": "sent",
    "stand": "stood",
    "submit": "submitted",
    "stop": "stopped",
    "take": "took",
    "withdraw": "withdrew",
}
_REGULAR = frozenset(
    re.findall(
        r"[a-z]+",
        """
    abort accept acknowledge activate amend answer approve archive assess assign cancel change classify
    close collect complete confirm contain correct decide declare decline destroy disable disapprove
    discard endorse enrol escalate exclude execute exempt expire extend fail finish finalise implement
    install invalidate investigate issue justify lift load lock move open plan preserve propose
    quarantine recall receive record register reject release reopen report reset resolve respond
    restrict resume retire return review revoke start supersede suspend terminate triage unblind unlock
    use verify void waive witness add end ask vote judge describe conclude look refuse hand
""",
    )
)
_AFTER = frozenset(
    re.findall(
        r"[a-z]+",
        """
    for as to with by after from at out off into in of anew again aside back down over on until before
    late without
""",
    )
)
"""Words that follow the record in a sentence: put INS-0001 *in service*."""
_MOVED = {"make", "put", "take", "send", "bring", "hand"}
"""Verbs whose record stands right behind them: made SOP-0001 *effective*."""
_OTHER = {
    "create": "made {}",
    "edit": "changed {}",
    "view": "opened {} to read it as it prints",
    "open_image": "opened {}",
    "open_page": "opened {}",
    "view_item": "opened an item of {}",
    "export": "exported {}",
}
_SIGNED = re.compile(r"(D[1-8]) Sign (.+)")


def did(act: str, number: str, definition: Definition | None) -> str:
    """Return what an act did to a record, in the past; ``number`` may be empty: ``approved``."""
    declared = definition.acts.get(act) if definition is not None else None
    if declared is None:
        template = _OTHER.get(act, f"did “{act.replace('_', ' ')}” on {{}}")
        return _filled(template, number)
    return _filled(_template(declared.label), number)


def _filled(template: str, number: str) -> str:
    if number:
        return template.format(number)
    return re.sub(r" (?:on |of |to |by )?\{\}", "", template)


def _template(label: str) -> str:
    if label in _WHOLE:
        return _WHOLE[label]
    signed = _SIGNED.fullmatch(label)
    if signed is not None:
        return f"signed {signed[1]} ({signed[2]}) of {{}}"
    verb, _, rest = label.partition(" ")
    past = _past(verb.rstrip(",").lower())
    if not past:
        return f"did “{label}” on {{}}"
    if verb == "Vote":
        return f"voted on {{}} {rest}"
    if verb.endswith(","):
        return f"{past} {{}}, {rest}"
    first = rest.partition(" ")[0]
    if not rest:
        return f"{past} {{}}"
    if first in _AFTER or verb.lower() in _MOVED:
        return f"{past} {{}} {rest}"
    return f"{past} {rest} of {{}}"


def _past(verb: str) -> str:
    """Return the past of a verb that is known to be one; empty for any other word."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb not in _REGULAR:
        return ""
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}ed"
