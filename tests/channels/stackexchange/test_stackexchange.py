"""A site by its API: what is asked, answered and said comes in once; quota and patience are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from channels.stackexchange import FOLLOWED, SPARE, Settings, StackExchange
from desk.channel import AuthRequired, Edit, Inbound, Item, Permanent, RateLimited, Retry
from desk.model import Identity
from tests.servers.small_http import Said, as_json
from tests.servers.stackexchange import BEN, GONE, StackServer


@pytest.fixture
def server() -> Iterator[StackServer]:
    """An API of our own."""
    with StackServer() as running:
        yield running


def site(server: StackServer, **more: Any) -> StackExchange:
    """The account, as another process would open it; its clock is the server's."""
    given = {"site": "stackoverflow", "tags": ("python",), "url": server.url, **more}
    return StackExchange("so", Settings(**given), lambda: float(server.now))


async def read(channel: StackExchange, cursor: str | None = None) -> tuple[list[Item], str | None]:
    """The items of one poll, and the cursor behind them."""
    items: list[Item] = []
    async for batch in channel.poll(cursor):
        items += batch.items
        cursor = batch.cursor
    return items, cursor


def said(items: list[Item]) -> list[tuple[str, str]]:
    """Ids and texts of the messages."""
    return [(item.external_id, item.text) for item in items if isinstance(item, Inbound)]


async def test_a_question_its_answers_and_what_is_said_to_them_are_one_conversation(server: StackServer) -> None:
    asked = server.ask("A &lt;b&gt; &amp; c", "<p>It <b>fails</b> &amp; burns</p>", ("python", "sql"))
    answered = server.reply(asked, owner=GONE)
    remarked = server.remark(answered, "Why?", BEN)
    items, _ = await read(site(server, user_id=12))
    question, answer, comment = (item for item in items if isinstance(item, Inbound))
    assert (question.subject, question.text) == ("A <b> & c", "It **fails** & burns\n\n[tags: python, sql]")
    assert question.sender == Identity("stackexchange", "11@stackoverflow", "Ann & Co")
    assert question.link == f"https://stackoverflow.com/questions/{asked}/how"
    assert question.public
    assert (answer.answers, comment.answers) == (f"q{asked}", f"a{answered}")
    assert {item.conversation for item in (question, answer, comment)} == {f"q{asked}"}
    assert answer.sender == Identity("stackexchange", "user99@stackoverflow", "user99")
    assert answer.link == f"https://stackoverflow.com/a/{answered}"
    assert comment.link == f"https://stackoverflow.com/q/{answered}#comment{remarked}_{answered}"
    assert (question.ours, comment.ours) == (False, True)


async def test_what_happens_later_comes_in_once(server: StackServer) -> None:
    asked = server.ask()
    _, cursor = await read(site(server))
    assert said((await read(site(server), cursor))[0]) == []
    server.now += 3600
    answered = server.reply(asked)
    items, cursor = await read(site(server), cursor)
    assert said(items) == [(f"a{answered}", "So")]
    server.now += 3600
    remarked = server.remark(asked)
    items, cursor = await read(site(server), cursor)
    assert said(items) == [(f"c{remarked}", "Really?")], "the question itself did not tell of it"
    server.now += 60
    assert said((await read(site(server), cursor))[0]) == [], "although comments are asked for anew"


async def test_edits_are_told_for_each_of_the_three(server: StackServer) -> None:
    asked = server.ask()
    answered = server.reply(asked)
    remarked = server.remark(asked)
    _, cursor = await read(site(server))
    server.now += 120
    server.edit(asked, "<p>New question</p>")
    server.edit(answered, "<p>New answer</p>")
    server.comments[remarked]["body"] = "New remark"
    items, cursor = await read(site(server), cursor)
    assert [(item.target, item.text) for item in items if isinstance(item, Edit)] == [
        (f"q{asked}", "New question"),
        (f"a{answered}", "New answer"),
        (f"c{remarked}", "New remark"),
    ]
    assert (await read(site(server), cursor))[0] == []


async def test_only_your_tags_and_nothing_that_is_older_than_you_asked_for(server: StackServer) -> None:
    old = server.ask()
    server.now += 3 * 86_400
    server.reply(old)
    server.ask(tags=("java",))
    both, one = server.ask(tags=("python", "sql")), server.ask()
    items, cursor = await read(site(server, tags=("python", "python;sql")))
    assert [name for name, _ in said(items)] == [f"q{both}", f"q{one}"]
    server.reply(old)
    server.now += 60
    assert (await read(site(server), cursor))[0] == []


async def test_many_questions_at_once_come_page_by_page_and_a_cut_loses_none(server: StackServer) -> None:
    for number in range(250):
        server.ask(str(number))
        server.now += number % 3 == 0
    seen: list[str] = []
    cursor: str | None = None
    for turn in range(5):
        async for batch in site(server).poll(cursor):
            seen += [name for name, _ in said(list(batch.items))]
            cursor = batch.cursor
            if turn < 3:
                break
    assert len(seen) == len(set(seen)) == 250


async def test_more_than_a_page_within_one_second_is_read_to_its_end(server: StackServer) -> None:
    for number in range(230):
        server.ask(str(number))
    assert len(said((await read(site(server)))[0])) == 230


async def test_a_question_is_not_followed_for_ever(server: StackServer) -> None:
    for _ in range(FOLLOWED + 5):
        server.ask()
    _, cursor = await read(site(server))
    assert cursor is not None
    assert len(json.loads(cursor)["links"]) == FOLLOWED
    server.now += 15 * 86_400
    _, cursor = await read(site(server), cursor)
    assert cursor is not None
    kept = json.loads(cursor)
    assert (kept["links"], kept["posts"], kept["comments"]) == ({}, {}, {})


# -- patience ---------------------------------------------------------------------


async def test_a_backoff_holds_for_its_method(server: StackServer) -> None:
    server.ask()
    server.backoff["/questions"] = 10
    channel, slept, clock = site(server), [], [0.0]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    channel.api._clock, channel.api._sleep = lambda: clock[0], sleep
    _, cursor = await read(channel)
    assert slept == [], "other methods are not held up"
    await read(channel, cursor)
    assert slept == [10]
    server.backoff["/questions"] = 600
    await read(channel, cursor)
    asked = len(server.asked)
    with pytest.raises(RateLimited) as error:
        await read(channel, cursor)
    assert error.value.after_s == 600
    assert len(server.asked) == asked
    clock[0] += 600
    await read(channel, cursor)


async def test_the_last_requests_of_the_day_are_for_questions(server: StackServer) -> None:
    server.ask()
    _, cursor = await read(site(server))
    server.quota = SPARE
    asked = len(server.asked)
    await read(site(server), cursor)
    assert [a.path for a in server.asked[asked:]] == ["/questions"]


async def test_a_quota_that_is_used_up_is_waited_for(server: StackServer) -> None:
    channel = site(server)
    server.quota = 1
    _, cursor = await read(channel)
    with pytest.raises(RateLimited, match="used up"):
        await read(channel, cursor)
    with pytest.raises(RateLimited, match="used up") as error:
        await read(channel, cursor)
    assert error.value.after_s == 4711, "as long as it says"
    server.quota = 300
    asked = len(server.asked)
    with pytest.raises(RateLimited):
        await read(channel, cursor)
    assert len(server.asked) == asked, "until then nobody is asked"
    assert (await read(site(server), cursor))[0] == []


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (as_json({"error_id": 500, "error_message": "internal"}, 400, packed=True), Retry, "trouble of its own"),
        (as_json({"error_id": 503, "error_message": "maintenance"}, 400, packed=True), Retry, "trouble of its own"),
        (as_json({"error_id": 403, "error_message": "no"}, 400, packed=True), AuthRequired, "refuses"),
        (as_json({"error_id": 400, "error_message": "pagesize"}, 400, packed=True), Permanent, "pagesize"),
        (as_json({"items": 5}, packed=True), Retry, "something else"),
        (as_json([], packed=True), Retry, "something else"),
        (Said(200, b"<html>"), Retry, "no JSON"),
        (Said(502, b"<html>"), Retry, "502"),
        (None, Retry, "127"),
    ],
)
async def test_trouble_is_told_and_the_next_look_reads_on(
    server: StackServer, answer: Said | None, error: type[Exception], words: str
) -> None:
    server.ask()
    channel = site(server)
    server.next("/questions", answer)
    with pytest.raises(error, match=words):
        await read(channel)
    assert len(said((await read(channel))[0])) == 1


async def test_a_wrong_site_or_key_is_named_and_a_right_key_is_sent(server: StackServer) -> None:
    with pytest.raises(Permanent, match="no such site"):
        await site(server, site="stackunderflow").check()
    with pytest.raises(AuthRequired, match="does not know this key"):
        await site(server, key="CANARY").check()
    words = await site(server, key="KEY").check()
    assert words[0] == "stackoverflow has 0 questions"
    assert words[1].endswith("of 10000 requests are left today, with your key")


async def test_a_bad_post_never_blocks_the_next(server: StackServer) -> None:
    bad: list[Any] = [
        7, {}, {"question_id": "5"}, {"question_id": True},
        {"question_id": 5, "title": 5, "body": [], "owner": 7, "tags": {}, "link": "javascript:alert(1)", "creation_date": 10**30},
        {"question_id": 6, "title": "\u202e\x1b[2J", "body": "<div>" * 5000, "owner": {"display_name": "\x00"}, "last_activity_date": 3},
    ]  # fmt: skip
    server.next(
        "/questions", as_json({"items": bad, "has_more": False, "quota_remaining": "x", "backoff": "y"}, packed=True)
    )
    server.next("comments", as_json({"items": [{}, {"comment_id": 1}, {"comment_id": 2, "post_id": 6}]}, packed=True))
    server.next("answers", as_json({"items": [{}, {"answer_id": 9, "question_id": 5}]}, packed=True))
    items, _ = await read(site(server))
    assert [name for name, _ in said(items)] == ["q5", "q6", "a9", "c2"]
    assert all(item.text and item.link == "" for item in items if isinstance(item, Inbound))


@pytest.mark.parametrize(
    "more", [{"site": "https://x"}, {"tags": ()}, {"tags": ("",)}, {"poll_s": 5.0}, {"first_d": -1}]
)
def test_settings_that_cannot_be_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Settings(**{"site": "stackoverflow", "tags": ("a",), **more})
