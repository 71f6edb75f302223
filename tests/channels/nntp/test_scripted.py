"""What a good server does not do: lose answers, lie, forget, send what is no news."""

from __future__ import annotations

import logging

import pytest

from channels.nntp import Settings
from channels.nntp.reading import _listed
from desk.channel import AuthRequired, Permanent, Retry, Unknown
from tests.channels.nntp.places import OUR_ID, Phases, account, draft, names, read, removed
from tests.servers.scripted_nntp import ScriptedNntp

CANARY = "canary-2b7d"


async def test_an_answer_that_was_lost_is_asked_for() -> None:
    async with ScriptedNntp() as server:
        server.after_post = None
        channel = account(server.port)
        phases = Phases()
        sent = await channel.send(channel.render(draft())[0], "k", phases)
        assert (sent.remote_id, phases) == (OUR_ID, ["data"])
        assert len(server.posted) == 1


async def test_what_did_not_arrive_is_posted_again_under_the_same_name() -> None:
    async with ScriptedNntp() as server:
        server.after_post, server.keep = None, False
        channel = account(server.port)
        (part,) = channel.render(draft())
        with pytest.raises(Retry, match="it is not there yet"):
            await channel.send(part, "k", Phases())
        server.after_post, server.keep = "240 taken", True
        assert (await channel.send(part, "k", Phases())).remote_id == OUR_ID
        assert server.posted[0] == server.posted[1]


async def test_only_a_moderator_can_have_what_nobody_sees() -> None:
    async with ScriptedNntp() as server:
        server.after_post, server.keep = None, False
        server.answers["LIST"] = "215 these\r\ntest.help 1 1 m\r\n."
        channel = account(server.port)
        with pytest.raises(Unknown, match="the moderator may have it"):
            await channel.send(channel.render(draft())[0], "k", Phases())


async def test_a_duplicate_is_one_that_has_arrived() -> None:
    async with ScriptedNntp() as server:
        server.after_post = "441 435 Duplicate"
        channel = account(server.port)
        assert (await channel.send(channel.render(draft())[0], "k", Phases())).remote_id == OUR_ID
        server.kept.clear()
        server.keep = False
        server.after_post = "441 no such luck"
        with pytest.raises(Permanent, match=r"did not take the article for test\.help: 441 no such luck"):
            await channel.send(channel.render(draft())[0], "k", Phases())


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ("440 no posting here", Permanent, "does not let us post"),
        ("480 who are you", AuthRequired, "set user and a password"),
        ("483 in clear?", AuthRequired, "set tls"),
        ("502 never", Permanent, "ask its operators"),
        ("400 going down", Retry, "closes the connection"),
        ("503 odd", Retry, "503 odd"),
    ],
)
async def test_what_is_said_before_anything_went_out(answer: str, error: type[Exception], told: str) -> None:
    async with ScriptedNntp() as server:
        server.answers["POST"] = answer
        channel = account(server.port)
        phases = Phases()
        with pytest.raises(error, match=told):
            await channel.send(channel.render(draft())[0], "k", phases)
        assert phases == []


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        ("400 too busy", Retry),
        ("502 not you", Permanent),
        ("220 smtp ready", Retry),
        ("hello", Retry),
        ("x" * 9000, Retry),
    ],
)
async def test_a_greeting_that_is_none(greeting: str, error: type[Exception]) -> None:
    async with ScriptedNntp(greeting) as server:
        with pytest.raises(error):
            await read(account(server.port, timeout_s=1.0))


async def test_the_password_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedNntp() as server:
        server.answers["AUTHINFO"] = lambda line: "381 go on" if "USER" in line else "481 no"
        channel = account(server.port, password=CANARY)
        with pytest.raises(AuthRequired, match=r"refused the login of help@desk\.test") as caught:
            await channel.check()
        server.answers["AUTHINFO"] = "483 in clear?"
        with pytest.raises(AuthRequired, match="set tls"):
            await channel.check()
    assert CANARY not in f"{caught.value!r}{caplog.text}{channel.__dict__}"


async def test_without_an_overview_and_with_odd_articles_the_good_ones_come_in() -> None:
    articles = {
        "1": b"Message-ID: <a@example.com>\r\n\r\nfirst",
        "2": b"\r\n\r\n",
        "3": b"Message-ID: no id\r\n\r\nx",
        "4": b"\xff\xfe\x00" + b"y" * 100_000,
        "5": b"Message-ID: <b@example.com>\r\n\r\n..dots\r\n...",
    }
    async with ScriptedNntp() as server:
        server.answers["GROUP"] = "211 6 1 6 test.help"
        server.answers["OVER"] = "503 no overview"
        server.answers["ARTICLE"] = lambda line: (
            b"220 0 <x>\r\n" + articles[line[8:]] + b"\r\n." if line[8:] in articles else "423 gone"
        )
        items, cursor = await read(account(server.port))
        assert names(items) == ["a@example.com", "b@example.com"]
        assert items[-1].data.endswith(b".dots\r\n..\r\n")  # type: ignore[union-attr]
        assert (await read(account(server.port), cursor))[0] == []


async def test_an_article_that_is_counted_before_it_is_listed_is_not_missed() -> None:
    async with ScriptedNntp() as server:
        listed = ["1\ts\tf\t\t<a@example.com>\t\t10\t1"]
        server.answers["GROUP"] = "211 2 1 2 test.help"
        server.answers["OVER"] = lambda line: "\r\n".join(
            ["224 it", *(x for x in listed if int(x[0]) >= int(line[5])), "."]
        )
        server.answers["ARTICLE"] = lambda line: (
            f"220 0\r\nMessage-ID: <{'ab'[int(line[8:]) - 1]}@example.com>\r\n\r\nx\r\n."
        )
        channel = account(server.port)
        items, cursor = await read(channel)
        assert names(items) == ["a@example.com"]
        assert await read(channel, cursor) == ([], cursor)
        listed.append("2\ts\tf\t\t<b@example.com>\t\t10\t1")
        items, cursor = await read(channel, cursor)
        assert names(items) == ["b@example.com"]
        assert await read(channel, cursor) == ([], cursor)


async def test_an_overview_that_is_no_overview() -> None:
    async with ScriptedNntp() as server:
        server.answers["OVER"] = (
            "224 these\r\n\r\n\t\t\t\r\nx\ty\r\n1\r\n1\ts\tf\tyesterday\tnobody\t\tmany\tlines\r\n."
        )
        server.answers["ARTICLE"] = "220 0\r\nMessage-ID: <a@example.com>\r\n\r\nx\r\n."
        assert set(names((await read(account(server.port)))[0])) == {"a@example.com"}


async def test_a_cursor_of_somebody_else_is_none() -> None:
    async with ScriptedNntp() as server:
        server.answers["OVER"] = "423 none"
        for odd in ("", "12", "[]", '{"test.help":3}', '{"test.help":["x","y","z"]}', "{"):
            await read(account(server.port), odd)


async def test_taking_back_needs_a_proof() -> None:
    for key, proven in (("sha256:YQ==", False), ("sha256:b", False), ("sha256:a", True), ("", False)):
        async with ScriptedNntp() as server:
            server.answers["HEAD"] = f"221 0 <old@example.com>\r\nMessage-ID: <old@example.com>\r\n{_lock()}\r\n."
            server.answers["OVER"] = "224 it\r\n1\ts\tf\t\t<new@example.com>\t\t10\t1\r\n."
            field = f"Cancel-Key: {key}\r\n" if key else ""
            server.answers["ARTICLE"] = f"220 0\r\nMessage-ID: <new@example.com>\r\nSupersedes: <old@example.com>\r\n{field}\r\nx\r\n."  # fmt: skip
            channel = account(server.port)
            items, _ = await read(channel, '{"test.help":[0,"",0]}')
            assert removed(items) == (["old@example.com"] if proven else [])
            assert names(items) == ["new@example.com"]


def _lock() -> str:
    import base64
    import hashlib

    return "Cancel-Lock: sha1:x sha256:" + base64.b64encode(hashlib.sha256(b"a").digest()).decode()


async def test_a_server_that_falls_silent_is_left() -> None:
    async with ScriptedNntp() as server:
        server.answers["GROUP"] = ""
        with pytest.raises(Retry, match=r"does not speak|did not answer within"):
            await read(account(server.port, timeout_s=0.2))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"host": ""}, "host is missing"),
        ({"host": "news.example.net"}, "in clear"),
        ({"address": "nobody"}, "is not a mail address"),
        ({"groups": ()}, "groups is empty"),
        ({"groups": ("a b",)}, "no name of a newsgroup"),
        ({"groups": ("a\r\nPOST",)}, "no name of a newsgroup"),
        ({"user": "a\r\nb"}, "single word"),
        ({"batch": 0}, "between"),
        ({"password": "x", "password_env": "Y"}, "contradict"),
    ],
)
def test_settings_that_make_no_sense(other: dict[str, object], why: str) -> None:
    table: dict[str, object] = {
        "host": "localhost",
        "tls": "none",
        "address": "help@desk.test",
        "groups": ("test.help",),
    }
    with pytest.raises(ValueError, match=why):
        Settings(**(table | other))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", ["211 \u00b2 1 2 test.help", "211 1 1 " + "9" * 3000 + " test.help", "\u00b2\u00b2\u00b2 1 1 1 test.help"])  # fmt: skip
async def test_what_only_looks_like_a_number_is_none(answer: str) -> None:
    async with ScriptedNntp() as server:
        server.answers["GROUP"] = answer
        with pytest.raises(Retry):
            await read(account(server.port))


@pytest.mark.parametrize(
    "line", ["1\ts\tf\td\t<a@b>\tr\t\u00b2\t3", "1\ts\tf\td\t<a@b>\tr\t" + "9" * 5000, "\u00b2\ts", "9" * 5000]
)
def test_a_line_of_the_overview_with_strange_numbers_stops_nothing(line: str) -> None:
    seen = _listed(line.encode())
    assert seen is None or seen.size_bytes == 0
