"""The screen while its store is away: it stays, keeps what it has, and does later what was asked meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.config import DeskConfig
from desk.errors import Unsure
from desk.events import Posted
from desk.model import Status
from desk.perform import Desk, Who
from desk.store import Store
from storage import open_store, watching
from tests.desks import answer, do, make_desk
from tests.servers.postgres import Postgres
from tests.tui.shown import Shown, front, run, shown
from tui import feed


@pytest.fixture
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A server of our own; its silence is noticed soon."""
    postgres.own()
    monkeypatch.setattr(watching, "PATIENCE_S", 0.5)
    monkeypatch.setattr(feed, "_SLICE_S", 0.1)
    monkeypatch.setattr(feed, "SILENT_S", 1.0)
    yield postgres
    postgres.thaw()
    if not postgres._answers():
        postgres.start()


At = tuple[Store, Desk, Who]


@pytest.fixture
def at(server: Postgres, tmp_path: Path) -> Iterator[At]:
    """A desk of five tickets on it, and kim at its screen."""
    made = make_desk(tmp_path, url=server.url(server.empty(), connect_timeout="2"))
    yield made
    made[0].close()


async def gone(screen: Shown) -> None:
    """Wait until the screen knows."""
    await screen.see("store away since 02:40")


async def back(screen: Shown) -> None:
    """Wait until the screen is as before."""
    await screen.until(lambda: "store away" not in screen.text and not screen.app.waiting.asked)
    await screen.settle()


def replies(store: Store, ticket: int = 1) -> list[str]:
    """What was written on a ticket by us."""
    return [m.text for m in store.thread(ticket) if m.agent == "kim"]


@pytest.mark.parametrize("how", ["stop", "crash", "freeze"])
def test_what_is_on_the_screen_stays_and_what_is_asked_is_done_later(server: Postgres, at: At, how: str) -> None:
    store, desk, who = at

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await asyncio.to_thread(getattr(server, how))
            await gone(screen)
            await screen.press("j", "enter")
            assert "which is away just now" in screen.status
            assert "Cannot log in" in screen.text
            await screen.press("x", "j", "a", "escape")
            await screen.see("store away since 02:40 · 1 thing waits for it")
            assert "solve · #2: waits for the store" not in screen.status
            await asyncio.to_thread(server.thaw if how == "freeze" else server.start)
            await back(screen)
            await screen.see("4 tickets")
            assert store.ticket(2).status is Status.SOLVED
            assert (
                len([r for r in store.log() if r.kind == "Changed" and r.about == 2 and r.data["field"] == "status"])
                == 1
            )

    run(body())


def test_a_reply_typed_through_an_outage_is_sent_once(server: Postgres, at: At) -> None:
    store, desk, who = at

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "r")
            await screen.type("Dear Ann, ")
            await asyncio.to_thread(server.stop)
            await gone(screen)
            await screen.type("it works.")
            await screen.press("ctrl+s")
            assert "do it again when it is back" in screen.status
            await screen.see("Dear Ann, it works.")
            await asyncio.to_thread(server.start)
            await back(screen)
            await screen.press("ctrl+s", "y")
            assert replies(store) == ["Dear Ann, it works."]

    run(body())


def test_a_reply_sent_while_the_store_is_away_waits_and_goes_out(server: Postgres, at: At) -> None:
    store, desk, who = at

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "r")
            await screen.type("On it.")
            await screen.press("ctrl+s")
            await asyncio.to_thread(server.crash)
            await screen.press("s")
            await screen.see("1 thing waits for it")
            await asyncio.to_thread(server.start)
            await back(screen)
            assert replies(store) == ["On it."]
            assert store.ticket(1).status is Status.SOLVED

    run(body())


def test_what_somebody_changed_meanwhile_is_not_overwritten(server: Postgres, at: At) -> None:
    store, desk, who = at
    there = Desk(open_store(server.url(store.url), DeskConfig()), desk.config, desk.signer)
    sam = Who(there.store.agents()["sam"], 1001, "there")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "r")
            await screen.type("On it.")
            await screen.press("ctrl+s")
            await asyncio.to_thread(server.stop)
            await screen.press("y")
            await screen.press("q", "j", "x", "j", "x")
            assert len(screen.app.waiting.asked) == 3
            # The others are back before this screen is.
            screen.app.meanwhile._retrying = True
            await asyncio.to_thread(server.start)
            do(there, sam, "take", 2, batch="sam")
            answer(there, 1, "It works again.", batch="ann")
            screen.app.meanwhile._retrying = False
            await screen.see("not done while the store was away: 2 conflicts")
            assert store.ticket(2).status is Status.OPEN
            assert store.ticket(3).status is Status.SOLVED
            assert replies(store) == []
            assert [draft.text for draft in screen.app.writing.drafts.kept.values()] == ["On it."]
            await screen.run("waiting")
            await screen.see("sam: assignee", "message in")
            await screen.press("enter")
            await screen.see("unsent reply: r goes on", "1 conflict")

    run(body())
    there.store.close()


def test_what_waits_can_be_dropped(server: Postgres, at: At) -> None:
    store, desk, who = at

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await asyncio.to_thread(server.stop)
            await gone(screen)
            await screen.press("x", "j", "x")
            await screen.see("2 things wait")
            await screen.press("u")
            assert screen.status.startswith("dropped: solve · #2")
            await screen.press("q")
            assert "what waits for the store (1) would be lost" in screen.status
            await screen.press("n")
            await asyncio.to_thread(server.start)
            await back(screen)
            assert [store.ticket(n).status is Status.SOLVED for n in (1, 2)] == [True, False]

    run(body())


def test_what_was_saved_though_nobody_heard_of_it_is_not_done_again(at: At) -> None:
    store, desk, who = at
    lost = Lossy(store)

    async def body() -> None:
        async with shown(front(Desk(lost, desk.config, desk.signer), who)) as screen:
            await screen.press("enter", "r")
            await screen.type("On it.")
            await screen.press("ctrl+s")
            lost.answers = False
            await screen.press("y")
            await back(screen)
            assert replies(store) == ["On it."]
            assert len([r for r in store.log(ticket=1) if r.kind == Posted.__name__]) == 2
            await screen.see("1 thing that waited is done")

    run(body())


class Lossy:
    """A store whose next answer to a save is lost."""

    def __init__(self, store: Store) -> None:
        self._store, self.answers = store, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, body: Any, **how: Any) -> Any:
        """Save, and say nothing."""
        found = self._store.write(body, **how)
        if not self.answers:
            self.answers = True
            raise Unsure("went away while it saved")
        return found


def test_a_screen_is_left_while_the_store_hangs(server: Postgres, at: At) -> None:
    _, desk, who = at

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            server.freeze()
            await screen.pilot.press("x")
            await screen.see("1 thing waits")
            async with asyncio.timeout(2):
                await screen.press("q", "y")
                await screen.until(lambda: not screen.app.is_running)

    run(body())


@pytest.mark.parametrize(
    ("harm", "mend", "told"),
    [
        ("ALTER ROLE {} PASSWORD 'another'", "ALTER ROLE {} PASSWORD 'right'", "password"),
        ("ALTER ROLE {} CONNECTION LIMIT 0", "ALTER ROLE {} CONNECTION LIMIT -1", "too many connections"),
        ("ALTER TABLE ticket RENAME subject TO title", "ALTER TABLE ticket RENAME title TO subject", "ticket.subject"),
    ],
)
def test_a_server_that_refuses_is_told_and_survived(
    server: Postgres, tmp_path: Path, harm: str, mend: str, told: str
) -> None:
    name = server.empty().rpartition("/")[2]
    with server.admin() as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'")
        admin.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    store, desk, who = make_desk(tmp_path, url=f"postgresql://{name}:right@{server.at.address}:{server.port}/{name}")

    def change(statement: str) -> None:
        with server.admin(name) as admin:
            admin.execute(statement.format(name))
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))

    async def body() -> None:
        async with shown(front(desk, who), size=(300, 40)) as screen:
            await asyncio.to_thread(change, harm)
            await screen.press("ctrl+l")
            await screen.see("VPN drops", "5 tickets", told)
            await screen.press("enter", "x")
            await screen.see("VPN drops", "5 tickets")
            await asyncio.to_thread(change, mend)
            await back(screen)
            await screen.press("ctrl+l", "G", "enter")
            await screen.see("Hello, this is mail 4.")

    run(body())
    store.close()
