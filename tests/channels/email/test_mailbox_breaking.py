"""channels.email.mailbox on scripted servers that break, lie and forget: every message exactly once all the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from channels.email import fetch as module
from channels.email import watch
from channels.email.mailbox import Mailbox
from desk.channel import Permanent, Retry
from tests.channels.email.accounts import Reader, account, clear, mail, number
from tests.servers.scripted_imap import ScriptedImap

MIB = 2**20


async def soon(condition: Any, seconds: float = 10) -> None:
    """Let the event loop turn until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


STEPS = 13
"""More answers than one reading of the scripted mailbox takes."""


@pytest.mark.parametrize("after", ["flag", "move"])
@pytest.mark.parametrize("how", ["before", "half", "silence"])
async def test_break_at_every_step_loses_and_doubles_nothing(how: str, after: str) -> None:
    more = {"after": after, "move_to": "Done" if after == "move" else ""}
    for step in range(1, STEPS + 1):
        async with ScriptedImap([mail(n) for n in range(1, 8)], cut_at=step, how=how) as server:
            reader = Reader(Mailbox(account(clear(server.port, timeout_s=0.1), **more)))
            for _ in range(3):
                try:
                    async with asyncio.timeout(5):
                        await reader.read()
                except Retry:
                    continue
            assert [number(raw) for raw in reader.kept] == list(range(1, 8)), f"cut at step {step}"
            assert server.seen | set(server.moved) == set(range(1, 8)), f"cut at step {step}"
            await reader.mailbox.close()
            assert asyncio.all_tasks() - {asyncio.current_task()} <= _serving(), f"cut at step {step}"
            assert server.steps >= step


def _serving() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "ScriptedImap" in repr(task.get_coro())}


async def test_restart_at_every_step_loses_and_doubles_nothing() -> None:
    """As above, but the process ends with the connection: only the committed cursor survives."""
    for step in range(1, STEPS + 1):
        async with ScriptedImap([mail(n) for n in range(1, 121)], cut_at=step) as server:
            reader = Reader(Mailbox(account(clear(server.port), batch=50)))
            for _ in range(3):
                try:
                    await reader.read()
                except Retry:
                    await reader.mailbox.close()
                    reader.mailbox = Mailbox(account(clear(server.port), batch=50))
            assert [number(raw) for raw in reader.kept] == list(range(1, 121)), f"cut at step {step}"
            assert server.seen == set(range(1, 121)), f"cut at step {step}"
            await reader.mailbox.close()


@pytest.mark.parametrize(
    "answer", [b"TAG NO [SERVERBUG] cannot read it\r\n", None, b"* 3 FETCH (UID 3 BODY[] NIL)\r\nTAG OK\r\n"]
)
async def test_message_that_breaks_the_server_does_not_block_the_next(answer: bytes | None) -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        if command.startswith("UID FETCH") and "BODY.PEEK[]" in command and 3 in server._members(command.split()[2]):
            if answer is None:
                server.hang_up()
            return answer or b"* "
        return None

    async with ScriptedImap([mail(n) for n in range(1, 7)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        for _ in range(module.TRIES + 3):
            try:
                await reader.read()
            except Retry:
                continue
        assert [number(raw) for raw in reader.kept] == [1, 2, 3, 4, 5, 6]
        assert b"did not hand out this message" in reader.kept[2].data
        assert all(b"Hello." in reader.kept[at].data for at in (0, 1, 3, 4, 5))
        await reader.mailbox.close()


async def test_large_message_whose_header_breaks_the_server_does_not_block_the_next() -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        if "BODY.PEEK[HEADER]" in command:
            server.hang_up()
        return None

    async with ScriptedImap([mail(1), mail(2, 2 * MIB), mail(3)], hook=hook) as server:
        mailbox = Mailbox(account(clear(server.port), max_message_mb=1))
        reader = Reader(mailbox)
        for _ in range(2 * module.TRIES + 2):
            try:
                await reader.read()
            except (Retry, IndexError):
                continue
        assert [raw.external_id for raw in reader.kept] == ["INBOX/7/1", "INBOX/7/2", "INBOX/7/3"]
        assert b"too large" in reader.kept[1].data
        await mailbox.close()


@pytest.mark.parametrize("how", ["hangs up", "announces it"])
async def test_folder_exchanged_between_two_batches_is_read_again(how: str) -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        if command.startswith("UID STORE") and server.uidvalidity == 7:
            server.uidvalidity = 8  # when the first batch is confirmed
            if how == "hangs up":
                server.hang_up()
            return b"* OK [UIDVALIDITY 8] exchanged\r\nTAG OK done\r\n"
        return None

    async with ScriptedImap([mail(n) for n in range(1, 81)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port), batch=50)))
        with pytest.raises(Retry):
            await reader.read()
        assert server.seen == set()
        assert await reader.read() == list(range(1, 81))
        await reader.mailbox.close()


def restart(server: ScriptedImap, messages: list[bytes]) -> None:
    """Let the server give its UIDs anew, with these messages, under the UIDVALIDITY of before."""
    server.messages = dict(enumerate(messages, 1))
    server.uidnext = len(messages) + 1
    server.hang_up()


@pytest.mark.parametrize("after", ["keep", "move"])
@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("restarted", [False, True])
async def test_uids_given_anew_hide_no_mail(after: str, count: int, restarted: bool) -> None:
    """However many messages are there when we look again, and whether we were running meanwhile."""
    other = {"after": after, "move_to": "Done" if after == "move" else ""}
    async with ScriptedImap([mail(n, n * 100) for n in range(1, 6)]) as server:
        reader = Reader(Mailbox(account(clear(server.port), **other)))
        await reader.read()
        if restarted:
            await reader.mailbox.close()
            reader.mailbox = Mailbox(account(clear(server.port), **other))
        restart(server, [mail(10 + n) for n in range(count)])
        with suppress(Retry):
            await reader.read()
        await reader.read()
        assert [number(raw) for raw in reader.kept] == [1, 2, 3, 4, 5, *range(10, 10 + count)]
        assert await reader.read() == []
        await reader.mailbox.close()


async def test_confirmation_owed_before_uids_are_given_anew_touches_nothing() -> None:
    async with ScriptedImap([mail(n, n * 100) for n in range(1, 4)]) as server:
        first = Mailbox(account(clear(server.port), after="move", move_to="Done"))
        reader = Reader(first)
        await reader.read(confirm=False)
        await first.close()
        restart(server, [mail(n) for n in range(11, 15)])
        reader.mailbox = Mailbox(account(clear(server.port), after="move", move_to="Done"))
        assert await reader.read(confirm=False) == [11, 12, 13, 14]
        assert not server.moved, "what has not been read is not put away"
        await reader.mailbox.close()


async def test_message_removed_by_others_is_no_new_count() -> None:
    async with ScriptedImap([mail(n) for n in range(1, 6)]) as server:
        reader = Reader(Mailbox(account(clear(server.port), after="keep")))
        await reader.read()
        for gone, come in ((5, 6), (1, 7), (7, 8)):
            del server.messages[gone]
            server.messages[come], server.uidnext = mail(come), come + 1
            assert await reader.read() == [come]
        await reader.mailbox.close()


async def test_search_that_answers_too_much_is_not_believed() -> None:
    hook = lambda c: b"* SEARCH 1 2 99\r\nTAG OK\r\n" if "SEARCH" in c else None  # noqa: E731
    async with ScriptedImap([mail(1), mail(2)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [1, 2]
        server.messages[3], server.uidnext = mail(3), 4
        assert await reader.read() == []
        await reader.mailbox.close()


async def test_refused_flag_is_told_once_and_does_not_stop_reading() -> None:
    hook = lambda command: b"TAG NO read only\r\n" if "STORE" in command else None  # noqa: E731
    async with ScriptedImap([mail(1)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        with pytest.raises(Permanent, match='read only; mend that, or set after = "keep"'):
            await reader.read()
        server.messages[2], server.uidnext = mail(2), 3
        assert await reader.read(confirm=False) == [2]
        await reader.mailbox.close()


@pytest.mark.parametrize("verb", ["SELECT", "UID SEARCH", "UID STORE"])
async def test_trouble_of_the_server_is_no_mistake_of_ours(verb: str) -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        first = sum(said.startswith(verb) for said in server.commands) == 1
        return b"TAG NO [UNAVAILABLE] disk is full\r\n" if first and command.startswith(verb) else None

    async with ScriptedImap([mail(1)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        with pytest.raises(Retry, match="disk is full"):
            await reader.read()
        await reader.read()
        assert [number(raw) for raw in reader.kept] == [1]
        assert server.seen == {1}
        await reader.mailbox.close()


async def test_server_that_cries_news_all_the_time_does_not_make_us_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "NEWS_EVERY_S", 0.1)
    hook = lambda c: b"+ idling\r\n* 1 EXISTS\r\nTAG OK\r\n" if c == "IDLE" else None  # noqa: E731
    async with ScriptedImap([mail(1)], hook=hook) as server:
        mailbox = Mailbox(account(clear(server.port)))
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(4):
            await mailbox.wait(5)
        assert loop.time() - started > 0.29
        await mailbox.close()


async def test_folder_without_uidnext_is_read() -> None:
    select = b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\nTAG OK\r\n"
    last = b"* 2 FETCH (UID 2)\r\nTAG OK\r\n"
    hook = lambda c: select if c.startswith("SELECT") else last if c.startswith("UID FETCH *") else None  # noqa: E731
    async with ScriptedImap([mail(1), mail(2)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [1, 2]
        await reader.mailbox.close()


async def test_folder_that_is_gone_leaves_no_other_unread() -> None:
    hook = lambda c: b"TAG NO no such folder\r\n" if c == 'SELECT "Old"' else None  # noqa: E731
    async with ScriptedImap([mail(1), mail(2)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port), folders=("Old", "INBOX"))))
        with pytest.raises(Permanent, match='cannot open the folder "Old": no such folder'):
            await reader.read()
        assert [number(raw) for raw in reader.kept] == [1, 2]
        assert reader.cursor is not None
        assert "Old" not in reader.cursor
        await reader.mailbox.close()


async def test_folder_without_uidvalidity_is_refused() -> None:
    hook = lambda c: b"* 2 EXISTS\r\nTAG OK\r\n" if c.startswith("SELECT") else None  # noqa: E731
    async with ScriptedImap([mail(1)], hook=hook) as server:
        mailbox = Mailbox(account(clear(server.port)))
        with pytest.raises(Permanent, match="UIDVALIDITY"):
            await Reader(mailbox).read()
        await mailbox.close()


async def test_uidvalidity_change_keeps_old_mail_out_that_was_left_out_on_purpose() -> None:
    async with ScriptedImap([mail(1), mail(2)]) as server:
        reader = Reader(Mailbox(account(clear(server.port), first="new")))
        assert await reader.read() == []
        assert reader.cursor is not None
        server.uidvalidity = 8
        await reader.read()
        searches = [command for command in server.commands if "SEARCH" in command]
        assert searches[0] == searches[2] == "UID SEARCH UID 3:*"
        assert "UID 1:2 SINCE " in searches[1]
        assert len(searches) == 3
        await reader.mailbox.close()


async def test_waiting_without_idle_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedImap([]) as server:
        server.capabilities = "IMAP4rev1 AUTH=PLAIN"
        mailbox = Mailbox(account(clear(server.port)))
        loop = asyncio.get_running_loop()
        started = loop.time()
        await mailbox.wait(0.1)
        assert loop.time() - started >= 0.09
        assert "IDLE" not in server.commands
        await mailbox.close()


async def test_waiting_on_a_server_that_hangs_up_is_a_pause_not_a_loop() -> None:
    server: ScriptedImap
    async with ScriptedImap([], hook=lambda c: server.hang_up() if c == "IDLE" else None) as server:
        mailbox = Mailbox(account(clear(server.port)))
        loop = asyncio.get_running_loop()
        started = loop.time()
        await mailbox.wait(0.2)
        assert loop.time() - started >= 0.19
        assert server.connections == 1
        await mailbox.close()


async def test_connection_lost_while_idle_is_replaced_silently() -> None:
    async with ScriptedImap([mail(1)]) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        await reader.read()
        server.hang_up()
        await soon(lambda: reader.mailbox._imap is not None and reader.mailbox._imap.closed)
        assert await reader.read() == []
        assert server.connections == 2
        await reader.mailbox.close()
