"""An account on an X that behaves as documented."""

from __future__ import annotations

from typing import Any

import pytest

from channels.x import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.local_http import CUT_AFTER
from tests.servers.x import TOKEN, XServer

ANN = Identity("x", "2001", "Ann Lee (@ann)")


def settings(server: XServer, **more: Any) -> Settings:
    """The account @desk on it."""
    return Settings(**{"user": "desk", "url": server.url, "token": TOKEN, **more})


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account that two people mention, and one writes to."""
    server = XServer()
    request.addfinalizer(server.stop)

    def news() -> None:
        first = server.post("@desk is there a dark theme?")
        server.post("@desk I wonder too", "2002", answers=first)
        server.write("My invoice is wrong")

    return Ground(
        "x",
        settings(server),
        news,
        ANN,
        secret=TOKEN,
        cut=lambda: server.faults.append(("POST /2/dm_conversations/", CUT_AFTER)),
        revoke=server.tokens.clear,
    )
