"""Servers that tests share, async tests, and one closing line about servers that were not there."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator

import pytest

from tests.servers import MISSING
from tests.servers.dovecot import Dovecot, User
from tests.servers.exim import Exim
from tests.servers.postgres import Postgres
from tests.servers.prosody import Prosody
from tests.servers.synapse import Synapse

pytest_plugins = ["tests.on_postgres"]

ASYNC_TEST_S = 30
"""An async test that takes longer hangs."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, each in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def bounded() -> None:
        async with asyncio.timeout(ASYNC_TEST_S):
            await pyfuncitem.obj(**wanted)

    asyncio.run(bounded())
    return True


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """An IMAP server."""
    server = Dovecot()
    yield server
    server.stop()


@pytest.fixture
def user(dovecot: Dovecot) -> User:
    """An empty mailbox on it."""
    return dovecot.user()


@pytest.fixture(scope="session")
def exim() -> Iterator[Exim]:
    """An SMTP server."""
    server = Exim()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def prosody() -> Iterator[Prosody]:
    """An XMPP server."""
    server = Prosody()
    yield server
    server.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def synapse() -> Iterator[Synapse]:
    """A Matrix homeserver."""
    server = Synapse()
    yield server
    server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers were missing, in one line for the whole run."""
    said: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if match := re.search(re.escape(MISSING) + r"(.*)", reason):
            said[match[1]] = said.get(match[1], 0) + 1
    if said:
        told = "; ".join(f"{server}: {count} tests skipped" for server, count in sorted(said.items()))
        terminalreporter.write_line(f"servers missing: {told}")
