"""A group on INN, and somebody who asks there."""

from __future__ import annotations

import itertools
from functools import cache

import pytest

from channels.nntp import Settings
from desk.model import Identity
from tests.channels.grounds import Ground
from tests.servers.inn import Inn, article

_numbers = itertools.count(1)


@cache
def _server(config: pytest.Config) -> Inn:
    """One for the whole run."""
    server = Inn()
    config.add_cleanup(server.stop)
    server.post(article("thread@example.com"))
    return server


def ground(request: pytest.FixtureRequest) -> Ground:
    """An account that reads one group of the last week, where Ann asks three things at a time."""
    server = _server(request.config)
    settings = Settings(
        host="localhost", port=server.port, tls="none", address="help@desk.test", groups=("test.help",), first_d=7
    )

    def news() -> None:
        server.post(*(article(f"q{next(_numbers)}@example.com", f"Question {next(_numbers)}") for _ in range(3)))

    return Ground("nntp", settings, news, Identity("news", "ann@example.com", "Ann"), "thread@example.com")
