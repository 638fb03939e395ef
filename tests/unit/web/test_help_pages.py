"""The manual on pages: what is shipped with the build, and nothing else of the disk."""

from __future__ import annotations

from fix_lab import Lab
from fix_reader import Reader


def test_the_manual_is_shipped_and_leads_nowhere_else(lab: Lab) -> None:
    quinn = Reader(lab, "quinn")
    page = quinn.get("/help")
    assert "Keep accounts safe" in page
    assert "10 failed sign-ins" in quinn.get("/help/how-to/accounts")
    assert "21 CFR 11.10(e)" in quinn.get("/help/controls")
    for name in ("../../pyproject", "how-to/none", "..%2f..%2fREADME", "decisions/README"):
        quinn.get(f"/help/{name}", 404)
