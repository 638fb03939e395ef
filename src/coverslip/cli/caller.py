"""Who calls, and where: the options every people's command has, in one place.

``@calls`` gives a command ``--server``, ``--home``, ``--as`` and ``--json`` and hands it a ``Caller``;
the connection is closed when the command ends.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from coverslip.cli import show
from coverslip.cli.keeping import Kept, kept, session_file
from coverslip.client import (
    Address,
    Coverslip,
    FaultError,
    Receipt,
    RefusedError,
    find_address,
    parse_address,
)
from coverslip.client.errors import misuse

P = ParamSpec("P")
INTEGRATION_WAIT_S = 2.0

Server = Annotated[
    str,
    typer.Option(
        help="unix:PATH, https://HOST, or http:// to this machine; else COVERSLIP_SERVER or --home.",
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of an installation on this machine; else COVERSLIP_HOME."),
]
As = Annotated[
    str,
    typer.Option(
        "--as", envvar="COVERSLIP_AS", help="Whose kept session to use, where several people are signed in."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@dataclass
class Caller:
    """One command's connection and session."""

    server: str = ""
    home: Path | None = None
    who: str = ""
    json: bool = False
    _client: Coverslip | None = field(default=None, init=False)

    @property
    def file(self) -> Path:
        """The file this person's session is kept in."""
        return session_file(self.who)

    def address(self) -> Address:
        """Return the server: the option, the variable, the home, or the one signed in to last."""
        found = parse_address(self.server) if self.server else find_address(home=self.home)
        if found is None:
            known = kept(self.file)
            found = parse_address(known.server) if known else None
        if found is None:
            raise misuse("the server", "--server, --home, COVERSLIP_SERVER or COVERSLIP_HOME", "none of them")
        return found

    def guest(self) -> Coverslip:
        """Return a client that is not signed in."""
        if self._client is None:
            self._client = Coverslip(self.address())
        return self._client

    def client(self) -> Coverslip:
        """Return a client with the kept session; without one, the server asks to sign in."""
        if self._client is None:
            address = self.address()
            self._client = Coverslip(address, token=self._token(kept(self.file), address))
        return self._client

    def _token(self, known: Kept | None, address: Address) -> str:
        if known is None:
            return ""
        if known.server != str(address):
            raise misuse(
                "the session",
                f"one of {address}",
                f"one of {known.server}",
                "Sign in there with 'coverslip login USERNAME', or keep both with --as NAME.",
            )
        return known.token

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def told(self, receipt: Receipt) -> None:
        """Print what was written and wait a moment until it has its place in the tree."""
        place = self._place(receipt)
        if self.json:
            show.as_json(receipt.raw | {"integrated": place})
            return
        for entry in receipt.entries:
            show.say(f"{entry.label}  {entry.state}  ({entry.act}, version {entry.version})")
        if receipt.replayed:
            show.say("This had been done before; nothing was done twice.")
        if place is not None:
            show.say(f"recorded as entry {place}")
        else:
            show.say(f"recorded, place in the tree pending; keep this receipt:\n{receipt.note}")

    def _place(self, receipt: Receipt) -> int | None:
        try:
            return int(self.client().wait_integrated(receipt.first.entry, INTEGRATION_WAIT_S)["index"])
        except FaultError:
            return None
        except RefusedError as error:
            if error.code == "AUTH_REQUIRED":  # the act itself ended this session; it is written all the same
                return None
            raise


def calls(command: Callable[Concatenate[Caller, P], None]) -> Callable[..., None]:
    """Give a command the options that find server and session."""

    @functools.wraps(command)
    def wrapper(
        *args: Any,
        server: str = "",
        home: Path | None = None,
        who: str = "",
        json: bool = False,
        **kwargs: Any,
    ) -> None:
        caller = Caller(server, home, who, json)
        try:
            command(caller, *args, **kwargs)
        finally:
            caller.close()

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    options = {"server": (Server, ""), "home": (HomeOption, None), "who": (As, ""), "json": (AsJson, False)}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]
    parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *added]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapper.__wrapped__
    return wrapper
