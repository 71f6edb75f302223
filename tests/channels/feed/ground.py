"""A feed on a web server."""

from __future__ import annotations

import pytest

from channels.feed import Settings
from tests.channels.grounds import Ground
from tests.servers.feeds import FeedServer, item, rss


def ground(request: pytest.FixtureRequest) -> Ground:
    """A forum that publishes three questions."""
    server = FeedServer().start()
    request.addfinalizer(server.stop)
    server.publish(rss())
    return Ground("feed", Settings(url=f"{server.url}/feed"), lambda: server.publish(rss(item(3), item(2), item(1))))
