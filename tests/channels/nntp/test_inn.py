"""On a real server: reading, answering, being refused, taking back, beginning anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from desk.channel import AuthRequired, Permanent, Retry
from desk.model import Attachment, Identity
from tests.channels.nntp.places import OUR_ID, Phases, account, draft, names, parsed, read, removed
from tests.servers.inn import Inn, article


@pytest.fixture
def inn() -> Iterator[Inn]:
    """A server of this test's own."""
    with Inn() as server:
        yield server


async def test_an_article_comes_in_as_a_message_of_a_thread(inn: Inn) -> None:
    inn.post(
        article("root@example.com", "It says:\n.hidden\n..two\n\nRené", From="René <Rene@example.com>"),
        article("deep@example.com", "Me too", References="<root@example.com> <lost@example.com>"),
    )
    items, _ = await read(account(inn.port))
    first, second = parsed(items)
    assert first.text.strip() == "It says:\n.hidden\n..two\n\nRené"
    assert first.sender == Identity("news", "rene@example.com", "René")
    assert (first.message_id, first.conversation, first.public) == ("root@example.com", "root@example.com", True)
    assert first.link == "news:root@example.com"
    assert (second.conversation, second.answers) == ("root@example.com", "lost@example.com")
    assert second.references == ("root@example.com", "lost@example.com")


async def test_first_only_what_is_new_enough_then_everything_behind_the_cursor(inn: Inn) -> None:
    inn.post(article("old@example.com", Date="Mon, 02 Nov 2020 10:00:00 +0000"), article("new@example.com"))
    everything, _ = await read(account(inn.port, first_d=3650))
    assert names(everything) == ["old@example.com", "new@example.com"]
    week, cursor = await read(account(inn.port))
    assert names(week) == ["new@example.com"]
    nothing, from_here = await read(account(inn.port, first_d=0))
    assert names(nothing) == []
    inn.post(article("a@example.com"), article("b@example.com"), article("c@example.com"))
    for place in (cursor, from_here):
        channel = account(inn.port, batch=2)
        items, after = await read(channel, place)
        assert names(items) == ["a@example.com", "b@example.com", "c@example.com"]
        assert (await read(channel, after))[0] == []


async def test_a_cross_post_is_one_message(inn: Inn) -> None:
    inn.post(article("both@example.com", Newsgroups="test.help,test.other"))
    items, _ = await read(account(inn.port, groups=("test.help", "test.other")))
    assert names(items) == ["both@example.com"]


async def test_an_answer_goes_where_the_article_wants_it_and_only_once(inn: Inn) -> None:
    inn.post(article("q@example.com", Newsgroups="test.help,test.other", Followup_To="test.other"))
    channel = account(inn.port)
    (part,) = channel.render(draft("Grüße.\n\n" + "word " * 40 + "\n\n.dot\n```\n" + "x" * 100 + "\n```\n-- \nHelp"))
    phases = Phases()
    sent = await channel.send(part, "deskhand-1-1", phases)
    assert (sent.remote_id, sent.conversation, phases) == (OUR_ID, "q@example.com", ["data"])
    again = await channel.send(part, "deskhand-1-1", phases)
    assert again.remote_id == OUR_ID
    assert phases == ["data"], "the second one found the first one"
    there = inn.article(OUR_ID).decode()
    head, body = there.split("\r\n\r\n", 1)
    assert "\r\nNewsgroups: test.other\r\n" in f"\r\n{head}\r\n"
    assert "References: <q@example.com>" in head
    assert "From: Help <help@desk.test>" in head
    assert body.startswith("Grüße.\r\n\r\nword word")
    assert "\r\n..dot\r\n" in body, "as it travels"
    assert "\r\n" + "x" * 100 + "\r\n" in body
    assert body.endswith("\r\n-- \r\nHelp\r\n")
    assert max(len(line) for line in body.split("\r\n") if "x" * 9 not in line) <= 76
    (echo,) = parsed((await read(account(inn.port, groups=("test.other",), first_d=1)))[0])[-1:]
    assert (echo.message_id, echo.conversation, echo.subject) == (OUR_ID, "q@example.com", "Re: Help")


async def test_a_very_long_line_is_encoded_and_read_again_as_it_was(inn: Inn) -> None:
    inn.post(article("q@example.com"))
    line = "ä" * 1500
    channel = account(inn.port)
    await channel.send(channel.render(draft(f"```\n{line}\n```"))[0], "k", Phases())
    raw = inn.article(OUR_ID)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    echo = next(one for one in parsed((await read(channel))[0]) if one.message_id == OUR_ID)
    assert line in echo.text


async def test_who_wants_mail_is_not_answered_in_the_group(inn: Inn) -> None:
    inn.post(article("q@example.com", Followup_To="poster"))
    channel = account(inn.port)
    with pytest.raises(Permanent, match="wants answers by mail"):
        await channel.send(channel.render(draft())[0], "k", Phases())


async def test_a_thread_that_is_gone_has_no_groups(inn: Inn) -> None:
    channel = account(inn.port)
    with pytest.raises(Permanent, match="none of the articles of this thread any more"):
        await channel.send(channel.render(draft())[0], "k", Phases())
    inn.post(article("root@example.com"))
    late = draft(references=("root@example.com", "q@example.com"))
    assert (await channel.send(channel.render(late)[0], "k", Phases())).remote_id == OUR_ID, "an older one will do"


async def test_posting_that_is_refused_says_why(inn: Inn) -> None:
    inn.post(article("q@example.com", Newsgroups="test.other"), article("long@example.com"))
    channel = account(inn.port)
    inn.close("test.other")
    with pytest.raises(Permanent, match=r"test\.other.*ask its operators"):
        await channel.send(channel.render(draft())[0], "k", Phases())
    large = draft("line\n" * 6000, answers="long@example.com")
    with pytest.raises(Permanent, match="shorten it"):
        await channel.send(channel.render(large)[0], "k", Phases())


async def test_a_server_that_lets_nobody_post() -> None:
    with Inn(anyone="R") as inn:
        inn.post(article("q@example.com"))
        channel = account(inn.port)
        assert any("does not let us post" in sentence for sentence in await channel.check())
        with pytest.raises(Permanent, match=r"does not let us post.*set user and a password"):
            await channel.send(channel.render(draft())[0], "k", Phases())
        known = account(inn.port, user="desk", password="secret")
        assert (await known.send(known.render(draft())[0], "k", Phases())).remote_id == OUR_ID


async def test_logging_in_and_a_wrong_password(inn: Inn) -> None:
    inn.post(article("secret@example.com", Newsgroups="private.desk"))
    known = account(inn.port, groups=("private.desk",), user="desk", password="secret")
    assert names((await read(known))[0]) == ["secret@example.com"]
    assert any("logged in as desk" in sentence for sentence in await known.check())
    wrong = account(inn.port, user="desk", password="canary-5e1c")
    with pytest.raises(AuthRequired, match="refused the login of desk") as caught:
        await read(wrong)
    assert "canary" not in str(caught.value) + repr(wrong._settings)


async def test_encrypted_both_ways_with_a_certificate_that_is_checked() -> None:
    with Inn(tls=True) as inn:
        inn.post(article("q@example.com"))
        good = account(inn.port, tls="starttls", ca_file=inn.ca_file, user="desk", password="secret")
        assert names((await read(good))[0]) == ["q@example.com"]
        with pytest.raises(Retry, match=r"certificate is not trusted .*see ca_file"):
            await read(account(inn.port, tls="starttls"))
        with pytest.raises(Retry, match=r"does not speak TLS|no answer"):
            await read(account(inn.port, tls="tls", ca_file=inn.ca_file, timeout_s=1.0))


async def test_a_group_that_is_gone_holds_up_no_other(inn: Inn) -> None:
    inn.post(article("q@example.com"))
    channel = account(inn.port, groups=("test.gone", "test.help"))
    batches = [batch async for batch in channel.poll(None)]
    with pytest.raises(Permanent, match=r"no group test\.gone: mend groups"):
        await channel.confirm(batches[-1])
    found = [item for batch in batches for item in batch.items]
    assert names(found) == ["q@example.com"]
    assert "test.gone: there is no such group" in await channel.check()


async def test_a_server_that_begins_its_numbers_anew_loses_and_repeats_nothing(inn: Inn) -> None:
    inn.post(*(article(f"a{n}@example.com") for n in range(4)))
    channel = account(inn.port)
    items, cursor = await read(channel)
    assert len(items) == 4
    inn.renumber()
    inn.post(article("a3@example.com"), article("b@example.com"))
    items, cursor = await read(channel, cursor)
    assert names(items) == ["a3@example.com", "b@example.com"], "known ones come by their old names"
    assert (await read(channel, cursor))[0] == []
    inn.renumber()
    inn.post(*(article(f"c{n}@example.com") for n in range(5)))
    items, _ = await read(channel, cursor)
    assert names(items) == [f"c{n}@example.com" for n in range(5)], "also when the numbers have passed ours meanwhile"


async def test_what_is_superseded_is_taken_back_where_the_server_agrees(inn: Inn) -> None:
    inn.post(article("v1@example.com", "Version one"))
    channel = account(inn.port)
    _, cursor = await read(channel)
    inn.post(article("v2@example.com", "Version two", Supersedes="<v1@example.com>"))
    assert inn.article("v1@example.com") == b""
    items, _ = await read(channel, cursor)
    assert removed(items) == ["v1@example.com"]
    (new,) = parsed(items)
    assert new.conversation == "v1@example.com"
    assert new.in_reply_to == ("v1@example.com",)


async def test_a_cancel_counts_where_the_server_honoured_it(inn: Inn) -> None:
    inn.post(article("gone@example.com"))
    channel = account(inn.port, cancels=True)
    items, cursor = await read(channel)
    inn.post(
        article("cancel1@example.com", Control="cancel <gone@example.com>", subject="cmsg cancel <gone@example.com>")
    )
    items, cursor = await read(channel, cursor)
    assert removed(items) == ["gone@example.com"]
    assert names(items) == [], "a cancel is no message"


async def test_what_does_not_go_is_said_before_anything_is_sent() -> None:
    channel = account(1)
    file = (Attachment("a.txt", "text/plain", 1, "k"), b"x")
    for wrong, why in (
        (draft(attachments=(file,)), "carries no files"),
        (draft(automatic=True), "nobody wants automatic answers"),
        (draft(private=True), "no private answers"),
        (draft("x" * 300_000), "shorten it"),
        (draft(message_id=""), "no id of its own"),
    ):
        with pytest.raises(Permanent, match=why):
            channel.render(wrong)


async def test_nothing_in_a_draft_begins_a_header_of_its_own(inn: Inn) -> None:
    inn.post(article("q@example.com"))
    channel = account(inn.port)
    odd = draft(
        "Hello\r\n.\r\nPOST\x00", subject="Re: x\r\nControl: cancel <a@b>", sender=Identity("news", "x", "He\r\nlp")
    )
    await channel.send(channel.render(odd)[0], "k", Phases())
    there = inn.article(OUR_ID).decode()
    assert "\r\nControl:" not in there
    assert "POST\ufffd" in next(one.text for one in parsed((await read(channel))[0]) if one.message_id == OUR_ID)


async def test_a_large_article_is_named_and_left_there() -> None:
    with Inn() as inn:
        (inn.dir / "etc" / "inn.conf").write_text(
            (inn.dir / "etc" / "inn.conf").read_text().replace("localmaxartsize: 20000", "localmaxartsize: 2900000")
        )
        inn.post(article("large@example.com", "line of text\n" * 100_000), article("next@example.com"))
        large, following = parsed((await read(account(inn.port, max_article_mb=1)))[0])
        assert large.message_id == "large@example.com"
        assert "was left on the server: news:large@example.com" in large.text
        assert following.message_id == "next@example.com"


async def test_the_server_goes_down_and_comes_back(inn: Inn) -> None:
    channel = account(inn.port)
    _, cursor = await read(channel)
    inn.post(article("q@example.com"))
    part = channel.render(draft())[0]
    inn.halt()
    phases = Phases()
    for doing in (read(channel, cursor), channel.send(part, "k", phases), channel.check()):
        with pytest.raises(Retry, match="cannot reach localhost"):
            await doing
    assert phases == []
    inn.start()
    assert names((await read(channel, cursor))[0]) == ["q@example.com"]
    assert (await channel.send(part, "k", phases)).remote_id == OUR_ID


async def test_an_answer_for_a_moderated_group_goes_to_its_moderator(inn: Inn) -> None:
    inn.post(article("q@example.com", Followup_To="test.moderated"))
    channel = account(inn.port, groups=("test.moderated",))
    assert any("moderated: answers go to its moderator first" in sentence for sentence in await channel.check())
    assert (await channel.send(channel.render(draft())[0], "k", Phases())).remote_id == OUR_ID
    assert inn.article(OUR_ID) == b"", "nobody sees it before the moderator has"
