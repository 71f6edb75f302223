"""A Facebook page on a Graph API that behaves as documented."""

from __future__ import annotations

from typing import Any

import pytest

from channels.meta.facebook import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.local_http import CUT_AFTER
from tests.servers.meta import PAGE, TOKEN, MetaServer


def ground(request: pytest.FixtureRequest) -> Ground:
    """A page that somebody writes to, comments on, and posts on."""
    server = MetaServer()
    request.addfinalizer(server.stop)

    def news() -> None:
        server.write("My invoice is wrong")
        server.write("Is it down?", "3002")
        first = server.comment(server.post(), "Is there a dark theme?")
        server.comment(next(iter(server.posts)), "I wonder too", "3002", first)
        server.post("You are not in the phone book", "3002")

    ann = Identity("facebook", "3001", "Ann Lee")
    server.write("Hello")
    settings = Settings(page=PAGE, url=server.url, token=TOKEN)
    return Ground("facebook", settings, news, ann, "chat/3001", **trouble(server))


def trouble(server: MetaServer) -> dict[str, Any]:
    """What can go wrong with a page."""
    return {
        "secret": TOKEN,
        "cut": lambda: server.faults.append((f"POST /v25.0/{PAGE}/messages", CUT_AFTER)),
        "revoke": lambda: setattr(server, "token", "another"),
        "expire": lambda: server.age(8),
    }
