"""channels.email.imap and the wire below it: logging in, framing, and never hanging."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.email import names, replies, wire
from channels.email.imap import Imap, connect
from channels.email.settings import Imap as Server
from desk.channel import AuthRequired, Permanent, Retry
from tests.channels.email.accounts import clear, mail
from tests.servers.dovecot import User
from tests.servers.scripted_imap import ScriptedImap

MIB = 2**20


async def reach(table: dict[str, Any], user: str = "ann@desk.test", limit_bytes: int = MIB) -> Imap:
    return await connect(Server(**table), table.get("user") or user, limit_bytes)


# -- real server ------------------------------------------------------------


async def test_tls_with_own_authority(user: User) -> None:
    imap = await reach(user.imap())
    assert "IDLE" in imap.capabilities
    await imap.close()


async def test_starttls_with_own_authority(user: User) -> None:
    imap = await reach(user.imap(tls="starttls", port=user.server.port))
    assert (await imap.select("INBOX")).exists == 0
    await imap.close()


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_certificate_of_an_unknown_authority_is_refused(user: User, tls: str) -> None:
    port = user.server.tls_port if tls == "tls" else user.server.port
    with pytest.raises(Retry, match=r"certificate is not trusted .* see ca_file"):
        await reach(user.imap(tls=tls, port=port, ca_file=""))


async def test_missing_ca_file_is_named(user: User) -> None:
    with pytest.raises(Permanent, match=r"ca_file = /no/such\.pem"):
        await reach(user.imap(ca_file="/no/such.pem"))


async def test_wrong_password_needs_a_person(user: User) -> None:
    with pytest.raises(AuthRequired, match=f"refused the login of {user.name}"):
        await reach(user.imap(password="wrong"))


async def test_xoauth2_token_logs_in(user: User) -> None:
    imap = await reach(user.imap(auth="xoauth2", token_cmd=("echo", "secret"), password=""))
    assert (await imap.select("INBOX")).exists == 0
    await imap.close()


async def test_refused_xoauth2_token_needs_a_person(user: User) -> None:
    with pytest.raises(AuthRequired):
        await reach(user.imap(auth="xoauth2", token_cmd=("echo", "stale"), password=""))


async def test_folder_with_any_letters(user: User) -> None:
    name = 'Entwürfe & 日本語 "alt" \\ 🎉'
    user.create(names.encode(name))
    imap = await reach(user.imap())
    await imap.append(name, mail(1))
    assert (await imap.select(name)).exists == 1
    assert name in await imap.folders()
    await imap.close()


async def test_fetch_takes_literals_as_they_are(user: User) -> None:
    odd = b'Subject: * 1 FETCH (UID 9 BODY[] {3}\r\n\r\n)\r\n* BYE ((( \\ " sale * now\r\nA1 OK done\r\n'
    user.deliver(odd, b"NIL\r\n")
    imap = await reach(user.imap())
    await imap.select("INBOX")
    found = await imap.fetch([1, 2], "BODY.PEEK[] FLAGS")
    assert [found[uid].body for uid in (1, 2)] == [odd, b"NIL\r\n"]
    await imap.close()


@pytest.mark.parametrize("without", [set(), {"MOVE"}, {"MOVE", "UIDPLUS"}])
async def test_move_twice_moves_once(user: User, without: set[str]) -> None:
    user.create("Done")
    user.deliver(mail(1), mail(2), mail(3))
    imap = await reach(user.imap())
    imap.capabilities -= without
    await imap.select("INBOX")
    await imap.move([1, 2], "Done")
    await imap.move([1, 2], "Done")
    await imap.close()
    assert user.count("Done") == 2
    assert user.count("INBOX", "UNDELETED") == 1


# -- scripted server --------------------------------------------------------


def answering(command: str, answer: bytes) -> Any:
    return lambda said: answer if said.upper().startswith(command) else None


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [
        ("IMAP4rev1 AUTH=PLAIN", ["AUTHENTICATE PLAIN"]),
        ("IMAP4rev1", ["LOGIN {13}"]),
    ],
)
async def test_login_by_what_is_offered(capabilities: str, words: list[str]) -> None:
    async with ScriptedImap([], hook=answering("LOGIN", b"+ \r\n")) as server:
        server.capabilities = capabilities
        pending = asyncio.ensure_future(reach(clear(server.port, timeout_s=0.3)))
        await asyncio.wait([pending])
        assert [said for said in server.commands if said.startswith(("AUTH", "LOGIN"))] == words
        if not pending.exception():
            pending.result().abort()


async def test_login_sends_odd_passwords_as_literals() -> None:
    got = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hi\r\n")
        while line := await reader.readline():
            tag, _, command = line.partition(b" ")
            if command.startswith(b"LOGIN"):
                writer.write(b"+ name\r\n")
                got.append(await reader.readline())
                writer.write(b"+ password\r\n")
                got.append(await reader.readline())
            writer.write(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        imap = await reach(clear(server.sockets[0].getsockname()[1], password='p"\\ ä'))
        await imap.close()
    assert got == [b"ann@desk.test {6}\r\n", 'p"\\ ä\r\n'.encode()]


async def test_server_that_takes_no_password_in_clear_is_not_sent_one() -> None:
    async with ScriptedImap([]) as server:
        server.capabilities = "IMAP4rev1 LOGINDISABLED"
        with pytest.raises(AuthRequired, match="set tls"):
            await reach(clear(server.port))
        assert server.commands == ["CAPABILITY"]


async def test_login_that_fails_for_a_passing_reason_is_tried_again() -> None:
    async with ScriptedImap([], hook=answering("AUTH", b"TAG NO [UNAVAILABLE] database is down\r\n")) as server:
        with pytest.raises(Retry, match="database is down"):
            await reach(clear(server.port))


@pytest.mark.parametrize(
    ("greeting", "message"),
    [
        (b"* BYE too many connections\r\n", "turns us away: too many connections"),
        (b"220 mail.desk.test ESMTP\r\n", "this is no IMAP server"),
        (b"", "no answer"),
    ],
)
async def test_greeting_that_is_no_welcome(greeting: bytes, message: str) -> None:
    async with ScriptedImap([], greeting=greeting) as server:
        with pytest.raises(Retry, match=message):
            await reach(clear(server.port, timeout_s=0.2))


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        b"TAG OK begin\r\n* 1 FE",
        b"TAG NO not today\r\n",
        b"TAG OK begin\r\n",  # and then no TLS
    ],
)
async def test_starttls_injection_and_refusal_end_before_the_password(answer: bytes) -> None:
    async with ScriptedImap([], hook=answering("STARTTLS", answer)) as server:
        with pytest.raises(Retry):
            await reach(clear(server.port, tls="starttls", timeout_s=0.3))
        assert server.commands[:1] == ["STARTTLS"]
        assert not any("AUTH" in said or "LOGIN" in said for said in server.commands)


async def test_injection_is_what_is_complained_of() -> None:
    async with ScriptedImap([], hook=answering("STARTTLS", b"TAG OK\r\n* OK injected\r\n")) as server:
        with pytest.raises(Retry, match="data between STARTTLS and TLS"):
            await reach(clear(server.port, tls="starttls"))


async def test_preauth_cannot_skip_starttls() -> None:
    async with ScriptedImap([], greeting=b"* PREAUTH welcome\r\n") as server:
        with pytest.raises(Retry, match="skips STARTTLS"):
            await reach(clear(server.port, tls="starttls"))
        assert server.commands == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {99999999}\r\n", "99999999 bytes at once"),
        (b"* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n", "no answer"),
        (b'* 1 FETCH (UID 1 X "' + b"a" * 100 + b'")\r\n' * 1, "no answer"),
        ((b"* 1 FETCH (UID 1 X (" + b"a" * 60_000 + b"))\r\n") * 30, "over 1048576 bytes in answer to FETCH"),
        (b"* 1 FETCH (UID 1 X" + b" {0}\r\n" * 50_000, "bytes at once"),
        (b"* X\r\n" * 50_000, "over 1048576 bytes in answer to FETCH"),
        (b"* " + b"a" * (wire.ANSWER_BYTES + MIB), "line without an end"),
        (b"OTHER OK done\r\n", "a command that nobody gave"),
        (b"hello\r\n", "not IMAP"),
    ],
)
async def test_flood_and_nonsense_end_the_connection(answer: bytes, message: str) -> None:
    async with ScriptedImap([mail(1)], hook=answering("UID FETCH", answer)) as server:
        imap = await reach(clear(server.port, timeout_s=0.5))
        await imap.select("INBOX")
        with pytest.raises(Retry, match=message):
            await imap.fetch([1], "BODY.PEEK[]")
        assert imap.closed


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("UID SEARCH", b"* SEARCH 1 two 3\r\nTAG OK\r\n"),
        ("UID SEARCH", b"* SEARCH " + b"9" * 5000 + b"\r\nTAG OK\r\n"),
        ("UID FETCH", b"* 1 FETCH (UID 1 X {9999999999999}\r\nTAG OK\r\n"),
        ("UID FETCH", b"* 1 FETCH (UID (1 2) X (\r\nTAG OK\r\n"),
        ("STATUS", b"* STATUS INBOX (UIDVALIDITY 1 UIDNEXT 2 MESSAGES " + b"9" * 5000 + b")\r\nTAG OK\r\n"),
        ("SELECT", b"* " + b"9" * 5000 + b" EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\nTAG OK\r\n"),
        ("LIST", b'* LIST () "/" "half\r\nTAG OK\r\n'),
    ],
)
async def test_answer_that_cannot_be_read_ends_the_connection_in_a_sentence(verb: str, answer: bytes) -> None:
    async with ScriptedImap([mail(1)], hook=answering(verb, answer)) as server:
        imap = await reach(clear(server.port))

        async def ask() -> None:
            await imap.select("INBOX")
            await imap.search("ALL")
            await imap.fetch([1], "RFC822.SIZE")
            await imap.status("INBOX")
            await imap.folders()

        with pytest.raises(Retry, match=r"127\.0\.0\.1: "):
            await ask()
        assert imap.closed


async def test_only_messages_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_BYTES", 100_000)
    flood = b"* SEARCH 1\r\n" * 1_000
    async with ScriptedImap([mail(1, 500_000)], hook=answering("UID SEARCH", flood + b"TAG OK\r\n")) as server:
        imap = await reach(clear(server.port))
        await imap.select("INBOX")
        assert len((await imap.fetch([1], "BODY.PEEK[]"))[1].body or b"") > 500_000
        with pytest.raises(Retry, match="over 100000 bytes in answer to SEARCH"):
            await imap.search("ALL")


async def test_noise_while_waiting_ends_the_wait() -> None:
    noise = b"+ idling\r\n" + b"* OK still here\r\n" * 10_000
    async with ScriptedImap([], hook=answering("IDLE", noise)) as server:
        imap = await reach(clear(server.port), limit_bytes=8 * MIB)
        await imap.select("INBOX")
        with pytest.raises(Retry, match="in answer to IDLE"):
            await imap.idle(30)
        assert imap.closed


async def test_thousands_of_lines_neither_recurse_nor_slow_down() -> None:
    lines = b"".join(b"* %d FETCH (UID %d RFC822.SIZE 10)\r\n" % (n, n) for n in range(1, 20_001))
    async with ScriptedImap([], hook=answering("UID FETCH", lines + b"TAG OK done\r\n")) as server:
        imap = await reach(clear(server.port), limit_bytes=8 * MIB)
        await imap.select("INBOX")
        assert len(await imap.fetch([1], "RFC822.SIZE")) == 20_000
        await imap.close()


@pytest.mark.parametrize(
    "when",
    [
        " 1-Feb-2026 10:00:00 +0100",
        "99-Foo-2026 10:00:00 +0100",
        "",
        "0001",
        "01-Jan-2026 00:00:00 +99999999999999999",
    ],
)
async def test_time_of_arrival_can_be_anything(when: str) -> None:
    found = replies.fetched([f'1 FETCH (UID 1 INTERNALDATE "{when}")'.encode()])
    assert found is not None
    assert found.at == (datetime(2026, 2, 1, 9, tzinfo=UTC) if "Feb" in when else None)


async def test_prose_that_looks_like_a_literal_is_prose() -> None:
    answer = b"* OK [ALERT] see {12}\r\nTAG OK as in {400}\r\n"
    async with ScriptedImap([], hook=answering("UID SEARCH", answer)) as server:
        imap = await reach(clear(server.port))
        await imap.select("INBOX")
        assert await imap.search("ALL") == []
        await imap.close()


async def test_news_about_flags_does_not_hide_a_body() -> None:
    answer = (
        b"* 1 FETCH (FLAGS (UID 9 \\Seen) UID 1)\r\n* 1 FETCH (UID 1 BODY[] {2}\r\nhi FLAGS ())\r\n"
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\nTAG OK done\r\n"
    )
    async with ScriptedImap([mail(1)], hook=answering("UID FETCH", answer)) as server:
        imap = await reach(clear(server.port))
        await imap.select("INBOX")
        assert {uid: one.body for uid, one in (await imap.fetch([1], "BODY.PEEK[]")).items()} == {1: b"hi"}
        await imap.close()


async def test_cancelled_command_poisons_the_connection() -> None:
    async with ScriptedImap([mail(1)], hook=answering("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {50}\r\nhalf")) as server:
        imap = await reach(clear(server.port))
        await imap.select("INBOX")
        task = asyncio.ensure_future(imap.fetch([1], "BODY.PEEK[]"))
        while not server.commands[-1].startswith("UID FETCH"):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert imap.closed
        with pytest.raises(Retry):
            await imap.search("ALL")


@pytest.mark.parametrize("answer", [b"", b"TAG NO no\r\n", b"TAG BAD what\r\n", b"+ idling\r\nTAG BAD enough\r\n"])
async def test_idle_always_ends(answer: bytes) -> None:
    async with ScriptedImap([], hook=answering("IDLE", answer)) as server:
        imap = await reach(clear(server.port, timeout_s=0.2))
        await imap.select("INBOX")
        with pytest.raises((Retry, replies.Refused)):
            await imap.idle(5)


async def test_password_shows_in_no_log_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-5f2e"
    for hook in (
        answering("AUTH", b"+ \r\n"),
        answering("AUTH", b"TAG NO wrong\r\n"),
        answering("AUTH", b"garbage\r\n"),
    ):
        async with ScriptedImap([], hook=hook) as server:
            with pytest.raises((Retry, AuthRequired)) as caught:
                await reach(clear(server.port, password=canary, timeout_s=0.2))
            told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            # The test's own frames know the password; the program's must not.
            frames = [line for line in told.format() if "test_imap.py" not in line and "<pytest" not in line]
            assert canary not in "".join(frames)
            assert "Y2FuYXJ5" not in "".join(frames)  # the same in base64
    assert canary not in caplog.text
    assert sys.exc_info() == (None, None, None)


# -- names ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", "INBOX"),
        ("Q&A", "Q&-A"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ],
)
def test_modified_utf7(name: str, wire: str) -> None:
    assert names.encode(name) == wire
    assert names.decode(wire.encode()) == name


def test_folder_name_cannot_end_the_command() -> None:
    with pytest.raises(ValueError, match="line break"):
        names.quoted("INBOX\r\nA1 DELETE INBOX")


def test_ranges_of_uids() -> None:
    assert names.uid_set([1, 2, 3, 7, 9, 10]) == "1:3,7,9:10"
    assert names.uids_of("1:3,7,9:10") == [1, 2, 3, 7, 9, 10]
