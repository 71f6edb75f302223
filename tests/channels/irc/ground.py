"""A room on InspIRCd that replays what was said, and somebody in it."""

from __future__ import annotations

import itertools

import pytest

from channels.irc import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.ngircd import Inspircd, Voice


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account in `#help`, where Ann asks three things at a time."""
    server = Inspircd()
    request.addfinalizer(server.stop)
    ann = Voice(server, "ann", tags=True)
    request.addfinalizer(ann.vanish)
    ann.join("#help")
    ann.say("MODE #help +H 50:1d")
    numbers = itertools.count(1)

    def news() -> None:
        ann.say(*(f"PRIVMSG #help :desk: question {next(numbers)}" for _ in range(3)))
        ann.settle()

    settings = Settings(
        host="localhost", port=server.port, tls="none", nick="desk", rooms=("#help",), gather_s=0.0, timeout_s=10.0
    )
    return Ground("irc", settings, news, Identity("irc", "~ann@localhost", "ann"), "#help ~ann@localhost")
