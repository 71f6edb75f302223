"""What mail servers do that no standard asks for: Gmail, Exchange, and those that are merely tired."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from channels.email import cursor as cursors
from channels.email import replies, watch
from channels.email.mailbox import Mailbox
from channels.email.replies import Refused, Selected
from desk.channel import AuthRequired, Permanent, RateLimited, Retry
from relay.pump import pump
from tests.channels.email.accounts import Reader, account, clear, mail, number
from tests.relays import Room, running, until
from tests.servers.dovecot import User
from tests.servers.scripted_imap import ScriptedImap


def once(command: str, answer: bytes) -> Any:
    """Answer the first `command` in this way, and everything else as usual."""
    left = [answer]
    return lambda said: left.pop() if left and said.upper().startswith(command) else None


# -- asking for patience ----------------------------------------------------

THROTTLED = (
    (b"TAG NO [THROTTLED] slow down\r\n", 60.0),
    (b"TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits\r\n", 60.0),
    (b"TAG NO [LIMIT] too many commands\r\n", 60.0),
    (b"TAG NO [INUSE] mailbox locked\r\n", None),
    (b"TAG NO [UNAVAILABLE] backend down\r\n", None),
    (b"TAG BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n", 299.961),
    (b"* BYE Session invalidated - throttled\r\n", 60.0),
)


@pytest.mark.parametrize("verb", ["SELECT", "UID SEARCH", "UID FETCH", "UID STORE"])
@pytest.mark.parametrize(("answer", "pause"), THROTTLED)
async def test_server_that_asks_for_patience_gets_it(verb: str, answer: bytes, pause: float | None) -> None:
    server: ScriptedImap
    script = once(verb, answer)

    def hook(command: str) -> bytes | None:
        said = script(command)
        if said is not None and b"BYE" in said:
            asyncio.get_running_loop().call_later(0.05, server.hang_up)
        return said

    async with ScriptedImap([mail(1), mail(2)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port, timeout_s=1.0))))
        with pytest.raises(Retry) as caught:
            await reader.read()
        assert caught.value.after_s == pause
        assert isinstance(caught.value, RateLimited) == (pause is not None)
        await reader.read()
        assert [number(raw) for raw in reader.kept] == [1, 2]
        assert all(b"Hello." in raw.data for raw in reader.kept)
        assert server.seen == {1, 2}
        await reader.mailbox.close()


async def test_hour_of_throttling_costs_no_message_its_text() -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        tired = command.startswith("UID FETCH") and "BODY" in command and server.connections < 12
        return b"TAG NO [THROTTLED] slow down\r\n" if tired else None

    async with ScriptedImap([mail(1), mail(2)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        for _ in range(30):
            try:
                await reader.read()
            except Retry:
                server.hang_up()
        assert server.connections >= 12
        assert [b"Hello." in raw.data for raw in reader.kept] == [True, True]
        await reader.mailbox.close()


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", RateLimited),
        (b"NO User is authenticated but not connected.", Retry),
        (b"NO [UNAVAILABLE] Temporary authentication failure.", Retry),
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", AuthRequired),
        (b"NO AUTHENTICATE failed.", AuthRequired),
    ],
)
async def test_login_refused_for_want_of_room_does_not_pause_the_account(
    words: bytes, meaning: type[Exception]
) -> None:
    async with ScriptedImap([], hook=once("AUTHENTICATE", b"TAG " + words + b"\r\n")) as server:
        with pytest.raises(meaning) as caught:
            await Reader(Mailbox(account(clear(server.port)))).read()
        assert type(caught.value) is meaning


async def test_second_connection_that_is_not_allowed_is_done_without() -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        full = command.startswith("AUTHENTICATE") and server.connections > 1
        return b"TAG NO [LIMIT] Maximum number of connections exceeded\r\n" if full else None

    async with ScriptedImap([mail(1)], hook=hook) as server:
        mailbox = Mailbox(account(clear(server.port)))
        reader = Reader(mailbox)
        assert await reader.read() == [1]
        await mailbox.wait(0.1)
        server.messages[2], server.uidnext = mail(2), 3
        assert await reader.read() == [2]
        await mailbox.close()


async def test_full_folder_to_move_to_is_told_and_stops_no_reading() -> None:
    async with ScriptedImap([mail(1)], hook=once("UID MOVE", b"TAG NO [OVERQUOTA] quota exceeded\r\n")) as server:
        reader = Reader(Mailbox(account(clear(server.port), after="move", move_to="Done")))
        with pytest.raises(Permanent, match="quota exceeded"):
            await reader.read()
        server.messages[2], server.uidnext = mail(2), 3
        assert await reader.read() == [2]
        await reader.mailbox.close()


# -- Gmail ------------------------------------------------------------------


async def test_label_and_all_mail_make_one_ticket_of_one_message(tmp_path: Path, user: User) -> None:
    """Gmail shows a message once in every label's folder, with another UID, and again in All Mail."""
    user.create("Important")
    settings = account(user.imap(), folders=("INBOX", "Important"))
    user.deliver(*(mail(n) for n in range(1, 6)))
    client = user.look()
    client.copy("2:4", "Important")
    client.logout()
    room = Room(tmp_path, settings)
    engine = room.engine("a")
    async with running(pump(engine, engine.stations[0])):
        await until(lambda: engine.health.get("pump:support") == "ok", "both folders to be read")
    assert len(room.store._execute("SELECT 1 FROM external WHERE external_id LIKE 'INBOX/%'")) == 5  # type: ignore[attr-defined]
    assert len(room.store._execute("SELECT 1 FROM external WHERE external_id LIKE 'Important/%'")) == 3  # type: ignore[attr-defined]
    subjects = [row[0] for row in room.store._execute("SELECT subject FROM ticket")]  # type: ignore[attr-defined]
    assert sorted(s for s in subjects if s.startswith("mail")) == [f"mail {n}" for n in range(1, 6)]
    await engine.stations[0].channel.close()


async def test_check_says_that_gmail_keeps_copies_by_itself() -> None:
    async with ScriptedImap([]) as server:
        server.capabilities += " X-GM-EXT-1"
        mailbox = Mailbox(account(clear(server.port), sent_folder="[Gmail]/Sent Mail"))
        assert any("leave sent_folder empty" in said for said in await mailbox.check())
        await mailbox.close()


# -- Exchange ---------------------------------------------------------------


async def test_idle_that_tells_of_nothing_is_a_pause_of_poll_s(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedImap([mail(1)]) as server:
        settings = account(clear(server.port))
        object.__setattr__(settings, "poll_s", 0.2)
        mailbox = Mailbox(settings)
        reader = Reader(mailbox)
        await reader.read()
        server.messages[2], server.uidnext = mail(2), 3
        async with asyncio.timeout(5):
            await mailbox.wait(0.2)
        assert await reader.read() == [2]
        await mailbox.close()


# -- talking out of turn ----------------------------------------------------

NOISE = (
    b"* 5 EXISTS\r\n* 0 RECENT\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 4 EXPUNGE\r\n* OK [HIGHESTMODSEQ 99] noted\r\n"
    b'* 2 FETCH (UID 2 FLAGS (\\Seen $Junk) MODSEQ (12))\r\n* VANISHED 77:80\r\n* LIST () "/" "New"\r\n'
    b'* STATUS "Other" (MESSAGES 3)\r\n* OK [ALERT] the cafeteria closes at {3}\r\n* CAPABILITY IMAP4rev1 X\r\n'
)


async def test_news_at_any_time_change_nothing_that_was_asked_for() -> None:
    async with ScriptedImap([mail(n) for n in range(1, 4)]) as server:
        original = server._untagged

        def noisy(name: str) -> bytes:
            # EXISTS after a SELECT is the truth; before everything else it may come, too.
            return original(name) if name.startswith(("SELECT", "CAPABILITY")) else NOISE + original(name) + NOISE

        server._untagged = noisy  # type: ignore[method-assign]
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [1, 2, 3]
        assert server.seen == {1, 2, 3}
        assert await reader.read() == []
        await reader.mailbox.close()


@pytest.mark.parametrize("literal", [b"{%d}", b"{%d+}", b"~{%d}"])
async def test_literals_of_every_kind(literal: bytes) -> None:
    body = mail(1)
    answer = b"* 1 FETCH (UID 1 BODY[] " + literal % len(body) + b"\r\n" + body + b")\r\nTAG OK\r\n"
    hook = lambda c: answer if "BODY.PEEK" in c else None  # noqa: E731
    async with ScriptedImap([body], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [1]
        assert reader.kept[0].data == body
        await reader.mailbox.close()


# -- folders ----------------------------------------------------------------


async def test_utf8_only_server_is_spoken_to_in_utf8() -> None:
    async with ScriptedImap([mail(1)]) as server:
        server.capabilities += " UTF8=ONLY"
        reader = Reader(Mailbox(account(clear(server.port), folders=("Entwürfe",))))
        assert await reader.read() == [1]
        assert server.commands.index("ENABLE UTF8=ACCEPT") < server.commands.index('SELECT "Entwürfe"')
        await reader.mailbox.close()


async def test_folder_where_nothing_happened_is_not_searched() -> None:
    async with ScriptedImap([mail(1)]) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        await reader.read()
        del server.commands[:]
        assert await reader.read() == []
        assert server.commands == ['SELECT "INBOX"']
        await reader.mailbox.close()


async def test_reading_that_was_not_committed_is_done_again() -> None:
    """The folder stands as it did, but the desk lost what it was given: its cursor says so."""
    async with ScriptedImap([mail(1), mail(2)]) as server:
        mailbox = Mailbox(account(clear(server.port)))
        lost = Reader(mailbox)
        assert await lost.read(confirm=False) == [1, 2]
        assert await Reader(mailbox).read() == [1, 2]
        assert server.seen == {1, 2}
        await mailbox.close()


async def test_other_folders_are_asked_by_status(user: User) -> None:
    user.create("Sales")
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap(), folders=("INBOX", "Sales")))
    reader = Reader(mailbox)
    assert await reader.read() == [1]
    assert mailbox._imap is not None
    assert await mailbox._imap.status("Sales") == Selected(mailbox._read["Sales"][0].uidvalidity, 1, 0)
    said: list[str] = []
    original = mailbox._imap._wire.send
    mailbox._imap._wire.send = lambda line, **more: (said.append(line), original(line, **more))  # type: ignore[method-assign]
    assert await reader.read() == []
    assert [line.split()[1] for line in said] == ["STATUS", "SELECT"] or [line.split()[1] for line in said] == ["SELECT", "STATUS"]  # fmt: skip
    client = user.look()
    client.copy("1", "Sales")
    client.logout()
    assert await reader.read() == [1]
    await mailbox.close()


async def test_notify_tells_of_every_folder(user: User) -> None:
    user.create("Sales")
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap(), folders=("INBOX", "Sales"), poll_s=3600))
    reader = Reader(mailbox)
    await reader.read()
    waiting = asyncio.ensure_future(mailbox.wait(3600))
    await until(lambda: mailbox._watch._everywhere, "NOTIFY to be set")
    client = user.look()
    client.copy("1", "Sales")
    client.logout()
    async with asyncio.timeout(10):
        await waiting
    assert await reader.read() == [1]
    await mailbox.close()


async def test_notify_that_is_refused_leaves_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "NEWS_EVERY_S", 0.0)
    async with ScriptedImap([mail(1)], hook=once("NOTIFY", b"TAG NO [NOTIFICATIONOVERFLOW] no\r\n")) as server:
        server.capabilities += " NOTIFY"
        mailbox = Mailbox(account(clear(server.port), folders=("INBOX", "Sales")))
        await asyncio.wait_for(mailbox.wait(0.1), 5)
        assert not mailbox._watch._everywhere
        assert "IDLE" in server.commands
        await mailbox.close()


@pytest.mark.parametrize(
    ("line", "stands"),
    [
        (b'STATUS "INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5)', Selected(5, 4, 3)),
        (b'STATUS "a (UIDNEXT 9)" (uidvalidity 5 UIDNEXT 4 MESSAGES 3) ', Selected(5, 4, 3)),
        (b"STATUS INBOX (MESSAGES 3)", None),
        (b"STATUS INBOX ()", None),
    ],
)
def test_status_is_read_or_left(line: bytes, stands: Selected | None) -> None:
    assert replies.stands([[line]]) == stands


# -- huge folders -----------------------------------------------------------


def test_few_messages_with_scattered_uids_are_one_search() -> None:
    place = cursors.Place(7, uid=100)
    assert list(place.windows(Selected(7, 4_000_000_000, 30))) == [(101, None, "")]
    many = list(place.windows(Selected(7, 200_000, 190_000)))
    assert many[0] == (101, 52_705, "")
    assert [low for low, _, _ in many[1:]] == [high + 1 for _, high, _ in many[:-1] if high]
    assert many[-1][1] is None
    assert len(many) == 4
    assert len(list(place.windows(Selected(7, 4_000_000_000, 190_000)))) == 4


def test_few_new_messages_in_a_huge_folder_are_one_search() -> None:
    assert list(cursors.Place(7, uid=1_000_000).windows(Selected(7, 1_000_011, 1_000_010))) == [(1_000_001, None, "")]


def test_search_key_holds_up_to_its_end_and_not_beyond() -> None:
    place = cursors.Place(7, only="UNSEEN", below=120)
    assert list(place.windows(Selected(7, 130, 100))) == [(1, 119, "UNSEEN"), (120, None, "")]


@pytest.mark.parametrize("said", [1, 3, 5, 4_294_967_295])
async def test_whatever_uidnext_says_every_message_comes_once(said: int) -> None:
    async with ScriptedImap([mail(n) for n in range(1, 5)]) as server:
        server.uidnext = said
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [1, 2, 3, 4]
        server.messages[5] = mail(5)
        assert await reader.read() == [5]
        server.messages.clear()
        assert await reader.read() == []
        server.messages[6] = mail(6)
        assert await reader.read() == [6]
        await reader.mailbox.close()


async def test_hundred_thousand_messages_are_looked_for_in_pieces() -> None:
    """No answer is huge, and what is gone meanwhile costs no question of its own."""
    there = range(1, 100_001)
    answers: list[int] = []

    def members(uids: str) -> list[int]:
        low, _, high = uids.partition(":")
        return [n for n in range(int(low), int(high or low) + 1) if n in there]

    def hook(command: str) -> bytes | None:
        if match := re.match(r"UID SEARCH UID (\S+)", command):
            answer = f"* SEARCH {' '.join(map(str, members(match[1])))}\r\nTAG OK\r\n".encode()
            answers.append(len(answer))
            return answer
        if command.startswith("UID FETCH"):
            return b"TAG OK nothing left\r\n"
        return None

    async with ScriptedImap([], hook=hook) as server:
        server.uidnext = 100_001
        server._untagged = lambda name: (  # type: ignore[method-assign]
            b"* 100000 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 100001] ok\r\n"
            if name.startswith("SELECT")
            else f"* CAPABILITY {server.capabilities}\r\n".encode()
        )
        mailbox = Mailbox(account(clear(server.port)))
        polling = mailbox.poll(None)
        with pytest.raises(Retry, match="does not hand out"):
            # It says that they are there and gives none: not believed to be gone.
            await anext(polling)
        assert max(answers) < 400_000
        await mailbox.close()


async def test_messages_that_others_remove_while_we_read_are_one_question() -> None:
    server: ScriptedImap

    def hook(command: str) -> bytes | None:
        if "BODY.PEEK" in command and 50 in server.messages:
            for uid in range(11, 91):
                server.messages.pop(uid, None)
            return b"TAG NO [EXPUNGEISSUED] Some of the requested messages no longer exist\r\n"
        return None

    async with ScriptedImap([mail(n) for n in range(1, 101)], hook=hook) as server:
        reader = Reader(Mailbox(account(clear(server.port))))
        assert await reader.read() == [*range(1, 11), *range(91, 101)]
        assert len([said for said in server.commands if "SEARCH" in said]) == 2
        await reader.mailbox.close()


def test_refusal_names_its_code() -> None:
    refused = Refused("FETCH", b"[THROTTLED] slow down")
    assert (refused.busy, refused.temporary, refused.full) == (True, True, False)
