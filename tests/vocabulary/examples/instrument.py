"""A microscope, put in service once it is calibrated."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _calibrated(w: World, row: Row) -> None:
    w.new("calibration", "accepted", instrument=row.number)


def _other_firmware(w: World, row: Row) -> None:
    """Qualify a firmware that the instrument does not have."""
    w.new("qualification", "approved", subject=row.number, software_versions="Firmware 5.0")
    _calibrated(w, row)


def _stood_down(w: World) -> str:
    """Let somebody find in service work that it must be qualified again."""
    order = w.new("maintenance", "in_progress")
    w.do(order, "finish_for_requalification")
    return str(w.row(order).fields["instrument"]["number"])


EXAMPLE = Example(
    create=lambda w: {
        "name": "Widefield 2",
        "make": "Molecular Devices",
        "model": "IX",
        "serial": w.unique("IX-"),
        "interval_months": 12,
        "owner": w.any("user"),
    },
    acts={"install": lambda w, row: {"firmware": "6.1", "location": "Room 14"}},
    before={"put_in_service": _calibrated},
    breaks={"put_in_service": {"is not the qualified": _other_firmware}},
    consequences={"stand_down": _stood_down},
)
