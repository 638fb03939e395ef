"""Where a server listens, for homes of any path length."""

from __future__ import annotations

from pathlib import Path

from coverslip.bootstrap import wiring
from coverslip.client.transport import find_address
from coverslip.settings import Home


def test_a_short_home_listens_in_itself_and_needs_no_note() -> None:
    home = Home(Path("/dev/shm/cs-short"))
    assert wiring.api_socket(home) == home.run / "api.sock"


def test_a_long_home_names_its_socket_and_the_client_finds_it(tmp_path: Path) -> None:
    home = Home(tmp_path / ("long" * 30))
    home.run.mkdir(parents=True)
    path = wiring.api_socket(home)
    assert path.parent != home.run
    assert len(str(path)) <= 100
    wiring.name_address(home, path)
    found = find_address(home=home.root)
    assert found is not None
    assert str(path) in str(found)
