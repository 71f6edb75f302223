"""An account on Prosody, and customers who write to it."""

from __future__ import annotations

import itertools

import pytest

from channels.xmpp import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.prosody import Prosody


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account with a room, and three new messages at a time: two in a chat, one in the room."""
    prosody: Prosody = request.getfixturevalue("prosody")
    address, room = prosody.account(), prosody.room()
    customer = prosody.client(prosody.account("customer", "desk.test")).online()
    request.addfinalizer(customer.close)
    customer.join(room, "customer")
    numbers = itertools.count(1)

    def news() -> None:
        for to, kind in ((address, "chat"), (room, "groupchat"), (address, "chat")):
            customer.say(to, f"question {next(numbers)}", kind=kind)

    return Ground(
        "xmpp",
        Settings(**prosody.settings(address, rooms=(room,))),
        news,
        Identity("xmpp", prosody.named("ann", "desk.test"), "Ann"),
    )
