"""Servers that are away, break off or are none; each as the errors of the protocol say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channels.matrix import Settings
from channels.matrix.homeserver import Url
from channels.matrix.settings import Settings as Checked
from desk.channel import AuthRequired, ChannelError, Permanent, RateLimited, Retry
from desk.config import Source, build
from desk.errors import ConfigError
from tests.channels.matrix.accounts import Desk, account
from tests.channels.matrix.test_reading import begun, together
from tests.servers.cutting import Cutting
from tests.servers.local_http import CUT_BEFORE, LocalHttp, Reply, Request
from tests.servers.synapse import Synapse

ROOM = "!room:desk.test"


class Odd(LocalHttp):
    """A server that is no homeserver, or one of a bad day: what it says is set by the test."""

    said = Reply(404, b"<html>Not here</html>")

    def answer(self, request: Request) -> Reply:
        return self.said


@pytest.fixture
def odd():
    server = Odd()
    yield server
    server.stop()


def at(odd: Odd, **other: object) -> Desk:
    """An account on it."""
    return Desk(
        Settings(**({"url": odd.url, "user": "@help:desk.test", "token": "canary-token", "timeout_s": 2.0} | other))
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("asked", "after"), [(True, 1), (True, 900), (False, 1), (False, 900)])
async def test_what_breaks_off_in_the_middle_is_sent_again_and_is_there_once(
    synapse: Synapse, asked: bool, after: int
) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    async with Cutting(synapse.port, after, asked=asked) as wire:
        cut = Desk(account(synapse, ours, url=f"http://127.0.0.1:{wire.port}"))
        for _ in range(8):
            try:
                await cut.say("only once", conversation=room)
                break
            except Retry:
                continue
        assert wire.cut
        await cut.channel.close()
    await desk.say("only once", conversation=room)
    assert [event["content"]["body"] for event in ann.sees(room)] == ["only once"]


async def test_a_server_that_is_away_is_waited_for_and_nothing_is_lost(odd: Odd, synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.says(room, "meanwhile")
    away = Desk(account(synapse, ours, url="http://127.0.0.1:1"))
    away.cursor = desk.cursor
    for deed in (away.read(), away.say("hello", conversation=room), away.channel.check()):
        with pytest.raises(Retry, match="cannot be reached"):
            await deed
    assert away.phases == []
    assert [m.text for m in await desk.heard()] == ["meanwhile"]


async def test_a_reading_that_breaks_off_begins_again_where_it_was(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.says(room, "one")
    async with Cutting(synapse.port, 300) as wire:
        cut = Desk(account(synapse, ours, url=f"http://127.0.0.1:{wire.port}"))
        cut.cursor = desk.cursor
        with pytest.raises(Retry):
            await cut.read()
        assert [m.text for m in await cut.heard()] == ["one"]
        assert await cut.heard() == []
        await cut.channel.close()


@pytest.mark.parametrize(
    ("status", "content", "wanted", "words"),
    [
        (401, {"errcode": "M_UNKNOWN_TOKEN", "error": "Invalid"}, AuthRequired, "give this account a new one"),
        (403, {"errcode": "M_USER_DEACTIVATED", "error": "Gone"}, AuthRequired, "ask who runs that server"),
        (401, {"errcode": "M_USER_LOCKED", "error": "Locked"}, AuthRequired, "shut the account"),
        (429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}, RateLimited, "asks for patience"),
        (502, b"<html>proxy</html>", Retry, "status 502"),
        (200, b"<html>a login page</html>", Retry, "no JSON"),
        (200, [1, 2], Retry, "something else"),
        (200, {}, Retry, "how far"),
        (404, b"nothing", Permanent, "is the url of this account a Matrix homeserver"),
        (302, b"", Permanent, "mend the url"),
        (413, {"errcode": "M_TOO_LARGE", "error": "too big"}, Permanent, "larger than"),
    ],
)
async def test_refusals_are_sentences(
    odd: Odd, status: int, content: object, wanted: type[ChannelError], words: str
) -> None:
    odd.said = Reply(status, content)
    desk = at(odd)
    with pytest.raises(wanted, match=words) as told:
        await desk.read()
    assert "canary" not in str(told.value) + repr(told.value)
    if isinstance(told.value, RateLimited):
        assert told.value.after_s == 2.5
    await desk.channel.close()


async def test_what_is_no_homeserver_names_the_one_it_knows(odd: Odd) -> None:
    desk = at(odd)
    with pytest.raises(Permanent, match=r"is no Matrix homeserver: mend the url"):
        await desk.channel.check()
    odd.faults.append(("GET /.well-known", Reply(200, {"m.homeserver": {"base_url": "https://matrix.example.org"}})))
    with pytest.raises(Permanent, match=r"it names https://matrix\.example\.org as one"):
        await desk.channel.check()
    await desk.channel.close()


async def test_a_token_of_somebody_else_is_noticed(synapse: Synapse) -> None:
    ours, other = synapse.person("help"), synapse.person("other")
    desk = Desk(account(synapse, ours, token=other.token))
    with pytest.raises(AuthRequired, match=f"that of {other.id}, not of {ours.id}"):
        await desk.channel.check()


async def test_a_cut_before_the_first_byte_says_nothing_was_sent(odd: Odd) -> None:
    odd.said = Reply(200, {"event_id": "$x"})
    desk = at(odd)
    odd.faults.append(("PUT", CUT_BEFORE))
    with pytest.raises(Retry):
        await desk.say("hello", conversation=ROOM)
    (sent,) = await desk.say("hello", conversation=ROOM)
    assert sent.remote_id == "$x"
    first, second = odd.asked("PUT")
    assert first.path == second.path, "the same key"
    await desk.channel.close()


async def test_media_of_a_server_of_old_is_found_at_its_old_address(odd: Odd) -> None:
    desk = at(odd)
    odd.faults.append(("GET /_matrix/client/v1/media", Reply(404, {"errcode": "M_UNRECOGNIZED", "error": "?"})))
    odd.said = Reply(200, b"bytes")
    assert await desk.channel._server.download(Url("s", "m"), 100) == b"bytes"
    assert [r.path for r in odd.requests] == ["/_matrix/client/v1/media/download/s/m", "/_matrix/media/v3/download/s/m"]
    with pytest.raises(Permanent, match="more than 3 bytes"):
        await desk.channel._server.download(Url("s", "m"), 3)
    await desk.channel.close()


async def test_files_of_a_server_that_is_away_are_asked_for_once(odd: Odd) -> None:
    odd.said = Reply(504, {"errcode": "M_NOT_YET_UPLOADED", "error": "It takes too long"})
    desk = at(odd)
    for words in ("takes too long", "gone.test does not answer"):
        with pytest.raises(Permanent, match=words):
            await desk.channel._server.download(Url("gone.test", "m"), 100)
    assert len(odd.requests) == 1
    await desk.channel.close()


async def test_a_file_that_breaks_off_each_time_is_left_out_in_the_end(odd: Odd) -> None:
    event = {
        "event_id": "$e",
        "sender": "@ann:desk.test",
        "type": "m.room.message",
        "content": {"msgtype": "m.image", "body": "a.png", "url": "mxc://desk.test/m"},
    }
    rooms = {"join": {ROOM: {"timeline": {"events": [event]}}}}
    odd.said = Reply(200, {"next_batch": "s2", "rooms": rooms})
    desk = at(odd)
    odd.faults.extend([("GET /_matrix/client/v1/media", CUT_BEFORE)] * 3)
    for _ in range(2):
        with pytest.raises(Retry):
            await desk.read()
        assert desk.cursor is None
    (said,) = await desk.heard()
    assert "a.png was not fetched" in said.text
    await desk.channel.close()


async def test_a_new_token_in_its_place_is_taken_up(synapse: Synapse, tmp_path: Path) -> None:
    _, ours, room = together(synapse)
    place = tmp_path / "token"
    place.write_text("syt_revoked")
    place.chmod(0o600)
    desk = Desk(account(synapse, ours, token="", token_file=str(place)))
    with pytest.raises(AuthRequired):
        await desk.read()
    place.write_text(ours.token)
    await desk.say("hello", conversation=room)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"user": "help"}, "is no account: write it as @name:server"),
        ({"url": "matrix.example.org"}, "write it as https://host"),
        ({"url": "http://matrix.example.org"}, "sends the token in clear"),
        ({"rooms": ["support"]}, "is no room"),
        ({"backlog": 5000}, "between 0 and 1000"),
        ({"conversations": "thread"}, "it is one of auto, room, person"),
        ({"token": "a", "login": {"password": "b"}}, "contradict each other"),
        ({"token": "a", "token_file": "b"}, "contradict each other"),
    ],
)
def test_settings_that_cannot_be_are_said(table: dict[str, object], words: str) -> None:
    whole = {"url": "https://matrix.example.org", "user": "@help:example.org"} | table
    with pytest.raises(ConfigError, match=words):
        build(Checked, whole, Source("config.toml", json.dumps(whole)), ("channels", "matrix"))


def test_an_account_without_a_token_says_so() -> None:
    with pytest.raises(AuthRequired, match="no token is configured"):
        Settings(url="https://matrix.example.org", user="@help:example.org").secret()
