"""The way to a service over HTTP: what it takes from the other side, and what it does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import channels
from channels.kit import http
from channels.kit.http import LIMIT_BYTES, LONGEST_S, Answer, Http, Service, retry_after, usual_words
from desk.channel import Permanent, Poller, Retry, Unknown
from tests.servers.local_http import LocalHttp, Reply, Request


def answer(data: bytes = b"", **headers: str) -> Answer:
    return Answer(200, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def test_an_answer_that_is_too_deep_is_no_answer() -> None:
    deep = answer(b"[" * 200_000)
    with pytest.raises(Retry):
        _ = deep.json
    assert usual_words(deep) == ""


def test_half_a_character_never_gets_further() -> None:
    found = answer(rb'{"name \ud800": ["\udc00 Ann", {"is": "\ud83d\ude00 here"}]}').json
    assert found == {"name ?": ["? Ann", {"is": "\U0001f600 here"}]}


@pytest.mark.parametrize("said", ["inf", "1e300", "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_is_left_alone_for_ever(said: str) -> None:
    assert retry_after(answer(retry_after=said)) == LONGEST_S


@pytest.mark.parametrize("said", ["nan", "-1", "soon", "Mon, 01 Jan 0001 00:00:00 -0000"])
def test_a_strange_pause_is_none(said: str) -> None:
    assert not retry_after(answer(retry_after=said))


@pytest.fixture
def slow() -> Iterator[str]:
    """A server that answers a byte at a time, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                there, _ = listener.accept()
            except OSError:
                return
            with there:
                there.recv(65536)
                there.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                try:
                    while not ended.wait(0.02):
                        there.sendall(b"x")
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    ended.set()
    listener.close()
    thread.join(5.0)


async def test_an_answer_in_drops_has_an_end(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "DRIP_S", 0.1)
    service = Http(Service(url=slow, token="t", timeout_s=0.2), login=dict)
    begun = time.monotonic()
    try:
        with pytest.raises(Retry, match="no answer in time"):
            await service.get("/")
        with pytest.raises(Retry, match="no answer in time"):
            await service.download(f"{slow}/file", 1_000_000)
    finally:
        await service.close()
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize(
    "url",
    [
        "http://[",
        "https://files.example.com:port/",
        "https://files.example.com/" + "a" * 100_000,
        "https://files.example.com@evil.example/",
        "",
    ],
)
async def test_what_is_no_address_is_not_fetched(url: str) -> None:
    service = Http(Service(url="https://example.com", token="t", timeout_s=0.2), login=dict)
    try:
        with pytest.raises(Permanent):
            await service.download(url, 1000, hosts=("files.example.com",))
    finally:
        await service.close()


async def test_what_cannot_be_asked_for_is_said_without_it() -> None:
    service = Http(Service(url="https://example.com", token="t"), login=dict)
    try:
        with pytest.raises(Permanent, match="cannot be asked for"):
            await service.get("/posts/" + "a" * 100_000)
        with pytest.raises(Permanent, match="cannot be asked for"):
            await service.get("/", headers={"If-None-Match": "\ud800"})
    finally:
        await service.close()


class Small(LocalHttp):
    """Refuses files, and answers whatever is posted with too much."""

    def answer(self, request: Request) -> Reply:
        if request.path == "/picture":
            return Reply(200, b"x" * 100)
        return Reply(401, {}) if request.method == "GET" else Reply(200, b"x" * (LIMIT_BYTES + 1))


async def test_a_file_that_is_closed_to_us_does_not_pause_the_account() -> None:
    server = Small()
    service = Http(Service(url=server.url, token="t"), login=dict)
    try:
        with pytest.raises(Permanent, match="does not give it"):
            await service.download(f"{server.url}/file", 1000)
    finally:
        await service.close()
        server.stop()


async def test_an_answer_without_an_end_to_a_message_leaves_open_whether_it_went_out() -> None:
    async def phase(name: str) -> None:
        pass

    server = Small()
    service = Http(Service(url=server.url, token="t"), login=dict)
    try:
        with pytest.raises(Unknown):
            await service.ask("POST", "/send", json={}, phase=phase)
        with pytest.raises(Permanent):
            await service.ask("POST", "/send", json={}, phase=phase, idempotent=True)
    finally:
        await service.close()
        server.stop()


async def test_so_many_files_are_fetched_and_more_when_they_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FILES_BYTES", 150)
    server = Small()
    service = Http(Service(url=server.url, token="t"), login=dict)
    try:
        for _ in range(2):
            await service.download(f"{server.url}/picture", 1000)
        with pytest.raises(Permanent, match="too many files"):
            await service.download(f"{server.url}/picture", 1000)
        service.settled()
        await service.download(f"{server.url}/picture", 1000)
    finally:
        await service.close()
        server.stop()


async def test_what_cannot_be_reached_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = Http(Service(url=f"http://127.0.0.1:{port}", token="t"), login=dict)
    unknown = Http(Service(url="https://nowhere.invalid", token="t"), login=dict)
    try:
        with pytest.raises(Retry, match=f"^127.0.0.1:{port} cannot be reached: Connection refused$"):
            await refused.get("/")
        with pytest.raises(Retry, match=r"^nowhere.invalid cannot be reached: [^\[]+$"):
            await unknown.get("/")
    finally:
        await refused.close()
        await unknown.close()


class Wrong(LocalHttp):
    """Says with a status of success that something failed."""

    def answer(self, request: Request) -> Reply:
        return Reply(200, {"error": {"message": "An error came up", "code": 1}})


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("discourse", {"user": "desk"}),
        ("facebook", {"page": "1"}),
        ("instagram", {"page": "1", "account": "2"}),
        ("mastodon", {"account": "desk@social.example.com"}),
        ("matrix", {"user": "@desk:example.com"}),
        ("stackexchange", {"site": "stackoverflow", "tags": ("python",)}),
        ("telegram", {"username": "desk_bot"}),
        ("x", {"user": "desk"}),
    ],
)
async def test_a_failure_that_looks_like_success_is_tried_again(kind: str, more: dict[str, Any]) -> None:
    server = Wrong()
    token = {} if kind == "stackexchange" else {"token": "123456:ABC-def"}
    module = channels.load(kind)
    channel = module.open("support", module.Settings(url=server.url, **token, **more))
    assert isinstance(channel, Poller)
    try:
        with pytest.raises(Retry):
            async for _ in channel.poll(None):
                pass
    finally:
        await channel.close()
        server.stop()
