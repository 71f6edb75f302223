"""What few servers do, or none should: accounts, archives, services, netsplits, and lines that are no lines."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from desk.channel import Activity, AuthRequired, Inbound, Permanent, RateLimited, Retry, Unknown
from desk.model import Identity
from tests.channels.irc.places import Clock, Phases, account, draft, read, said, until
from tests.servers.scripted_irc import CAPABILITIES, ScriptedIrc

CANARY = "canary-3f9a"
ANN = "@account=ann.s;msgid={} :ann!a@h PRIVMSG #help :{}"


async def test_logging_in_by_sasl_and_a_wrong_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedIrc(capabilities=CAPABILITIES + " sasl=PLAIN,EXTERNAL", accounts={"desk": "right"}) as server:
        assert any("logged in as desk" in s for s in await account(server.port, password="right").check())
        with pytest.raises(AuthRequired, match="refused the login of desk: SASL authentication failed") as caught:
            await account(server.port, password=CANARY).check()
        assert any("there as desk" in s for s in await account(server.port, auth="sasl").check()), (
            "no password, no login"
        )
    assert CANARY not in f"{caught.value!r} {caplog.text}"


async def test_a_long_password_goes_in_pieces() -> None:
    secret = "p" * 700
    async with ScriptedIrc(capabilities=CAPABILITIES + " sasl", accounts={}) as server:
        with pytest.raises(AuthRequired):
            await account(server.port, password=secret).check()
        pieces = [line for line in server.lines if line.startswith("AUTHENTICATE") and not line.endswith("PLAIN")]
        assert all(len(line) <= len("AUTHENTICATE ") + 400 for line in pieces)
        assert len(pieces) == 3


async def test_a_server_without_sasl_says_what_to_set() -> None:
    async with ScriptedIrc() as server:
        with pytest.raises(AuthRequired, match='set auth = "nickserv"'):
            await account(server.port, password="x").check()


async def test_nickserv_takes_the_password_refuses_it_or_is_away() -> None:
    for words, error, told in (
        ("You are now identified for desk.", None, ""),
        ("Invalid password for desk.", AuthRequired, "NickServ refused the login of desk: Invalid password"),
        ("", Retry, "NickServ on localhost does not answer"),
    ):
        async with ScriptedIrc(services=words) as server:
            channel = account(server.port, auth="nickserv", password=CANARY, timeout_s=0.2)
            if error is None:
                assert await channel.check()
                assert f"PRIVMSG NickServ :IDENTIFY desk {CANARY}" in server.lines
            else:
                with pytest.raises(error, match=told) as caught:
                    await channel.check()
                assert CANARY not in str(caught.value)
            await channel.close()


async def test_a_nick_that_is_taken_is_asked_back_but_not_by_a_check() -> None:
    async with ScriptedIrc(capabilities=CAPABILITIES + " sasl", accounts={"desk": "x"}, taken=["desk"]) as server:
        channel = account(server.port, password="x")
        assert any("desk is taken" in sentence for sentence in await channel.check())
        assert not any("GHOST" in line for line in server.lines)
        await read(channel)
        await server.heard("PRIVMSG NickServ :GHOST desk")
        server.say(":ann!a@h PRIVMSG #help :desk: hello")
        assert said(await until(channel)) == [("~ann@net", "hello")]
        assert server.nick == "desk"
        await channel.close()


async def test_people_are_known_by_account_where_the_network_tells_it() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        server.say(
            ANN.format("m1", "desk: hello"),
            ":ann!a@h NICK annie",
            "@account=ann.s;msgid=m2 :annie!a@h PRIVMSG #help :desk: me",
        )
        first, second = await until(channel, 2)
        assert isinstance(first, Inbound)
        assert isinstance(second, Inbound)
        assert (first.external_id, second.external_id) == ("m1", "m2")
        assert first.sender == Identity("irc", "ann.s@net", "ann")
        assert second.sender == Identity("irc", "ann.s@net", "annie")
        assert first.conversation == second.conversation == "#help ann.s@net"
        await channel.send(channel.render(draft("Hi", "#help ann.s@net", answers="m2"))[0], "k", Phases())
        assert "@+draft/reply=m2 PRIVMSG #help :annie: Hi" in server.lines
        await channel.close()


async def test_the_archive_fills_the_gap_page_by_page() -> None:
    archive = [
        (f"2026-01-01T00:00:{n:02}.000Z", f"a{n}", f":ann!a@h PRIVMSG #help :desk: line {n}") for n in range(1, 9)
    ]
    async with ScriptedIrc(capabilities=CAPABILITIES + " draft/chathistory", archive=archive[:2]) as server:
        first = account(server.port)
        items, cursor = await read(first)
        assert [text for _, text in said(items)] == ["line 1", "line 2"]
        await first.close()
        server.archive += archive[2:]
        second = account(server.port)
        items, cursor = await read(second, cursor)
        assert [text for _, text in said(items) if "line" in text] == [f"line {n}" for n in range(3, 9)]
        await second.close()
        third = account(server.port)
        assert (await read(third, cursor))[0] == []
        await third.close()


async def test_what_was_said_in_private_meanwhile_is_asked_for_too() -> None:
    async with ScriptedIrc(capabilities=CAPABILITIES + " draft/chathistory") as server:
        first = account(server.port)
        await read(first)
        server.say("@time=2026-01-01T00:00:01.000Z;msgid=p1 :ann!a@h PRIVMSG desk :hello")
        items = await until(first)
        _, cursor = [], first._cursor
        await first.close()
        server.archive = [("2026-01-01T00:00:05.000Z", "p2", ":ann!a@h PRIVMSG desk :anybody?")]
        second = account(server.port)
        assert said((await read(second, cursor))[0]) == [("~ann@net", "anybody?")]
        assert said(items) == [("~ann@net", "hello")]
        await second.close()


async def test_a_netsplit_is_no_leaving_and_answers_wait() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        server.say(ANN.format("m1", "desk: hello"))
        await until(channel)
        server.say(":ann!a@h QUIT :hub.test leaf.test")
        await channel.wait(0.1)
        assert (await read(channel))[0] == []
        with pytest.raises(Retry, match="netsplit"):
            await channel.send(channel.render(draft("Hi", "#help ann.s@net"))[0], "k", Phases())
        server.say(":ann!a@h JOIN #help * :Ann")
        server.say(ANN.format("m2", "I am back"))
        assert said(await until(channel)) == [("ann.s@net", "I am back")]
        assert (await channel.send(channel.render(draft("Hi", "#help ann.s@net"))[0], "k", Phases())).remote_id
        await channel.close()


async def test_typing_and_being_away_are_told_of_people_of_a_conversation_only() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        server.say(
            ANN.format("m1", "desk: hello"),
            "@+typing=active :ann!a@h TAGMSG #help",
            "@+typing=active :bob!b@h TAGMSG #help",
            ":ann!a@h AWAY :lunch",
        )
        found = [item for item in await until(channel, 3) if isinstance(item, Activity)]
        assert [(item.doing, item.conversation) for item in found] == [("typing", "#help ann.s@net"), ("away", None)]
        await channel.close()


async def test_lines_in_a_row_are_one_message() -> None:
    clock = Clock(1_790_000_000.0)
    async with ScriptedIrc() as server:
        channel = account(server.port, clock, gather_s=4.0)
        await read(channel)
        lines = [("33:00", "desk: it says"), ("33:02", "error 17"), ("33:05", "and stops"), ("34:00", "so?")]
        for number, (when, text) in enumerate(lines):
            server.say(f"@time=2026-09-21T13:{when}.000Z;msgid=g{number} :ann!a@h PRIVMSG #help :{text}")
        clock.at = datetime(2026, 9, 21, 13, 34, 3, tzinfo=UTC).timestamp()  # 13:34:03
        (first,) = await until(channel)
        assert isinstance(first, Inbound)
        assert (first.external_id, first.text) == ("g0", "it says\nerror 17\nand stops")
        assert (await read(channel))[0] == [], "somebody may be about to go on"
        clock.at += 4
        assert said((await read(channel))[0]) == [("~ann@net", "so?")]
        await channel.close()


async def test_who_is_meant_in_a_busy_room() -> None:
    def line(second: int, nick: str, text: str) -> str:
        return f"@time=2026-01-01T00:{second // 60:02}:{second % 60:02}.000Z;msgid={nick}{second} :{nick}!u@h PRIVMSG #help :{text}"

    async with ScriptedIrc() as server:
        channel = account(server.port, prefix="!help", follow_minutes=10)
        await read(channel)
        server.say(
            line(1, "ann", "does anybody know?"),
            line(2, "ann", "@desk does it work today?"),
            line(3, "bob", "works for me"),
            line(4, "ann", "bob: thanks"),
            line(5, "ann", "not here"),
            line(6, "bob", "!help my screen is dark"),
            line(7, "bob", "the desktop is dark, too"),
            line(8, "cleo", "the helpdesk desktop is nice"),
            line(9, "cleo", "ask desk"),
            line(700, "ann", "hours later"),
        )
        found = await until(channel, 5)
        assert said(found) == [
            ("~ann@net", "does it work today?"),
            ("~ann@net", "not here"),
            ("~bob@net", "my screen is dark"),
            ("~bob@net", "the desktop is dark, too"),
            ("~cleo@net", "ask desk"),
        ]
        await channel.close()


async def test_a_room_where_every_line_counts() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port, listen="all")
        await read(channel)
        server.say(
            ":ann!a@h PRIVMSG #help :does anybody know?",
            ":ann!a@h PRIVMSG #other :not here",
            ":bob!b@h NOTICE #help :I am a machine",
        )
        server.say(":ann!a@h PRIVMSG #help :desk: you?")
        assert said(await until(channel, 2)) == [("~ann@net", "does anybody know?"), ("~ann@net", "you?")]
        await channel.close()


async def test_cut_before_and_after_the_first_line_went_out() -> None:
    async with ScriptedIrc(capabilities="") as server:
        channel = account(server.port)
        await read(channel)
        part = channel.render(draft("one\ntwo"))[0]
        server.deaf = True
        phases = Phases()
        sending = asyncio.create_task(channel.send(part, "k", phases))
        await server.heard("PRIVMSG #help :ann: one")
        server.hang_up()
        with pytest.raises(Unknown, match="may have been heard"):
            await sending
        assert phases == ["data"]
        with pytest.raises(Retry, match=r"closed the connection|broke off"):
            await channel.send(part, "k", phases)
        assert phases == ["data"], "the connection was known to be gone: nothing went out"
        await channel.close()


async def test_a_server_that_falls_silent_is_left() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port, timeout_s=0.1)
        await read(channel)
        server.deaf = True
        await channel.wait(5.0)
        with pytest.raises(Retry, match=r"has been silent for 0\.2 seconds"):
            await read(channel)
        assert "PING still-there" in server.lines
        server.deaf = False
        assert (await read(channel))[0] == []
        await channel.close()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Closing Link: Trying to reconnect too fast", RateLimited),
        ("Closing Link: K-Lined", Permanent),
        ("Closing Link: server shutting down", Retry),
    ],
)
async def test_last_words_of_a_server(words: str, error: type[Exception]) -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        server.say(f"ERROR :{words}")
        await channel.wait(5.0)
        with pytest.raises(error, match=words.partition(": ")[2]):
            await read(channel)
        await channel.close()


async def test_no_line_however_odd_keeps_the_next_from_being_heard() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        server.say(
            "", " ", ":", "@", "@a=b", ":x", "@;;=; :a!b@c", "PRIVMSG", ":ann!a@h PRIVMSG", ":ann!a@h PRIVMSG #help", ":ann!a@h JOIN",
            ":ann!a@h NICK", "353", ":s 353 desk = #help", "BATCH", "@time=yesterday;msgid= :ann!a@h PRIVMSG #help :desk: odd time",
            "@time=99999-01-01T00:00:00Z :ann!a@h PRIVMSG #help :desk: \u202eodd\u2066 way\x00", b":ann!a@h PRIVMSG #help :desk: \xff\xfe\x81",
            ":ann!a@h PRIVMSG #help :" + "y" * 40_000, ":ann!a@h PRIVMSG #help :desk: " + "z" * 2000, ":ann!a@h PRIVMSG desk :\x01", ":s 005 desk", ":s 404",
            ":ann!a@h PRIVMSG #help :desk: the last",
        )  # fmt: skip
        found = said(await until(channel, 5))
        assert [text[:8] for _, text in found] == ["odd time", "\u202eodd\u2066 wa", "ÿþ\x81", "zzzzzzzz", "the last"]
        await channel.close()


async def test_an_automatic_answer_is_one_that_no_machine_answers() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port)
        await read(channel)
        await channel.send(channel.render(draft("We have it.", automatic=True))[0], "k", Phases())
        assert "NOTICE #help :ann: We have it." in server.lines
        await channel.close()


async def test_more_lines_than_the_server_takes_at_once_go_out_slowly_and_whole() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port, burst=2)
        await read(channel)
        pauses: list[float] = []
        buckets = channel._bucket()
        now = [1000.0]

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            now[0] += seconds

        buckets._clock, buckets._sleep = (lambda: now[0]), sleep
        for bucket in buckets._buckets:
            bucket._at = now[0]
        await channel.send(channel.render(draft("a\nb\nc\nd"))[0], "k", Phases())
        assert [round(pause, 3) for pause in pauses] == [2.0, 2.0]
        assert [line.rpartition(":")[2] for line in server.lines if line.startswith("PRIVMSG")] == [" a", "b", "c", "d"]
        await channel.close()


async def test_logging_in_by_certificate_asks_for_no_password() -> None:
    async with ScriptedIrc(capabilities=CAPABILITIES + " sasl=EXTERNAL") as server:
        assert await account(server.port, auth="external", cert_file="irc.pem").check()
        assert "AUTHENTICATE EXTERNAL" in server.lines
        assert "AUTHENTICATE +" in server.lines


async def test_a_line_from_the_future_hides_nothing_that_comes_later() -> None:
    clock = Clock(1_790_000_000.0)
    async with ScriptedIrc() as server:
        channel = account(server.port, clock)
        await read(channel)
        server.say("@time=2999-01-01T00:00:00.000Z;msgid=f1 :ann!a@h PRIVMSG #help :desk: hello")
        (item,) = await until(channel)
        assert isinstance(item, Inbound)
        assert item.received_at == channel._ears().since("#help") == 1_790_000_000_000
        await channel.close()


async def test_a_line_that_comes_twice_is_heard_once() -> None:
    async with ScriptedIrc() as server:
        channel = account(server.port, gather_s=0.05)
        await read(channel)
        server.say(ANN.format("m1", "desk: hello"), ANN.format("m1", "desk: hello"), ANN.format("m2", "there"))
        assert said(await until(channel)) == [("ann.s@net", "hello\nthere")]
        server.say(ANN.format("m1", "desk: hello"), ANN.format("m3", "again"))
        assert said(await until(channel)) == [("ann.s@net", "again")]
        await channel.close()


async def test_an_archive_that_does_not_say_how_much_it_tells_is_still_read() -> None:
    async with ScriptedIrc(capabilities=CAPABILITIES + " batch draft/chathistory") as server:
        server.motd = "005 {nick} CHATHISTORY=many :are supported\r\n:irc.test 422 {nick} :no message of the day"
        channel = account(server.port)
        await read(channel)
        assert [line for line in server.lines if line.startswith("CHATHISTORY")]
        await channel.close()
