"""A room on InspIRCd that replays what was said, and somebody in it."""

from __future__ import annotations

import itertools
from functools import cache

import pytest

from channels.irc import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.ngircd import Inspircd, Voice

_numbers = itertools.count(1)


@cache
def _company(config: pytest.Config) -> tuple[Inspircd, Voice]:
    """The server, which takes a second to let anybody in, and Ann; there for the whole run."""
    server = Inspircd()
    config.add_cleanup(server.stop)
    return server, Voice(server, "ann", tags=True)


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account in a room of its own, where Ann asks three things at a time."""
    server, ann = _company(request.config)
    room = f"#help{next(_numbers)}"
    ann.join(room)
    request.addfinalizer(lambda: ann.say(f"PART {room}"))
    ann.say(f"MODE {room} +H 50:1d")

    def news() -> None:
        ann.say(*(f"PRIVMSG {room} :desk: question {next(_numbers)}" for _ in range(3)))
        ann.settle()

    settings = Settings(
        host="localhost", port=server.port, tls="none", nick="desk", rooms=(room,), gather_s=0.0, timeout_s=10.0
    )
    return Ground("irc", settings, news, Identity("irc", "~ann@localhost", "ann"), f"{room} ~ann@localhost")
