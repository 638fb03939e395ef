"""Every error Coverslip raises: one root, six families, one catalogue.

Rules kept here:

* An error is a *code* with *values*; its message is built from both, so that pages, API and
  command line say the same thing without parsing text.
* A code never changes its meaning. Codes of DOMAIN 1.6 carry the HTTP status of REGULATION 0.1.
* A message says what was expected, what was found, where, and what to do next. It never holds a
  secret or a stack trace.
* Families differ only where a caller acts differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Family = Literal["refused", "conflict", "invalid", "not_found", "evidence", "environment"]
Recorded = Literal["each", "per_minute", "no"]
"""How a refusal reaches the ledger: one entry each, one per actor, rule and minute, or none."""


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """What is fixed about one code.

    ``rule`` is an id of the regulation catalogue; ``clause`` the citation behind it, empty where
    none applies; ``status`` the HTTP status; ``template`` and ``remedy`` are ``str.format``
    templates over the error's values.
    """

    code: str
    family: Family
    status: int
    template: str
    remedy: str = ""
    rule: str = ""
    clause: str = ""
    recorded: Recorded = "no"


class CoverslipError(Exception):
    """Root of all errors; carries code, values and, where one exists, the record's number.

    ``recorded`` says whether its refusal entry is written already.
    """

    family: ClassVar[Family | None] = None

    def __init__(self, code: str, *, record: str = "", message: str = "", **values: Any) -> None:
        spec = CATALOGUE[code]
        if self.family is not None and spec.family != self.family:
            raise ValueError(f"{code} belongs to family {spec.family}, not {self.family}")
        self.code = code
        self.spec = spec
        self.recorded = False
        self.record = record
        self.values = {"record": record, **values}
        self.message = message or _fill(spec.template, self.values)
        self.remedy = str(values.get("remedy") or _fill(spec.remedy, self.values))
        self.rule = str(values.get("rule") or spec.rule)
        self.clause = str(values.get("clause") or spec.clause)
        super().__init__(f"{code}: {self.message}")

    @property
    def status(self) -> int:
        """HTTP status of this error."""
        return self.spec.status

    def problem(self) -> dict[str, Any]:
        """Return the problem-details body (RFC 9457) of this error, without its values."""
        return {
            "type": f"https://coverslip.invalid/errors/{self.code.lower()}",
            "title": self.code,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "message": self.message,
            "rule": self.rule,
            "clause": self.clause,
            "record": self.record,
            "remedy": self.remedy,
        }


class Refused(CoverslipError):
    """The act is not permitted: authority, sequence, independence, signature, hold, device, lock."""

    family = "refused"


class Conflict(CoverslipError):
    """What was read has changed meanwhile; deciding again may succeed."""

    family = "conflict"


class Invalid(CoverslipError):
    """Content is missing, malformed or outside its limits."""

    family = "invalid"


class NotFound(CoverslipError):
    """Nothing is stored under this name."""

    family = "not_found"


class EvidenceBroken(CoverslipError):
    """Stored bytes disagree with their evidence. Work stops until a person has looked."""

    family = "evidence"


class EnvironmentFault(CoverslipError):
    """Something outside the records (disk, database, network, program) cannot do its part."""

    family = "environment"


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "" if key == "remedy" else f"({key})"


def _fill(template: str, values: dict[str, Any]) -> str:
    return template.format_map(_Missing(values))


def _spec(
    family: Family,
    code: str,
    status: int,
    template: str,
    remedy: str = "",
    rule: str = "",
    clause: str = "",
    recorded: Recorded = "no",
) -> ErrorSpec:
    return ErrorSpec(code, family, status, template, remedy, rule, clause, recorded)


_SPECS = (
    # --- authority -----------------------------------------------------------------------------
    _spec(
        "refused",
        "AUTH_ROLE",
        403,
        "You need the role {role} to {action} {record}. You hold: {roles}.",
        "Ask a person who holds {role} to do it, or have the role granted.",
        "P11-10-g",
        "21 CFR 11.10(g)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_SELF",
        403,
        "{action} must be done by someone other than {person}, who {did} on {date}.",
        "Ask another person with the role to do it.",
        "P11-10-g.2",
        "21 CFR 11.10(g)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_TRAIN",
        403,
        "You are not trained on {doc} v{v} (required for {role} since {since}). "
        "Read or be assessed before you {action}.",
        "Complete the training record for {doc} v{v}.",
        "P11-10-g.3",
        "21 CFR 11.10(i)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_ESIGN",
        403,
        "You have not acknowledged the electronic-signature policy {doc} v{v}; signing is disabled for you.",
        "Read {doc} v{v} and sign its acknowledgement.",
        "P11-10-j.1",
        "21 CFR 11.10(j)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_ORG",
        403,
        "No 11.100(c) certification is recorded for {site}; electronic signatures are not yet in use here.",
        "QA records the certification letter as sent.",
        "P11-100-c.1",
        "21 CFR 11.100(c)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_SHARED",
        403,
        "This account is in use at {workstation}. Shared sign-in is not allowed.",
        "Sign out there first; accounts are personal.",
        "P11-100-a",
        "21 CFR 11.100(a)",
        "each",
    ),
    _spec(
        "refused",
        "AUTH_REQUIRED",
        401,
        "Sign in first; this session is unknown, ended or expired.",
        "Sign in with your user name and password.",
        "P11-10-d.1",
        "21 CFR 11.10(d)",
        "per_minute",
    ),
    _spec(
        "refused",
        "SESSION_LOCKED",
        401,
        "This session is locked, because it was left alone or its person locked it.",
        "Unlock it with your password or passkey, or sign in.",
        "P11-10-d.1",
        "21 CFR 11.10(d)",
        "per_minute",
    ),
    _spec(
        "refused",
        "ACCOUNT_LOCKED",
        423,
        "This account is locked after {n} failed attempts.",
        "A second person unlocks it.",
        "P11-300-d.1",
        "21 CFR 11.300(d)",
        "each",
    ),
    _spec(
        "refused",
        "SETUP_CODE",
        401,
        "This is not the code of this set-up.",
        "Read it from the console on which 'coverslip serve' was started.",
        "P11-300-d.1",
        "21 CFR 11.300(d)",
    ),
    _spec(
        "refused",
        "THROTTLED",
        429,
        "Too many attempts; try again in {seconds} s.",
        "Wait, then try again.",
        "P11-300-d.1",
        "21 CFR 11.300(d)",
        "per_minute",
    ),
    _spec(
        "refused",
        "IDENTITY_NOT_VERIFIED",
        403,
        "Nobody has recorded how the identity of {person} was verified; signing is disabled.",
        "A second person verifies the identity and signs it.",
        "P11-100-b.1",
        "21 CFR 11.100(b)",
        "each",
    ),
    # --- signature -----------------------------------------------------------------------------
    _spec(
        "refused",
        "SIG_REAUTH",
        401,
        "The signature was not made: {expected} needed, and what was given did not match.",
        "Enter your user name and password again.",
        "P11-200-a1",
        "21 CFR 11.200(a)(1)",
        "each",
    ),
    _spec(
        "refused",
        "SIG_REQUIRED",
        409,
        "{action} {record} needs a signature with the meaning '{meaning}'.",
        "Sign with your user name and password.",
        "P11-200-a1",
        "21 CFR 11.200(a)(1)",
        "each",
    ),
    _spec(
        "conflict",
        "SIG_STALE",
        409,
        "{record} changed at {time} after you opened it. Read v{v}, then sign or save again.",
        "Open the record again.",
        "P11-10-f.4",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "SIG_DUP",
        409,
        "You already signed {record} v{v} as {meaning}.",
        "Another person signs, or nothing more is needed.",
        "P11-70",
        "21 CFR 11.70",
        "each",
    ),
    # --- sequence ------------------------------------------------------------------------------
    _spec(
        "refused",
        "SEQ_STATE",
        409,
        "{record} is {state}; {action} is only allowed from {states}.",
        "Bring the record to {states} first.",
        "P11-10-f.1",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "SEQ_PRE",
        409,
        "{action} is blocked until: {conditions}.",
        "Meet each condition, then try again.",
        "P11-10-f.2",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "LOCKED",
        423,
        "{record} v{v} is {state} and cannot be edited. Start a new version or an amendment.",
        "Start a new version.",
        "P11-10-f",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "LINK_VER",
        409,
        "{target} v{v} is {state}; only {allowed} versions may be used.",
        "Use a version that is {allowed}.",
        "P11-10-f.2",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "HOLD",
        423,
        "{record} is on hold ({hold}, {reason}); {action} is not possible.",
        "QA lifts the hold.",
        "P11-10-f.2",
        "21 CFR 11.10(f)",
        "each",
    ),
    _spec(
        "refused",
        "RETENTION",
        423,
        "{record} must be kept until {until}, because {because}.",
        "Nothing can be removed before then.",
        "P11-10-c.2",
        "21 CFR 11.10(c)",
        "each",
    ),
    # --- content -------------------------------------------------------------------------------
    _spec(
        "invalid",
        "VAL_REQ",
        422,
        "{field} is required before {state}.",
        "Fill in {field}.",
        "P11-10-e.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "VAL_RANGE",
        422,
        "{field}: {value} is outside {limits}.",
        "Give a value within {limits}.",
        "P11-10-e.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "VAL_VOCAB",
        422,
        "{field}: {value} is not possible. Choose one of {choices}.",
        "Choose one of {choices}.",
        "P11-10-e.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "VAL_UNIT",
        422,
        "{field} needs a unit of {dimension}; got {unit}.",
        "Give the value in a unit of {dimension}.",
        "P11-10-e.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "VAL_FORM",
        422,
        "{field} must be {expected}; found {found}.",
        "Correct {field}.",
        "P11-10-e.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "REASON",
        422,
        "Say why. At least {n} characters, in your own words; '{text}' is not a reason.",
        "Write the reason in your own words.",
        "P11-10-e.7",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "DUP",
        409,
        "{field} {value} is already used by {other}.",
        "Use another value.",
        "P11-100-a.1",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "IDEMPOTENCY",
        409,
        "The idempotency key {key} was used for a different request.",
        "Use a new key for a new request.",
        "",
        "",
        "per_minute",
    ),
    _spec(
        "invalid",
        "REFINEMENT",
        422,
        "{type} cannot be refined so: {found}.",
        "Correct each step named; a refinement only adds or tightens.",
        "P11-10-k",
        "21 CFR 11.10(k)",
        "per_minute",
    ),
    _spec(
        "invalid",
        "NOT_READY",
        409,
        "The installation is not founded yet. {what}",
        "See to what is named, then found it.",
    ),
    _spec(
        "invalid",
        "WRONG_HOST",
        421,
        "This server does not answer under the name it was asked for.",
        "Use the address your laboratory gave you.",
    ),
    _spec(
        "invalid",
        "TOO_LARGE",
        413,
        "{what} is {size}; at most {limit} is accepted.",
        "Send less at once.",
        "",
        "",
        "per_minute",
    ),
    _spec("not_found", "NOT_FOUND", 404, "There is no {what} {record}.", "Check the number."),
    _spec(
        "refused",
        "CROSS_SITE",
        403,
        "This form was not sent from a page of your session ({action}).",
        "Open the page again here, and send the form from it.",
        "P11-10-d.1",
        "21 CFR 11.10(d)",
        "per_minute",
    ),
    _spec(
        "refused",
        "METHOD",
        405,
        "{action} does not exist for {record}: records and their trail are never removed.",
        "Nothing here can be deleted.",
        "P11-10-e.3",
        "21 CFR 11.10(e)",
        "per_minute",
    ),
    # --- devices -------------------------------------------------------------------------------
    _spec(
        "refused",
        "DEVICE_UNKNOWN",
        403,
        "{device} is not a registered source; what it sent is in quarantine.",
        "Register the device, then send again.",
        "P11-10-h.1",
        "21 CFR 11.10(h)",
        "each",
    ),
    _spec(
        "refused",
        "DEVICE_MISMATCH",
        409,
        "The file says serial {found}, {device} is {expected}; it is in quarantine.",
        "Check which instrument made the file.",
        "P11-10-h.1",
        "21 CFR 11.10(h)",
        "each",
    ),
    # --- evidence and environment --------------------------------------------------------------
    _spec(
        "evidence",
        "HASH",
        409,
        "The stored content of {record} does not match its hash. It is quarantined and security was told.",
        "Keep a copy of everything and tell the security officer.",
        "P11-70.1",
        "21 CFR 11.70",
        "each",
    ),
    _spec(
        "evidence",
        "EVIDENCE",
        409,
        "{what}: expected {expected}, found {found}.",
        "Stop work, keep a copy, and tell the security officer.",
        "P11-10-e.3",
        "21 CFR 11.10(e)",
    ),
    _spec(
        "evidence",
        "RECOVERY_REQUIRED",
        503,
        "The ledger is shorter than, or differs from, its last checkpoint. "
        "It is read-only until two people sign a recovery.",
        "Keep a copy of the whole home; two people sign a recovery: 'coverslip ledger recover'.",
        "P11-10-c",
        "21 CFR 11.10(c)",
    ),
    _spec(
        "refused",
        "RECOVERY_REFUSED",
        409,
        "The recovery was not accepted: {why}.",
        "Two different people, one as QA and one as ADM, sign it with their own verified keys.",
        "P11-10-c",
        "21 CFR 11.10(c)",
    ),
    _spec(
        "refused",
        "CLOCK",
        503,
        "The server clock is not synchronised (offset {offset}, limit 1 s). "
        "You cannot sign now; entries go on and are marked.",
        "Lab IT restores the time source.",
        "P11-10-e.9",
        "21 CFR 11.10(e)",
        "each",
    ),
    _spec(
        "environment",
        "CLOCK_BACK",
        503,
        "The database's clock is {behind} behind what it showed before, so nothing is written: "
        "new entries would be dated before older ones.",
        "Lab IT sets the clock right; a confirmed time source lets writing go on.",
        "P11-10-e.9",
        "21 CFR 11.10(e)",
    ),
    _spec(
        "environment",
        "TRAIL_UNAVAILABLE",
        503,
        "The audit trail could not be written, so nothing was changed. Try again.",
        "Try again; if it stays so, tell lab IT.",
        "P11-10-e.2",
        "21 CFR 11.10(e)",
    ),
    _spec(
        "environment",
        "STORAGE",
        507,
        "{what} has no room left, so nothing was changed. Reading goes on.",
        "Free or add space on that disk; writing goes on by itself.",
        "P11-10-e.2",
        "21 CFR 11.10(e)",
    ),
    _spec("environment", "ENVIRONMENT", 503, "{what}: expected {expected}, found {found}.", "{remedy}"),
    _spec(
        "environment",
        "UNAVAILABLE",
        503,
        "{what} does not answer.",
        "Start it with 'coverslip serve', or see to the site's database server.",
    ),
)

CATALOGUE: dict[str, ErrorSpec] = {spec.code: spec for spec in _SPECS}
"""All codes. Documented in docs/reference/errors.md; tests hold the two together."""
