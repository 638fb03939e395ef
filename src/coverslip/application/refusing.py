"""Refusals: each is an entry before it is answered, wherever it was met."""

from __future__ import annotations

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Context
from coverslip.kernel.events import Events
from coverslip.kernel.rows import Row


def recorded(
    events: Events, error: CoverslipError, context: Context, action: str, subject: Row | None = None
) -> CoverslipError:
    """Record a refusal and return what to answer: the refusal, or that it could not be recorded."""
    try:
        events.refuse(error, context, action, subject)
    except EnvironmentFault as fault:
        return fault
    return error
