"""Callers of the REST interface of a laboratory: somebody signed in over it, or nobody."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response

from coverslip.api.app import create_app
from fix_lab import Lab, secret_of

with warnings.catch_warnings():
    # The client of the locked httpx works as it is; its successor is not in the lock file.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", message=".*httpx.*")
    from fastapi.testclient import TestClient


class Caller:
    """Somebody at the REST interface, signed in over it, or nobody."""

    def __init__(self, client: TestClient, username: str = "", token: str = "") -> None:
        self.client, self.username, self.token = client, username, token

    def request(self, method: str, path: str, **more: Any) -> Response:
        """Call a route below ``/api/v1``; whatever it answers holds no trace of the inside."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = self.client.request(
            method, f"/api/v1{path}", headers=headers | more.pop("headers", {}), **more
        )
        assert response.status_code != 500, response.text
        assert "Traceback" not in response.text
        assert 'File "' not in response.text
        return response

    def get(self, path: str) -> Any:
        """Return the value of a route that answers 200."""
        response = self.request("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any, **headers: str) -> Response:
        """Post JSON; ``idempotency_key="…"`` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, json=body, headers=named)

    def new(self, kind: str, /, **fields: Any) -> str:
        """Create a record and return its number."""
        response = self.post("/records", {"type": kind, "fields": fields})
        assert response.status_code == 201, response.text
        return str(response.json()["entries"][0]["number"])

    def signature(self, number: str) -> dict[str, str]:
        """Return the components and the hash of the view that is shown now."""
        shown = self.get(f"/records/{number}/view")["shown"]
        return {"username": self.username, "password": secret_of(self.username), "shown": shown}


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[Callable[[str], Caller]]:
    """Give callers of the interface by user name; the empty name is nobody."""
    client = TestClient(
        create_app(lab.services()), raise_server_exceptions=False, client=("127.0.0.1", 50000)
    )
    known: dict[str, Caller] = {}

    def give(username: str) -> Caller:
        if username not in known:
            known[username] = Caller(client, username, getattr(lab, username).token if username else "")
        return known[username]

    yield give
    client.close()
