"""channels.email.mailbox: every message exactly once, from a real server."""

from __future__ import annotations

import asyncio
import imaplib
import json
import random
import time
from typing import Any

import pytest

from channels.email.mailbox import Mailbox
from channels.email.wire import Idle
from desk.channel import AuthRequired, Batch, Permanent, Retry
from tests.channels.email.accounts import Reader, account, mail, number
from tests.servers import eventually
from tests.servers.cutting import Cutting
from tests.servers.dovecot import User

MIB = 2**20


async def soon(condition: Any, seconds: float = 10) -> None:
    """Let the event loop turn until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def listening(mailbox: Mailbox) -> bool:
    """True while the mailbox is inside IDLE."""
    imap = mailbox._watch._imap
    return imap is not None and isinstance(imap._wire.pending_sync_command, Idle) and not imap.closed


# -- real server: the way in ------------------------------------------------


async def test_messages_come_once_in_order_and_in_batches(user: User) -> None:
    user.deliver(*map(mail, range(1, 121)))
    mailbox = Mailbox(account(user.imap(), batch=50))
    reader = Reader(mailbox)
    assert await reader.read() == list(range(1, 121))
    assert reader.sizes == [50, 50, 20]
    user.deliver(mail(121))
    assert await reader.read() == [121]
    assert await reader.read() == []
    assert len({raw.external_id for raw in reader.kept}) == 121
    assert reader.kept[0].external_id.startswith("INBOX/")
    await mailbox.close()


async def test_batch_holds_at_most_4_mib(user: User) -> None:
    user.deliver(*(mail(n, 1_500_000) for n in range(1, 6)), mail(6))
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    assert await reader.read() == [1, 2, 3, 4, 5, 6]
    assert reader.sizes == [2, 2, 2]
    await mailbox.close()


async def test_bytes_and_time_of_arrival_are_the_servers(user: User) -> None:
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    await reader.read()
    assert reader.kept[0].data == mail(1)
    client = user.look()
    stamp = client.fetch("1", "(INTERNALDATE)")[1][0]
    client.logout()
    arrived = time.mktime(imaplib.Internaldate2tuple(stamp) or time.gmtime(0))
    assert reader.kept[0].received_at == arrived * 1000
    await mailbox.close()


async def test_nothing_is_flagged_before_the_batch_is_safe(user: User) -> None:
    user.deliver(mail(1), mail(2))
    mailbox = Mailbox(account(user.imap()))
    async for batch in mailbox.poll(None):
        if batch.items:
            assert user.count(criteria="UNSEEN") == 2
            await mailbox.confirm(batch)
            assert user.count(criteria="SEEN") == 2
            await mailbox.confirm(batch)
    await mailbox.close()


async def test_nothing_is_moved_before_the_batch_is_safe(user: User) -> None:
    user.create("Done")
    user.deliver(mail(1), mail(2))
    mailbox = Mailbox(account(user.imap(), after="move", move_to="Done"))
    async for batch in mailbox.poll(None):
        if batch.items:
            assert (user.count(), user.count("Done")) == (2, 0)
            await mailbox.confirm(batch)
            await mailbox.confirm(batch)
    assert (user.count(), user.count("Done")) == (0, 2)
    await mailbox.close()


async def test_kept_messages_are_left_alone(user: User) -> None:
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap(), after="keep"))
    assert await Reader(mailbox).read() == [1]
    assert user.count(criteria="UNSEEN") == 1
    await mailbox.close()


async def test_confirmation_lost_in_a_crash_is_made_up_for(user: User) -> None:
    user.deliver(mail(1), mail(2))
    first = Mailbox(account(user.imap()))
    reader = Reader(first)
    await reader.read(confirm=False)
    await first.close()
    assert user.count(criteria="UNSEEN") == 2
    second = Mailbox(account(user.imap()))
    assert await Reader(second, reader.cursor).read() == []
    assert user.count(criteria="SEEN") == 2
    await second.close()


async def test_new_uidvalidity_reads_the_folder_again(user: User) -> None:
    user.deliver(mail(1), mail(2))
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    await reader.read()
    await mailbox.close()
    user.renumber()
    user.deliver(mail(3))
    assert sorted(await reader.read()) == [1, 2, 3]
    assert len({raw.external_id for raw in reader.kept}) == 5
    assert await reader.read() == []
    await mailbox.close()


@pytest.mark.parametrize("after", ["flag", "keep", "move"])
async def test_uids_given_anew_are_noticed(user: User, after: str) -> None:
    """The server forgets its UIDs and not its UIDVALIDITY; mail comes with UIDs that others had."""
    user.create("Done")
    user.deliver(*map(mail, range(1, 6)))
    mailbox = Mailbox(account(user.imap(), after=after, move_to="Done" if after == "move" else ""))
    reader = Reader(mailbox)
    await reader.read()
    await mailbox.close()
    if after != "move":
        client = user.look()
        client.store("1,2", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
    user.renumber(by=0)
    user.deliver(mail(6))
    again = [] if after == "move" else [3, 4, 5]
    assert sorted(await reader.read()) == [*again, 6]
    assert len({raw.external_id for raw in reader.kept}) == len(reader.kept), "another message has another name"
    assert await reader.read() == []
    user.deliver(mail(7))
    assert await reader.read() == [7]
    assert user.count(criteria="UNSEEN") == (5 if after == "keep" else 0)
    await mailbox.close()


@pytest.mark.parametrize("more", [1, 3, 6])
async def test_restored_backup_hides_no_mail(user: User, more: int) -> None:
    """Less, as much, and more came after the backup was put back than was lost with it."""
    user.deliver(mail(1), mail(2))
    mailbox = Mailbox(account(user.imap(), after="keep"))
    reader = Reader(mailbox)
    await reader.read()
    await mailbox.close()
    copy = user.backup()
    user.deliver(mail(3), mail(4), mail(5))
    assert await reader.read() == [3, 4, 5]
    await mailbox.close()
    user.restore(copy)
    # A server knows arrivals to the second.
    user.deliver(*map(mail, range(6, 6 + more)), later_s=2)
    assert await reader.read() == [1, 2, *range(6, 6 + more)]
    assert len({raw.external_id for raw in reader.kept}) == len(reader.kept)
    assert await reader.read() == []
    await mailbox.close()


async def test_confirmation_for_another_uidvalidity_touches_nothing(user: User) -> None:
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap()))
    batches = [batch async for batch in mailbox.poll(None)]
    await mailbox.close()
    user.renumber()
    await mailbox.confirm(batches[0])
    assert user.count(criteria="UNSEEN") == 1
    await mailbox.close()


async def test_removed_messages_are_no_trouble(user: User) -> None:
    user.deliver(*map(mail, range(1, 6)))
    client = user.look()
    client.store("2,5", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    assert await reader.read() == [1, 3, 4]
    assert json.loads(reader.cursor or "")["folders"]["INBOX"]["uid"] == 4
    await mailbox.close()


@pytest.mark.parametrize(("first", "expected"), [("all", [1, 2, 3, 4]), ("unseen", [2, 3, 4]), ("new", [3, 4])])
async def test_first_reading_reaches_back_as_far_as_asked(user: User, first: str, expected: list[int]) -> None:
    user.deliver(mail(1), mail(2))
    client = user.look()
    client.store("1", "+FLAGS", r"(\Seen)")
    client.logout()
    mailbox = Mailbox(account(user.imap(), first=first, after="keep"))
    reader = Reader(mailbox)
    await reader.read()
    user.deliver(mail(3))
    client = user.look()
    client.store("3", "+FLAGS", r"(\Seen)")  # read by somebody else meanwhile: it is ours all the same
    client.logout()
    user.deliver(mail(4))
    await reader.read()
    assert [number(raw) for raw in reader.kept] == expected
    await mailbox.close()


async def test_several_folders_with_any_letters(user: User) -> None:
    user.create("Anfragen &- &ZeVnLIqe-")
    mailbox = Mailbox(account(user.imap(), folders=("INBOX", "Anfragen & 日本語")))
    user.deliver(mail(1))
    await mailbox.append("Anfragen & 日本語", mail(2))
    reader = Reader(mailbox)
    assert await reader.read() == [1, 2]
    assert reader.kept[1].external_id.startswith("Anfragen & 日本語/")
    assert await reader.read() == []
    await mailbox.close()


async def test_too_large_message_comes_as_its_header_and_a_note(user: User) -> None:
    huge = mail(2, 2 * MIB).replace(
        b"Subject", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=x\r\nSubject"
    )
    user.deliver(mail(1), huge, mail(3))
    mailbox = Mailbox(account(user.imap(), max_message_mb=1))
    reader = Reader(mailbox)
    assert await reader.read() == [1, 2, 3]
    data = reader.kept[1].data
    assert len(data) < 1000
    assert b"<2@example.com>" in data
    assert b"\r\nX-Original-Content-Type: multipart" in data
    assert b"too large to be fetched: 2 MB" in data
    await mailbox.close()


async def test_missing_folder_is_named_with_those_that_exist(user: User) -> None:
    user.create("Support")
    mailbox = Mailbox(account(user.imap(), folders=("Suport",)))
    with pytest.raises(Permanent, match=r'cannot open the folder "Suport".*it has .*"Support"'):
        await Reader(mailbox).read()
    await mailbox.close()


async def test_wrong_password_needs_a_person(user: User) -> None:
    mailbox = Mailbox(account(user.imap(password="wrong")))
    with pytest.raises(AuthRequired):
        await Reader(mailbox).read()
    with pytest.raises(AuthRequired):
        await mailbox.wait(1)


async def test_unreachable_server_is_tried_again() -> None:
    mailbox = Mailbox(account({"host": "localhost", "port": 1, "password": "x"}))
    with pytest.raises(Retry, match="cannot reach localhost, port 1"):
        await Reader(mailbox).read()


async def test_check_says_what_it_found(user: User) -> None:
    user.deliver(mail(1))
    user.create("Sent")
    mailbox = Mailbox(account(user.imap(), sent_folder="Sent"))
    said = await mailbox.check()
    assert said[0] == f"localhost: logged in as {user.name}; tells of news at once"
    assert said[1:] == ['"INBOX" holds 1 messages', '"Sent" is there']
    await mailbox.close()


async def test_copies_go_to_the_folder_as_read(user: User) -> None:
    user.create("Sent")
    mailbox = Mailbox(account(user.imap()))
    await mailbox.append("Sent", mail(1))
    assert user.count("Sent", "SEEN") == 1
    with pytest.raises(Permanent, match='takes no copy in "Nowhere"'):
        await mailbox.append("Nowhere", mail(1))
    await mailbox.close()


# -- real server: waiting ---------------------------------------------------


async def test_waiting_ends_with_a_delivery(user: User) -> None:
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    await reader.read()
    for count in (1, 2):
        waiting = asyncio.ensure_future(mailbox.wait(20))
        await soon(lambda: listening(mailbox))
        assert not waiting.done()
        user.deliver(mail(count))
        async with asyncio.timeout(10):
            await waiting
        assert await reader.read() == [count]
    await mailbox.close()


async def test_delivery_between_reading_and_waiting_is_noticed(user: User) -> None:
    user.deliver(mail(1))
    mailbox = Mailbox(account(user.imap()))
    reader = Reader(mailbox)
    await reader.read()
    user.deliver(mail(2))
    async with asyncio.timeout(5):
        await mailbox.wait(20)
    assert await reader.read() == [2]
    await mailbox.close()


async def test_waiting_is_renewed_and_ends_in_time(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = account(user.imap())
    object.__setattr__(settings, "idle_minutes", 0.1 / 60)
    mailbox = Mailbox(settings)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await mailbox.wait(0.35)
    assert 0.3 < loop.time() - started < 3
    assert mailbox._watch._imap is not None
    assert not mailbox._watch._imap.closed
    await mailbox.close()


async def test_cancelled_waiting_leaves_nothing_behind(user: User) -> None:
    mailbox = Mailbox(account(user.imap()))
    waiting = asyncio.ensure_future(mailbox.wait(20))
    await soon(lambda: listening(mailbox))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    user.deliver(mail(1))
    assert await Reader(mailbox).read() == [1]
    await mailbox.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cut_at_any_byte_loses_and_doubles_nothing(user: User) -> None:
    user.deliver(*(mail(n, 400) for n in range(1, 61)))
    expected = list(range(1, 61))
    chance = random.Random(20)
    cuts = 0
    for after in [*range(1, 700, 60), *(chance.randrange(700, 50_000) for _ in range(20))]:
        client = user.look()
        client.store("1:*", "-FLAGS", r"(\Seen)")
        client.logout()
        async with Cutting(user.server.port, after) as wire:
            table = user.imap(port=wire.port, tls="none")
            reader = Reader(Mailbox(account(table, batch=50)))
            for _ in range(4):
                try:
                    await reader.read()
                except Retry:
                    await reader.mailbox.close()
                    reader.mailbox = Mailbox(account(table, batch=50))
            await reader.mailbox.close()
            cuts += wire.cut
        assert [number(raw) for raw in reader.kept] == expected, f"cut after {after} bytes"
        assert user.count(criteria="UNSEEN") == 0, f"cut after {after} bytes"
    assert cuts > 25


async def test_reader_that_stops_half_way_leaves_the_mailbox_usable(user: User) -> None:
    user.deliver(*map(mail, range(1, 121)))
    mailbox = Mailbox(account(user.imap(), batch=50))
    polling = mailbox.poll(None)
    batch: Batch = await anext(polling)
    await polling.aclose()  # type: ignore[attr-defined]
    await mailbox.confirm(batch)
    assert await Reader(mailbox, batch.cursor).read() == list(range(51, 121))
    eventually(lambda: user.count(criteria="UNSEEN") == 0, "all to be flagged")
    await mailbox.close()


async def test_unreadable_cursor_is_told() -> None:
    with pytest.raises(Permanent, match="cursor cannot be read"):
        await Reader(Mailbox(account()), "nonsense").read()
