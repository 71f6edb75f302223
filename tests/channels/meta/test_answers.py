"""What goes out to Messenger, Instagram and comments, and what Meta refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from desk.channel import AuthRequired, Permanent, RateLimited, Retry, Unknown, WindowClosed
from tests.channels.meta.pages import ANN, ANN_THERE, account, attached, draft, messages, page, say
from tests.servers.local_http import CUT_AFTER, CUT_BEFORE, Reply
from tests.servers.meta import PAGE, MetaServer, error

SEND = f"POST /v25.0/{PAGE}/messages"


@pytest.fixture
def server() -> Iterator[MetaServer]:
    running = MetaServer()
    running.write("Hello")
    running.write("Hello", platform="instagram")
    yield running
    running.stop()


def ours(server: MetaServer, platform: str = "messenger") -> list[dict[str, Any]]:
    return server.chats[platform]["3001" if platform == "messenger" else "4001"][1:]


async def test_an_answer_goes_as_an_answer_and_its_echo_is_ours(server: MetaServer) -> None:
    (sent,) = await say(page(server), draft("It is up"))
    (one,) = ours(server)
    assert (one["message"], one["how"], sent.remote_id) == ("It is up", "RESPONSE", one["id"])
    echo = [m for m in await messages(page(server)) if m.ours]
    assert [(m.external_id, m.conversation) for m in echo] == [(sent.remote_id, "chat/3001")]


async def test_a_long_text_goes_in_pieces_as_each_network_counts(server: MetaServer) -> None:
    text = "Zürich sagt: " + "ein Wort ist ein Wörtchen. " * 150
    await say(page(server), draft(text))
    await say(account(server), draft(text, ANN_THERE))
    assert [len(one["message"]) <= 2000 for one in ours(server)] == [True] * 3
    there = ours(server, "instagram")
    assert len(there) == 5
    assert all(len(one["message"].encode()) <= 1000 for one in there)


async def test_after_a_day_the_window_is_closed_unless_a_person_may_answer(server: MetaServer) -> None:
    server.age(2)
    for channel, to in ((page(server), ANN), (account(server), ANN_THERE)):
        with pytest.raises(WindowClosed, match="set human_agent where the app may"):
            await say(channel, draft("Sorry for the wait", to))
    server.human_agent = True
    await say(page(server, human_agent=True), draft("Sorry for the wait"))
    assert ours(server)[0]["how"] == "HUMAN_AGENT"
    server.age(9)
    with pytest.raises(WindowClosed, match="wait until the customer writes, or answer another way"):
        await say(page(server, human_agent=True), draft("Very sorry"))


async def test_a_comment_is_answered_in_public(server: MetaServer) -> None:
    first = server.comment(server.post())
    answer = draft("There is", conversation=f"comment/{first}", answers=f"comment/{first}", public=True)
    (sent,) = await say(page(server), answer)
    assert sent.remote_id is not None
    made = server.comments[sent.remote_id.removeprefix("comment/")]
    assert (made["above"], made["from"]["id"]) == (first, PAGE)


async def test_a_visitors_post_is_answered_below_it(server: MetaServer) -> None:
    post = server.post("Hello?", "3002")
    (sent,) = await say(page(server), draft("Yes?", conversation=f"post/{post}", answers=f"post/{post}", public=True))
    assert server.comments[(sent.remote_id or "").removeprefix("comment/")]["post"] == post


async def test_on_instagram_an_answer_goes_below_the_comment_that_began(server: MetaServer) -> None:
    photo = server.photo()
    first = server.comment(photo)
    second = server.comment(photo, "I agree", "3002", first)
    answer = draft("Thanks", ANN_THERE, f"comment/{first}", answers=f"comment/{second}", public=True)
    (sent,) = await say(account(server), answer)
    assert server.comments[(sent.remote_id or "").removeprefix("comment/")]["above"] == first


async def test_a_comment_is_answered_in_private_once(server: MetaServer) -> None:
    name = server.comment(server.post(), "My number is wrong")
    answer = draft("Which number?", conversation=None, answers=f"comment/{name}", private=True)
    (sent,) = await say(page(server), answer)
    assert (sent.conversation, sent.remote_id) == ("chat/3001", ours(server)[0]["id"])
    with pytest.raises(Permanent, match="there is only one: answer in public"):
        await say(page(server), answer)


def test_a_private_answer_is_one_text(server: MetaServer) -> None:
    picture = (attached("a.png", "image/png", b"a"),)
    for text, files in (("x " * 1500, ()), ("see", picture)):
        for private in (True, False):
            with pytest.raises(Permanent, match="one text without files"):
                page(server).render(
                    draft(
                        text,
                        conversation=None,
                        answers="comment/7",
                        private=private,
                        public=not private,
                        attachments=files,
                    )
                )


async def test_files_are_uploaded_and_then_shown(server: MetaServer) -> None:
    files = (attached("a.png", "image/png", b"png"), attached("b.pdf", "application/pdf", b"pdf"))
    sent = await say(page(server), draft("Two files", attachments=files))
    assert len(sent) == 3
    shown = [one["sent"] for one in ours(server)[1:]]
    assert [one["type"] for one in shown] == ["image", "file"]
    assert [server.uploads[one["payload"]["attachment_id"]]["data"] for one in shown] == [b"png", b"pdf"]


@pytest.mark.parametrize(
    ("name", "kind", "size", "words"),
    [
        ("a.zip", "application/zip", 10, "it takes image/png"),
        ("a.png", "image/png", 9 * 1024 * 1024, "pictures of up to 8,388,608"),
        ("a.mp4", "video/mp4", 26 * 1024 * 1024, "at most"),
    ],
)
def test_files_that_do_not_go(server: MetaServer, name: str, kind: str, size: int, words: str) -> None:
    with pytest.raises(Permanent, match=words):
        account(server).render(draft("See", ANN_THERE, attachments=(attached(name, kind, b"x" * size),)))


async def test_who_cannot_be_reached_is_told_with_the_next_step(server: MetaServer) -> None:
    server.blocked.add("3001")
    with pytest.raises(Permanent, match="write another way"):
        await say(page(server), draft("Hello"))
    with pytest.raises(Permanent, match="they have to write to the page first"):
        await say(page(server), draft("Hello", conversation="chat/999"))
    with pytest.raises(Permanent, match="what this answers is gone"):
        await say(page(server), draft("Hello", conversation="comment/999", answers="comment/999", public=True))
    with pytest.raises(Permanent, match="nobody on Facebook to write to"):
        page(server).render(draft("Hello", ANN_THERE, conversation=None))


async def test_refusals_are_told_apart(server: MetaServer) -> None:
    cases: list[tuple[Reply, type[Exception]]] = [
        (error(613, "Calls to this API have exceeded the rate limit"), RateLimited),
        (error(10, "Page is restricted", 1893063), Retry),
        (error(1200, "Temporary send message failure. Please try again later."), Retry),
        (error(200, "permission", status=403), AuthRequired),
        (error(190, "Invalid OAuth access token.", status=401), AuthRequired),
        (error(100, "Invalid parameter"), Permanent),
    ]
    for reply, kind in cases:
        server.faults.append((SEND, reply))
        with pytest.raises(kind) as caught:
            await say(page(server), draft("Hello"))
        assert type(caught.value) is kind
    assert not ours(server)


async def test_what_is_cut_off_is_unknown_exactly_when_it_may_be_out(server: MetaServer) -> None:
    for fault in (CUT_BEFORE, CUT_AFTER, error(2, "An unexpected error", status=500), Reply(200, b"nonsense")):
        server.faults.append((SEND, fault))
        with pytest.raises(Unknown):
            await say(page(server), draft("Hello"))
    assert len([m for m in await messages(page(server)) if m.ours]) == 1, "the one that went out is seen there"
    server.faults.append((f"POST /v25.0/{PAGE}/message_attachments", CUT_AFTER))
    with pytest.raises(Retry):
        await say(page(server), draft("", attachments=(attached("a.png", "image/png", b"a"),)))
    server.stop()
    with pytest.raises(Retry):
        await say(page(server), draft("Hello"))


async def test_customers_see_that_somebody_reads_and_writes(server: MetaServer) -> None:
    channel = page(server)
    await channel.attend("chat/3001", seen="m_1")
    await channel.attend("chat/3001", typing=True)
    await channel.attend("comment/7", typing=True)
    assert server.actions == [("3001", "mark_seen"), ("3001", "typing_on")]
    server.token = "another"
    await channel.attend("chat/3001", typing=True)


def test_the_same_draft_gives_the_same_bytes(server: MetaServer) -> None:
    answer = draft("Hello \u202e\x00 \ud83d")
    assert [p.data for p in page(server).render(answer)] == [p.data for p in page(server).render(answer)]
