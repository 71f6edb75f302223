"""Files: ours on the server's shelf, theirs fetched from where they may be."""

from __future__ import annotations

import hashlib
import ssl
import urllib.request
from urllib.error import HTTPError

import pytest
from msgspec.structs import replace

from channels.kit.texts import file
from desk.channel import Inbound, Outgoing, Permanent
from tests.channels.xmpp.seats import Seat, answer, hears, nothing
from tests.servers.prosody import Client, Prosody

OOB = "<x xmlns='jabber:x:oob'><url>{}</url></x>"


def with_file(draft: Outgoing, name: str, data: bytes) -> Outgoing:
    attachment, _ = file(name, "", data)
    return replace(draft, attachments=((attachment, data),))


async def test_a_file_goes_out_and_comes_back(prosody: Prosody, desk: str, ann: Client) -> None:
    data = b"\x89PNG not really" * 100
    seat = Seat(prosody, desk)
    await seat.read()
    text, attached = seat.account.render(with_file(answer(ann.bare, "Look:"), "Bild ä.png", data))
    await seat.account.send(text, "deskhand-1-7", nothing)
    await seat.account.send(attached, "deskhand-2-7", nothing)
    assert (await hears(ann)).find("{jabber:client}body").text == "Look:"
    message = await hears(ann, "{jabber:x:oob}x")
    url = message.find("{jabber:client}body").text
    assert message.find("{jabber:x:oob}x/{jabber:x:oob}url").text == url
    trust = ssl.create_default_context(cafile=prosody.ca_file)
    with urllib.request.urlopen(url, context=trust, timeout=5) as answered:
        assert answered.read() == data
    # A customer whose server has that shelf sends the same file back.
    friend = prosody.client(prosody.account("friend")).online()
    friend.say(desk, url, more=OOB.format(url))
    came = await seat.until(Inbound, lambda i: not i.ours)
    friend.close()
    assert [(a.name, a.size) for a in came.attachments] == [("Bild ä.png", len(data))]
    assert came.attachments[0].sha256 == came.blobs[0].key
    assert hashlib.sha256(data).hexdigest() in came.blobs[0].key
    assert came.text == "Bild ä.png"
    await seat.close()


async def test_a_file_that_is_too_large_is_refused_before_it_leaves(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk, max_file_mb=1)
    part = seat.account.render(with_file(answer(ann.bare, ""), "big.bin", b"x" * 200_001))[0]
    phases: list[str] = []

    async def phase(name: str) -> None:
        phases.append(name)

    with pytest.raises(Permanent, match=r"big\.bin has 200,001 bytes, and files\.localhost takes at most 200,000"):
        await seat.account.send(part, "deskhand-1-7", phase)
    assert phases == []
    with pytest.raises(Permanent, match="at most 1,048,576 go"):
        seat.account.render(with_file(answer(ann.bare), "big.bin", b"x" * 1_048_577))
    await seat.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://elsewhere.example/a.png", "elsewhere.example is no server of theirs or ours"),
        ("http://localhost/a.png", "only files behind https are fetched"),
        ("https://127.0.0.1/a.png", "127.0.0.1 is no server of theirs or ours"),
        ("https://notlocalhost/a.png", "notlocalhost is no server of theirs or ours"),
        ("aesgcm://localhost/a.png#00ff", "only files behind https are fetched"),
        ("file:///etc/passwd", "only files behind https are fetched"),
        ("https://[broken/a.png", "only files behind https are fetched"),
        ("https://localhost:1/a.png", "localhost: "),
    ],
)
async def test_a_file_that_is_not_fetched_says_why_and_where_it_is(
    prosody: Prosody, desk: str, ann: Client, url: str, why: str
) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    ann.say(desk, "My screen", more=OOB.format(url))
    ann.say(desk, "and more")
    message = await seat.until(Inbound)
    assert message.text.startswith("My screen\n\n[")
    assert why in message.text
    assert f"It is at {url}]" in message.text
    assert message.attachments == ()
    assert (await seat.until(Inbound)).text == "and more"
    await seat.close()


async def test_a_file_above_the_limit_and_one_that_is_gone_are_lines(prosody: Prosody, desk: str) -> None:
    seat = Seat(prosody, desk, max_file_mb=0)
    shelf = Seat(prosody, desk)
    await seat.read()
    friend = prosody.client(prosody.account("friend")).online()
    gone = f"https://localhost:{prosody.https_port}/file_share/none/gone.png"
    friend.say(desk, gone, more=OOB.format(gone))
    none = await seat.until(Inbound)
    assert "no files are fetched (max_file_mb = 0)" in none.text
    [other] = [item for item in await shelf.read() if isinstance(item, Inbound)]
    assert "[gone.png is not fetched: " in other.text
    friend.close()
    with pytest.raises(HTTPError):
        urllib.request.urlopen(gone, context=ssl.create_default_context(cafile=prosody.ca_file), timeout=5)
    await seat.close()
    await shelf.close()
