"""What a refinement does, as people read it: one sentence for each step.

Rules kept here: a sentence says everything a step does; nothing is left to the JSON beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from coverslip.kernel import patches as p, words as w


def said(step: p.AnyStep) -> str:
    """Return what a step does, as one sentence without its full stop."""
    return _SAID[type(step)](step)


def guard_said(guard: w.Guard) -> str:
    """Return a condition in words: its own message, else what it compares."""
    if isinstance(guard, w.When):
        then = "; ".join(guard_said(one) for one in guard.then)
        return f"where {guard_said(guard.condition)}: {then}"
    message = getattr(guard, "message", "")
    parts = {k: v for k, v in msgspec.to_builtins(guard).items() if k not in ("word", "message")}
    told = ", ".join(f"{k} {_plain(v)}" for k, v in parts.items())
    name = type(guard).__name__
    return f"{name}({told})" + (f" “{message}”" if message else "")


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ".".join(map(str, value))
    return str(value)


def _kind(kind: w.Kind) -> str:
    parts = {k: v for k, v in msgspec.to_builtins(kind).items() if k != "word"}
    told = ", ".join(f"{k} {_plain(v)}" for k, v in parts.items() if k != "columns")
    columns = f", columns {', '.join(kind.columns)}" if isinstance(kind, w.Table) else ""
    return f"{type(kind).__name__.lower()}{f' ({told}{columns})' if told or columns else ''}"


def _field(step: p.AddField) -> str:
    asked = f", required on entering {', '.join(step.required_at)}" if step.required_at else ", optional"
    fixed = f", fixed in {', '.join(step.immutable_at)}" if step.immutable_at else ""
    marks = "".join(f", {m}" for m in ("many", "critical", "sensitive") if getattr(step, m))
    return f"adds the field {step.name} “{step.label}”: {_kind(step.kind)}{asked}{fixed}{marks}"


def _narrow(step: p.Narrow) -> str:
    given = {n: getattr(step, n) for n in step.__struct_fields__ if n != "field"}
    told = ", ".join(f"{n} {_listed(v)}" for n, v in given.items() if v is not None)
    return f"narrows {step.field}: {told}"


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _signature(step: p.AskSignature) -> str:
    by = f" by {' or '.join(step.roles)}" if step.roles else ""
    apart = f", independent of {', '.join(step.independent_of)}" if step.independent_of else ""
    return f"asks for '{step.act}' to be signed '{step.meaning}'{by}{apart}: “{step.text}”"


_SAID: dict[type, Callable[[Any], str]] = {
    p.AddField: _field,
    p.AddGuard: lambda s: f"asks of '{s.act}' besides: {guard_said(s.guard)}",
    p.RaiseReason: lambda s: f"asks a reason of {s.minimum} characters or more for '{s.act}'",
    p.RequireAt: lambda s: f"requires {s.field} on entering {', '.join(s.states)}",
    p.Narrow: _narrow,
    p.Separate: lambda s: f"lets nobody do '{s.act}' who is {' or '.join(s.persons)}",
    p.AskSignature: _signature,
    p.ForbidDelegation: lambda s: f"lets no delegate sign '{s.act}'",
    p.MarkCritical: lambda s: f"marks {s.field} as critical",
    p.FixField: lambda s: f"fixes {s.field} in {', '.join(s.states)}",
    p.AddSummary: lambda s: f"shows {', '.join(s.fields)} in lists",
    p.NarrowWho: lambda s: f"lets only {' or '.join(s.who)} do '{s.act}'",
    p.NarrowSigners: lambda s: f"lets only {' or '.join(s.roles)} sign '{s.act}'",
}
