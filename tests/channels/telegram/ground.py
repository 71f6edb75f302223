"""A bot on a Bot API that behaves as documented."""

from __future__ import annotations

import pytest

from channels.telegram import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.telegram import TOKEN, TelegramServer


def ground(request: pytest.FixtureRequest) -> Ground:
    """A bot to which two people write."""
    server = TelegramServer().start()
    request.addfinalizer(server.stop)

    def news() -> None:
        ann = server.say("Hello *there*")
        server.say("And this", reply_to_message=ann)
        photo = server.file(b"\xff\xd8 a photo", "photo.jpg")
        server.say(photo=[{"file_id": photo, "width": 90, "height": 60}], caption="Look")

    settings = Settings(username="desk_bot", url=server.url, token=TOKEN)
    return Ground(
        "telegram",
        settings,
        news,
        Identity("telegram", "1001", "Ann Lee"),
        "1001",
        secret=TOKEN,
        cut=lambda: server.next("/sendMessage", None),
        revoke=lambda: setattr(server, "token", "another"),
    )
