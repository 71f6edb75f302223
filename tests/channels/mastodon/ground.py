"""A server on loopback that behaves as Mastodon's documentation says."""

from __future__ import annotations

import pytest

from channels.mastodon import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.local_http import CUT_AFTER
from tests.servers.mastodon import PLACE, TOKEN, MastodonServer

ANN = Identity("mastodon", "ann@far.example", "Ann")


def social(request: pytest.FixtureRequest) -> MastodonServer:
    """A server that ends with the test."""
    server = MastodonServer()
    request.addfinalizer(server.stop)
    return server


def settings(server: MastodonServer, **more: object) -> Settings:
    """The account `support` on it."""
    return Settings(url=server.url, account=f"support@{PLACE}", token=TOKEN, **more)  # type: ignore[arg-type]


def ground(request: pytest.FixtureRequest) -> Ground:
    """A server where Ann mentions us."""
    server = social(request)

    def news() -> None:
        first = server.post(text="@support is there a dark theme?")
        server.post("bob", "@support same here", answers=first, visibility="direct")

    return Ground(
        "mastodon",
        settings(server),
        news,
        ANN,
        secret=TOKEN,
        cut=lambda: server.faults.append(("POST /api/v1/statuses", CUT_AFTER)),
        revoke=lambda: setattr(server, "token", "another"),
    )
