"""On real servers: being there, hearing, answering, being refused, being lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from channels.irc import Irc
from desk.channel import AuthRequired, Inbound, Item, Membership, Permanent, Retry
from desk.model import Identity
from tests.channels.irc.places import Phases, account, draft, read, said, until
from tests.servers import free_port
from tests.servers.ngircd import Inspircd, Ngircd, Voice


@pytest.fixture
def ann(ngircd: Ngircd) -> Iterator[Voice]:
    """Somebody in a room of this test's own."""
    voice = Voice(ngircd, "ann")
    voice.join("#help")
    yield voice
    voice.vanish()


async def test_a_question_by_name_comes_in_and_the_answer_goes_to_who_asked(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    assert (await read(channel))[0] == []
    await asyncio.to_thread(
        ann.say, "PRIVMSG #help :nobody in particular", "PRIVMSG #help :desk: my \x0304VPN\x03 drops"
    )
    (item,) = await until(channel)
    assert isinstance(item, Inbound)
    assert (item.text, item.conversation, item.public, item.ours) == ("my VPN drops", "#help ~ann@net", True, False)
    assert item.sender == Identity("irc", "~ann@net", "ann")
    phases = Phases()
    (part,) = channel.render(draft("Which **router**?\n\n```\nping -c1 192.0.2.1\n```"))
    sent = await channel.send(part, "k1", phases)
    assert phases == ["data"]
    assert sent.conversation == "#help ~ann@net"
    heard = [ann.until("PRIVMSG #help").split(" :", 1)[1] for _ in range(2)]
    assert heard == ["ann: Which *router*?", "ping -c1 192.0.2.1"]
    await asyncio.to_thread(ann.say, "PRIVMSG #help :the grey one")
    assert said(await until(channel)) == [("~ann@net", "the grey one")]
    await channel.close()


async def test_in_private_it_is_a_conversation_of_its_own(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    ann.say("PRIVMSG desk :my password is lost", "PRIVMSG desk :\x01ACTION sighs\x01")
    first, second = await until(channel, 2)
    assert isinstance(first, Inbound)
    assert isinstance(second, Inbound)
    assert (first.conversation, first.public, first.link) == ("~ann@net", False, "")
    assert second.text == "* ann sighs"
    await channel.send(channel.render(draft("We send a new one.", "~ann@net"))[0], "k", Phases())
    assert ann.until("PRIVMSG ann").endswith(":We send a new one.")
    await channel.send(channel.render(draft("In private, then.", private=True))[0], "k2", Phases())
    assert ann.until("PRIVMSG ann").endswith(":In private, then.")
    await channel.close()


async def test_a_new_nick_is_the_same_person(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    ann.say("PRIVMSG #help :desk: hello?", "NICK ann_away", "PRIVMSG #help :desk: are you there?")
    first, second = await until(channel, 2)
    assert isinstance(first, Inbound)
    assert isinstance(second, Inbound)
    assert first.conversation == second.conversation == "#help ~ann@net"
    assert second.sender == Identity("irc", "~ann@net", "ann_away")
    await channel.send(channel.render(draft("Yes"))[0], "k", Phases())
    assert ann.until("PRIVMSG #help").endswith(":ann_away: Yes")
    other = Voice(ngircd, "ann")
    other.join("#help")
    other.say("PRIVMSG #help :desk: I am somebody else")
    third = next(item for item in await until(channel) if isinstance(item, Inbound))
    assert third.conversation == "#help ~ann#2@net"
    other.leave()
    await channel.close()


async def test_who_asked_and_leaves_is_told_of_and_cannot_be_answered_there(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    silent = Voice(ngircd, "silent")
    silent.join("#help")
    ann.say("PRIVMSG #help :desk: hello?")
    await until(channel)
    silent.say("PART #help")
    ann.say("PART #help")
    (gone,) = await until(channel)
    assert isinstance(gone, Membership)
    assert (gone.conversation, gone.joined) == ("#help ~ann@net", False)
    with pytest.raises(Permanent, match="ann is not in #help any more"):
        await channel.send(channel.render(draft())[0], "k", Phases())
    ann.join("#help")
    (back,) = await until(channel)
    assert isinstance(back, Membership)
    assert back.joined
    silent.leave()
    await channel.close()


async def test_a_room_that_is_moderated_refuses_in_words(ngircd: Ngircd, ann: Voice) -> None:
    ann.join("#quiet")
    ann.say("MODE #quiet +m")
    ann.settle()
    channel = account(ngircd.port, rooms=("#quiet",))
    await read(channel)
    phases = Phases()
    with pytest.raises(Permanent, match=r"#quiet: the room does not let us speak .*ask an operator for voice"):
        await channel.send(channel.render(draft(conversation="#quiet ~ann@net"))[0], "k", phases)
    await channel.close()


@pytest.mark.parametrize(
    ("modes", "why"),
    [("+b desk!*@*", "banned"), ("+i", "invited"), ("+k secret", "key is missing"), ("+l 1", "full")],
)
async def test_a_room_that_keeps_us_out_is_told_with_what_to_do(
    ngircd: Ngircd, ann: Voice, modes: str, why: str
) -> None:
    ann.join("#closed")
    ann.say(f"MODE #closed {modes}")
    ann.settle()
    channel = account(ngircd.port, rooms=("#closed", "#help"))
    with pytest.raises(Permanent, match=f"not everything is heard: #closed: .*{why}"):
        await read(channel)
    with pytest.raises(Permanent, match=why):
        await channel.send(channel.render(draft(conversation="#closed ~ann@net"))[0], "k", Phases())
    ann.say("PRIVMSG #help :desk: but here?")
    await channel.wait(5.0)
    found: list[Item] = []
    async for batch in channel.poll(None):
        found += batch.items
    assert said(found) == [("~ann@net", "but here?")], "the other rooms are heard all the same"
    said_by_check = await channel.check()
    assert any("#closed" in sentence and why in sentence for sentence in said_by_check)
    await channel.close()


async def test_a_key_opens_and_an_invitation_does(ngircd: Ngircd, ann: Voice) -> None:
    ann.join("#keyed")
    ann.join("#guests")
    ann.say("MODE #keyed +k secret", "MODE #guests +i")
    ann.settle()
    channel = account(ngircd.port, rooms=("#keyed secret", "#guests"))
    with pytest.raises(Permanent, match=r"^not everything is heard: #guests: .*/invite us$"):
        await read(channel)
    ann.say("INVITE desk #guests")
    await channel.wait(5.0)
    assert (await read(channel))[0] == [], "all rooms are heard, and confirming says nothing any more"
    await channel.close()


async def test_being_put_out_is_said_and_not_answered_by_coming_back_at_once(ngircd: Ngircd, ann: Voice) -> None:
    ann.join("#strict")
    channel = account(ngircd.port, rooms=("#strict",))
    await read(channel)
    ann.say("KICK #strict desk :too loud")
    await channel.wait(5.0)
    with pytest.raises(Permanent, match=r"#strict: ann put us out \(too loud\)"):
        await read(channel)
    with pytest.raises(Permanent, match="put us out"):
        await channel.send(channel.render(draft(conversation="#strict ~ann@net"))[0], "k", Phases())
    await channel.close()


async def test_nobody_by_that_nick(ngircd: Ngircd) -> None:
    channel = account(ngircd.port, rooms=())
    with pytest.raises(Permanent, match="nobody has that nick now"):
        await channel.send(channel.render(draft(conversation="~zoe@net"))[0], "k", Phases())
    await channel.close()


async def test_no_line_is_longer_than_others_can_receive(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    text = "Ein Übergrößenträger läuft. " * 40
    (part,) = channel.render(draft(text))
    await channel.send(part, "k", Phases())
    heard = [ann.until("PRIVMSG #help") for _ in channel_lines(part.data)]
    assert all(len(line.encode()) <= 510 for line in heard)
    spoken = " ".join(line.split(" :", 1)[1] for line in heard)
    assert spoken.removeprefix("ann: ") == text.strip()
    await channel.close()


def channel_lines(data: bytes) -> list[str]:
    """The lines in a part."""
    import json

    return list(json.loads(data)["lines"])


async def test_questions_of_clients_are_answered_three_times_and_reach_nobody(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    ann.say(*["PRIVMSG desk :\x01VERSION\x01"] * 5, "PRIVMSG desk :\x01DCC SEND x 1 2\x01", "PRIVMSG desk :now a word")
    assert said(await until(channel)) == [("~ann@net", "now a word")]
    ann.settle()
    assert sum("VERSION deskhand" in line for line in ann.heard) == 3
    await channel.close()


async def test_old_clients_write_windows_1252(ngircd: Ngircd, ann: Voice) -> None:
    channel = account(ngircd.port)
    await read(channel)
    ann.send("PRIVMSG #help :desk: Grüße für 5 €".encode("cp1252"))
    assert said(await until(channel)) == [("~ann@net", "Grüße für 5 €")]
    await channel.close()


async def test_encrypted_with_a_certificate_that_is_checked() -> None:
    ngircd = Ngircd(tls=True)
    try:
        await _encrypted(ngircd)
    finally:
        ngircd.stop()


async def _encrypted(ngircd: Ngircd) -> None:
    good = account(ngircd.tls_port, tls="tls", ca_file=ngircd.ca_file)
    assert any("there as desk" in sentence for sentence in await good.check())
    await good.close()
    with pytest.raises(Retry, match=r"certificate is not trusted .*see ca_file"):
        await account(ngircd.tls_port, tls="tls").check()
    with pytest.raises(Retry, match=r"no answer in time; does it speak TLS on that port\?"):
        await account(ngircd.port, tls="tls", ca_file=ngircd.ca_file, timeout_s=0.3).check()


async def test_the_server_s_password_and_a_wrong_one() -> None:
    server = Ngircd(password="let-me-in")
    try:
        good = account(server.port, auth="server", password="let-me-in")
        assert await good.check()
        bad = account(server.port, auth="server", password="canary-7d1f")
        with pytest.raises((AuthRequired, Retry)) as caught:
            await bad.check()
        assert "canary" not in str(caught.value) + repr(bad) + repr(bad._settings)
        server.halt()
        with pytest.raises(Retry, match="cannot reach localhost"):
            await good.check()
        server.start()
        assert await good.check(), "the server is back"
    finally:
        server.stop()


async def test_nobody_listens() -> None:
    with pytest.raises(Retry, match="cannot reach"):
        await read(account(free_port()))


async def test_what_was_said_while_the_desk_was_away_is_heard_where_the_server_replays(inspircd: Inspircd) -> None:
    ann = Voice(inspircd, "ann", tags=True)
    ann.join("#help")
    ann.say("MODE #help +H 50:1d", "PRIVMSG #help :desk: one")
    ann.settle()
    first = account(inspircd.port)
    items, cursor = await read(first)
    assert said(items) == [("~ann@net", "one")]
    ann.say("PRIVMSG #help :desk: two")
    items, cursor = await _go_on(first, cursor)
    live = items[0]
    await first.close()
    ann.say("PRIVMSG #help :desk: three")
    ann.settle()
    second = account(inspircd.port)
    items, cursor = await read(second, cursor)
    assert said(items) == [("~ann@net", "three")]
    again, _ = await read(account(inspircd.port, nick="desk2", listen="all"))
    assert isinstance(live, Inbound)
    assert live.external_id in [i.external_id for i in again if isinstance(i, Inbound)], "one name, live and replayed"
    await second.close()


async def _go_on(channel: Irc, cursor: str) -> tuple[list[Item], str]:
    await channel.wait(5.0)
    return await read(channel, cursor)


async def test_an_answer_is_known_by_the_server_s_name_for_it_and_comes_back_as_ours(inspircd: Inspircd) -> None:
    ann = Voice(inspircd, "ann", tags=True)
    ann.join("#help")
    ann.say("MODE #help +H 50:1d", "PRIVMSG #help :desk: hello")
    ann.settle()
    channel = account(inspircd.port)
    _, cursor = await read(channel)
    sent = await channel.send(channel.render(draft("Good morning"))[0], "k", Phases())
    assert sent.remote_id
    assert " " not in sent.remote_id
    assert (await read(channel))[0] == [], "its echo is no news"
    await channel.close()
    later = account(inspircd.port)
    (echo,) = (await read(later, cursor))[0]
    assert isinstance(echo, Inbound)
    assert (echo.external_id, echo.ours, echo.text) == (sent.remote_id, True, "Good morning")
    assert echo.conversation == "#help ~ann@net"
    await later.close()


async def test_the_server_goes_down_and_comes_back() -> None:
    server = Ngircd()
    try:
        channel = account(server.port)
        await read(channel)
        part = channel.render(draft())[0]
        server.halt()
        await channel.wait(5.0)
        with pytest.raises(Retry):
            await read(channel)
        phases = Phases()
        with pytest.raises(Retry, match="cannot reach"):
            await channel.send(part, "k", phases)
        assert phases == [], "nothing went out"
        server.start()
        await read(channel)
        ann = Voice(server, "ann")
        ann.join("#help")
        ann.say("PRIVMSG #help :desk: still there?")
        assert said(await until(channel)) == [("~ann@net", "still there?")]
        await channel.close()
    finally:
        server.stop()


async def test_two_relays_one_hearing_and_one_speaking_take_nothing_from_each_other(ngircd: Ngircd, ann: Voice) -> None:
    hearing, speaking = account(ngircd.port), account(ngircd.port)
    await read(hearing)
    ann.say("PRIVMSG #help :desk: hello?")
    await until(hearing)
    await speaking.send(speaking.render(draft("Good morning"))[0], "k", Phases())
    assert ann.until("PRIVMSG #help").startswith(":desk_!")
    ann.say("PRIVMSG #help :thank you")
    assert said(await until(hearing)) == [("~ann@net", "thank you")], "and what the other one said is no news"
    await hearing.close()


async def test_who_stops_listening_leaves_the_nick_to_the_next(ngircd: Ngircd, ann: Voice) -> None:
    first = account(ngircd.port)
    await read(first)
    waiting = asyncio.create_task(first.wait(60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ann.until("QUIT")
    second = account(ngircd.port)
    await read(second)
    assert any("there as desk" in sentence and "desk_" not in sentence for sentence in await second.check())
    await second.close()
