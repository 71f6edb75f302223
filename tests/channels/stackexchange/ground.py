"""A site on an API that behaves as documented."""

from __future__ import annotations

import time

import pytest

from channels.stackexchange import Settings
from tests.channels.grounds import Ground
from tests.servers.stackexchange import StackServer


def ground(request: pytest.FixtureRequest) -> Ground:
    """A question, its answer, and a comment on that."""
    server = StackServer().start()
    request.addfinalizer(server.stop)
    server.now = int(time.time()) - 60

    def news() -> None:
        question = server.ask()
        server.remark(server.reply(question))

    return Ground("stackexchange", Settings(site="stackoverflow", tags=("python",), url=server.url), news)
