"""An Instagram account on a Graph API that behaves as documented."""

from __future__ import annotations

import pytest

from channels.meta.instagram import Settings
from desk.model import Identity
from tests.channels.facebook.ground import trouble
from tests.channels.grounds import Ground
from tests.servers.meta import ACCOUNT, PAGE, TOKEN, MetaServer


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account that two people write to, and one comments on."""
    server = MetaServer()
    request.addfinalizer(server.stop)
    server.write("Hello", platform="instagram")

    def news() -> None:
        server.write("My invoice is wrong", platform="instagram")
        server.write("Is it down?", "3002", "instagram")
        photo = server.photo()
        server.comment(photo, "I wonder too", "3002", server.comment(photo, "Is there a dark theme?"))

    settings = Settings(page=PAGE, account=ACCOUNT, url=server.url, token=TOKEN)
    ann = Identity("instagram", "4001", "@ann")
    return Ground("instagram", settings, news, ann, "chat/4001", **trouble(server))
