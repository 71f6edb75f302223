"""A forum on loopback that behaves as Discourse's documentation says."""

from __future__ import annotations

import pytest

from channels.discourse import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.forum import KEY, DiscourseServer
from tests.servers.local_http import CUT_AFTER


def forum(request: pytest.FixtureRequest, *, old: bool = False) -> DiscourseServer:
    """A forum that ends with the test."""
    server = DiscourseServer(old=old)
    request.addfinalizer(server.stop)
    return server


def settings(server: DiscourseServer, **more: object) -> Settings:
    """An account of the user `desk` on it."""
    return Settings(url=server.url, user="desk", token=KEY, **more)  # type: ignore[arg-type]


def ground(request: pytest.FixtureRequest) -> Ground:
    """A forum where somebody asks in public and in private; Ann can be written to."""
    server = forum(request)

    def news() -> None:
        topic = server.topic("Is there a dark theme?")
        server.write(topic, "ann")
        server.write(topic, "bob", reply_to_post_number=1)
        server.write(server.topic("My invoice", private=("desk", "ann")), "ann", "<p>It is wrong</p>")

    ann = Identity("discourse", f"ann@{server.url.removeprefix('http://')}", "Ann")
    return Ground(
        "discourse",
        settings(server),
        news,
        ann,
        secret=KEY,
        cut=lambda: server.faults.append(("POST /posts", CUT_AFTER)),
        revoke=lambda: setattr(server, "key", "another"),
    )
