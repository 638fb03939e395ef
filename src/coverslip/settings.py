"""Where an installation lives, and the limits it keeps: one immutable object each.

Rules kept here:

* Units are in the names. Nothing that affects evidence has a hidden default: what is not given here is asked
  for or refused.
* The environment names places (the home, more samples); it never loosens a limit. A control is a property
  of the program, not an option.
* Only the standard library, because everything else imports this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.errors import EnvironmentFault

HOME_VARIABLE = "COVERSLIP_HOME"
SAMPLES_VARIABLE = "COVERSLIP_SAMPLES"

DATABASE_ROLES = (
    "cs_superuser",
    "cs_migrator",
    "cs_writer",
    "cs_sequencer",
    "cs_reader",
    "cs_verifier",
    "cs_eraser",
)
"""Login roles of the database; each has a secret file of its own."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one installation. Names paths only; creates and reads nothing."""

    root: Path

    @property
    def manifest(self) -> Path:
        """``coverslip.json``: format, origin, use, installation, creation time, PostgreSQL major."""
        return self.root / "coverslip.json"

    @property
    def database(self) -> Path:
        """Data directory of the supervised PostgreSQL."""
        return self.root / "postgres" / "data"

    @property
    def database_log(self) -> Path:
        """Log directory of the supervised PostgreSQL."""
        return self.root / "postgres" / "log"

    @property
    def secrets(self) -> Path:
        """Folder (mode 0700) with one file per database role, and the admission and scheduler keys."""
        return self.root / "secrets"

    def secret(self, name: str) -> Path:
        """File of one secret, such as ``cs_writer`` or ``admission.key``."""
        return self.secrets / name

    @property
    def signer(self) -> Path:
        """Folder of the log signer: ``signing.key`` (mode 0600) and ``journal``."""
        return self.root / "signer"

    @property
    def export_key(self) -> Path:
        """Key that signs the manifests of evidence bundles."""
        return self.root / "export" / "export.key"

    @property
    def clock(self) -> Path:
        """``clock.json``: the time sources this installation asks."""
        return self.root / "clock.json"

    @property
    def types(self) -> Path:
        """Record types that the site declares itself, one file each."""
        return self.root / "types"

    @property
    def vault(self) -> Path:
        """Write-once objects."""
        return self.root / "vault"

    @property
    def anchors(self) -> Path:
        """Default file anchor. An anchor proves something only when it is kept on another host."""
        return self.root / "anchors" / "checkpoints"

    @property
    def public_keys(self) -> Path:
        """``keys.txt``: what an inspector needs, to be handed over apart from any bundle."""
        return self.root / "keys.txt"

    @property
    def run(self) -> Path:
        """Process ids and sockets of the running server."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Logs for operators. They are not evidence."""
        return self.root / "logs"


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """Argon2id parameters (RFC 9106); they bound how fast a stolen store of credentials can be tried."""

    memory_kib: int = 131_072
    time_cost: int = 4
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits every installation keeps. A rule that cites a clause names it."""

    # 21 CFR 11.10(d): a session ends by itself.
    idle_lock_minutes: int = 15
    session_hours: int = 12
    # 21 CFR 11.200(a)(1)(i): one continuous period of controlled access.
    signing_period_idle_minutes: int = 10
    signing_period_max_minutes: int = 60
    passkey_test_days: int = 365
    passkey_test_warned_days: int = 30
    # 21 CFR 11.300(d): attempts at unauthorised use.
    delay_after_failures: int = 5
    lock_after_failures: int = 10
    password_min_characters: int = 12
    # 21 CFR 11.300(c): a temporary credential; it enrols and cannot sign.
    enrolment_hours: int = 24
    password: PasswordCost = field(default_factory=PasswordCost)
    # 21 CFR 11.10(e): a trustworthy time, and a reason in words.
    clock_offset_max_seconds: float = 1.0
    application_time_drift_max_seconds: float = 5.0
    late_entry_after_minutes: int = 15
    reason_min_characters: int = 10
    # What one request may ask of the server.
    request_body_max_bytes: int = 1 << 20
    upload_part_max_bytes: int = 64 << 20
    upload_file_max_bytes: int = 1 << 40
    upload_files_max_count: int = 10_000
    page_max_records: int = 200
    command_max_records: int = 1_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a process of Coverslip is told from outside, read once at its start."""

    home: Home
    samples: Path | None
    limits: Limits = field(default_factory=Limits)


def read_settings(environment: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Return the settings of this process; ``home`` (the option ``--home``) wins over the environment.

    Raises ``EnvironmentFault`` (``ENVIRONMENT``) where no home is named, or where the folder of samples is
    named and does not exist: a wrong name must not look like no name.
    """
    given = os.environ if environment is None else environment
    chosen = home or _path(given.get(HOME_VARIABLE))
    if chosen is None:
        raise EnvironmentFault(
            "ENVIRONMENT",
            what="the home of this installation",
            expected=f"a folder in --home or {HOME_VARIABLE}",
            found="neither",
            remedy="Name the folder, or create one with 'coverslip init --home DIR'.",
        )
    samples = _path(given.get(SAMPLES_VARIABLE))
    if samples is not None and not samples.is_dir():
        raise EnvironmentFault(
            "ENVIRONMENT",
            what=SAMPLES_VARIABLE,
            expected="an existing folder",
            found=str(samples),
            remedy=f"Correct {SAMPLES_VARIABLE}, or unset it to use the images that are shipped.",
        )
    return Settings(Home(chosen), samples)


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None
