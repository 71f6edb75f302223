"""A feed on a web server."""

from __future__ import annotations

import pytest

from channels.feed import Settings
from tests.channels.grounds import Ground
from tests.servers.feeds import FeedServer, item, rss


def ground(request: pytest.FixtureRequest) -> Ground:
    """A forum that publishes three questions at a time, and keeps all of them in its feed."""
    server = FeedServer().start()
    request.addfinalizer(server.stop)
    asked: list[str] = []

    def news() -> None:
        for _ in range(3):
            asked.insert(0, item(len(asked) + 1))
        server.publish(rss(*asked))

    server.publish(rss())
    return Ground("feed", Settings(url=f"{server.url}/feed"), news)
