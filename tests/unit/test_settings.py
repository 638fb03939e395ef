from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.settings import DATABASE_ROLES, Home, Limits, read_settings


def test_every_path_of_a_home_is_inside_it() -> None:
    home = Home(Path("/srv/lab"))
    paths = [getattr(home, n) for n, v in vars(Home).items() if isinstance(v, property)]
    paths += [home.secret(role) for role in DATABASE_ROLES]
    assert len(paths) == len(set(paths)) > 15
    assert all(p.is_relative_to(home.root) and p != home.root for p in paths)


def test_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    given = {"COVERSLIP_HOME": str(tmp_path / "from_environment")}
    assert read_settings(given).home.root == tmp_path / "from_environment"
    assert read_settings(given, tmp_path / "option").home.root == tmp_path / "option"


@pytest.mark.parametrize("environment", [{}, {"COVERSLIP_HOME": ""}])
def test_no_home_is_refused_rather_than_guessed(environment: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFault, match="--home or COVERSLIP_HOME") as refused:
        read_settings(environment)
    assert "coverslip init" in refused.value.remedy


def test_samples_that_are_not_there_are_refused(tmp_path: Path) -> None:
    given = {"COVERSLIP_HOME": str(tmp_path), "COVERSLIP_SAMPLES": str(tmp_path / "nowhere")}
    with pytest.raises(EnvironmentFault, match="COVERSLIP_SAMPLES"):
        read_settings(given)
    assert read_settings({"COVERSLIP_HOME": str(tmp_path)}).samples is None
    assert read_settings({**given, "COVERSLIP_SAMPLES": str(tmp_path)}).samples == tmp_path


def test_the_environment_cannot_loosen_a_limit(tmp_path: Path) -> None:
    given = {
        "COVERSLIP_HOME": str(tmp_path),
        "COVERSLIP_LOCK_AFTER_FAILURES": "9999",
        "COVERSLIP_IDLE_LOCK_MINUTES": "0",
    }
    assert read_settings(given).limits == Limits()


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = read_settings({"COVERSLIP_HOME": str(tmp_path)})
    for thing, name in ((settings, "home"), (settings.limits, "idle_lock_minutes"), (settings.home, "root")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, None)


def test_limits_keep_their_order() -> None:
    limits = Limits()
    assert limits.delay_after_failures < limits.lock_after_failures
    assert limits.signing_period_idle_minutes <= limits.idle_lock_minutes
    assert limits.signing_period_idle_minutes < limits.signing_period_max_minutes <= limits.session_hours * 60
