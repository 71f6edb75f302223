"""An account on Synapse, in a room with Ann."""

from __future__ import annotations

import itertools

import pytest

from desk.model import Identity
from tests.channels.grounds import Ground
from tests.channels.matrix.accounts import account
from tests.servers.synapse import Synapse


def ground(request: pytest.FixtureRequest) -> Ground:
    """A room in which Ann says three things at a time."""
    synapse: Synapse = request.getfixturevalue("synapse")
    numbers = itertools.count(1)
    ann, help = synapse.person("ann"), synapse.person("help")
    room = ann.opens(help.id, direct=True)
    help.does(room, "join")

    def news() -> None:
        for _ in range(3):
            ann.says(room, f"question {next(numbers)}")

    return Ground("matrix", account(synapse, help), news, Identity("matrix", ann.id, "Ann"), room, help.token)
