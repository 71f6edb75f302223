"""channels.email.mailbox on a second server with other habits: Courier."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from imaplib import IMAP4

import pytest

from channels.email.imap import Imap, connect
from channels.email.mailbox import Mailbox
from channels.email.settings import Imap as Server
from desk.channel import Retry
from tests.channels.email.accounts import Reader, account, mail, number
from tests.servers.courier import Courier


@pytest.fixture
def courier() -> Iterator[Courier]:
    """An empty mailbox on a Courier."""
    server = Courier()
    yield server
    server.stop()


def look(courier: Courier, folder: str = "INBOX") -> IMAP4:
    client = IMAP4("127.0.0.1", courier.port, timeout=10)
    client.select(folder)
    return client


def count(courier: Courier, folder: str = "INBOX", criteria: str = "ALL") -> int:
    client = look(courier, folder)
    try:
        return len(client.search(None, criteria)[1][0].split())
    finally:
        client.logout()


async def reach(courier: Courier) -> Imap:
    return await connect(Server(**courier.imap()), "support@desk.test", 2**20)


async def test_messages_come_once_in_order_and_are_flagged(courier: Courier) -> None:
    courier.deliver(*map(mail, range(1, 121)))
    reader = Reader(Mailbox(account(courier.imap(), batch=50)))
    assert await reader.read() == list(range(1, 121))
    assert reader.sizes == [50, 50, 20]
    assert count(courier, criteria="UNSEEN") == 0
    courier.deliver(mail(121))
    assert await reader.read() == [121]
    assert await reader.read() == []
    await reader.mailbox.close()


async def test_move_without_move_moves_once(courier: Courier) -> None:
    courier.deliver(mail(1), mail(2), mail(3))
    client = look(courier)
    client.create("INBOX.Done")
    client.logout()
    imap = await reach(courier)
    assert "MOVE" not in imap.capabilities
    await imap.select("INBOX")
    await imap.move([1, 2], "INBOX.Done")
    await imap.move([1, 2], "INBOX.Done")
    await imap.close()
    assert (count(courier, "INBOX.Done"), count(courier)) == (2, 1)


async def test_folders_below_inbox_with_any_letters(courier: Courier) -> None:
    client = look(courier)
    client.create('"INBOX.Anfragen &- &ZeVnLIqe-"')
    client.logout()
    folder = "INBOX.Anfragen & 日本語"
    mailbox = Mailbox(account(courier.imap(), folders=("INBOX", folder)))
    courier.deliver(mail(1))
    await mailbox.append(folder, mail(2))
    reader = Reader(mailbox)
    assert await reader.read() == [1, 2]
    assert await reader.read() == []
    await mailbox.append(folder, mail(3))
    assert await reader.read() == [3]
    await mailbox.close()


async def test_new_uidvalidity_reads_the_folder_again(courier: Courier) -> None:
    courier.deliver(mail(1), mail(2))
    reader = Reader(Mailbox(account(courier.imap())))
    await reader.read()
    await reader.mailbox.close()
    courier.renumber()
    courier.deliver(mail(3))
    assert sorted(await reader.read()) == [1, 2, 3]
    assert len({raw.external_id for raw in reader.kept}) == 5
    await reader.mailbox.close()


async def test_messages_removed_by_others_are_no_trouble(courier: Courier) -> None:
    courier.deliver(*map(mail, range(1, 41)))
    mailbox = Mailbox(account(courier.imap()))
    assert mailbox._fetcher is not None
    original = mailbox._fetcher.heads

    async def heads(*args: object) -> object:
        found = await original(*args)  # type: ignore[arg-type]
        client = look(courier)
        client.store("11:30", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        return found

    mailbox._fetcher.heads = heads  # type: ignore[method-assign, assignment]
    reader = Reader(mailbox)
    assert await reader.read() == [*range(1, 11), *range(31, 41)]
    await mailbox.close()


async def test_bytes_come_as_they_were_sent(courier: Courier) -> None:
    odd = b'Subject: mail 1 * 1 FETCH (UID 9 BODY[] {3}\r\n\r\n)\r\n* BYE ((( \\ " sale * now\r\nA1 OK done\r\n'
    courier.deliver(odd)
    reader = Reader(Mailbox(account(courier.imap())))
    await reader.read()
    assert [raw.data for raw in reader.kept] == [odd]
    await reader.mailbox.close()


async def test_server_killed_in_the_middle_loses_and_doubles_nothing(courier: Courier) -> None:
    courier.deliver(*(mail(n, 5_000) for n in range(1, 201)))
    reader = Reader(Mailbox(account(courier.imap(), batch=50)))
    polling = reader.mailbox.poll(None)
    batch = await anext(polling)
    reader.kept.extend(batch.items)  # type: ignore[arg-type]
    reader.cursor = batch.cursor
    for process in courier._processes:
        process.kill()
    await polling.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while len(reader.kept) < 200:
            with suppress(Retry):
                await reader.read()
    assert [number(raw) for raw in reader.kept] == list(range(1, 201))
    assert count(courier, criteria="UNSEEN") == 0
    await reader.mailbox.close()
