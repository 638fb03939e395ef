"""What chronyc prints is read by position, and refused whole when it does not fit.

The line is one that ``chronyc -n -c tracking`` printed (chrony 4.3), with its offset changed.
"""

from __future__ import annotations

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping import chrony

SYNCHRONISED = (
    "A29FC87B,162.159.200.123,4,1763712000.123456,{behind},-0.000012,0.000045,"
    "-12.345,0.001,0.056,0.012345678,0.001234567,64.5,{leap}\n"
)


def said(behind: str = "-0.250000000", leap: str = "Normal") -> str:
    return SYNCHRONISED.format(behind=behind, leap=leap)


def test_the_offset_is_how_far_the_host_is_ahead() -> None:
    found = chrony.measure(said)
    assert (found.kind, found.source, found.offset_us) == ("chrony", "162.159.200.123", 250_000)


def test_the_error_is_dispersion_and_half_the_delay() -> None:
    assert chrony.measure(said).error_us == round((0.001234567 + 0.012345678 / 2) * 1e6) + 1


@pytest.mark.parametrize(
    "text",
    [
        said(leap="Not synchronised"),
        said(behind="far"),
        said().replace("A29FC87B", "7F7F0101"),
        said().replace("A29FC87B", "00000000"),
        said(behind="nan").replace("A29FC87B,162.159.200.123,4", "00000000,,0"),
        "",
        "506 Cannot talk to daemon\n",
        ",".join(["1"] * 13),
    ],
)
def test_what_is_not_a_synchronised_answer_is_refused(text: str) -> None:
    with pytest.raises(EnvironmentFault, match="chrony"):
        chrony.measure(lambda: text)


def test_a_host_without_chrony_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrony, "COMMAND", ("coverslip-no-such-program",))
    with pytest.raises(EnvironmentFault, match="chrony"):
        chrony.measure()
