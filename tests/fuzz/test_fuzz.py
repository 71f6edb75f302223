"""The whole way of a mail, from damaged bytes to search words: it ends, raises nothing and can be kept.

A short run belongs to the tests; `make torture` goes on for minutes. The seeds are mails of
our own, one for each kind of trouble; another `.eml` beside them is found by itself.
"""

from __future__ import annotations

import json
import random
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.kit.mail.parser import parse
from channels.kit.mail.show import describe
from channels.kit.mail.trust import Trust
from desk.blobs import unpack
from desk.channel import Inbound, Raw
from desk.intake import prepare
from desk.text import one_line

SEEDS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "seeds").glob("*.eml"))}
TRUST = Trust("mx.example.com", ("X-Spam-Flag: YES",))
SECONDS = 5.0
"""How long one mail may take: what a worker gives it, on a machine that has other work to do."""

TOKENS = (
    *(b"\r\n", b"\n\n", b"\n ", b"--", b"--=_x", b"\x00", b"\xff\xfe", b"\x80", b"\x1b$B", b"=", b"=\n", b"=?utf-8?Q?", b"=?utf-8?B?", b"?="),
    *(b"<", b">", b'"', b"(", b")", b";", b":", b",", b"@", b"a@example.com", b"begin 644 a\n", b"\nend\n", b"<div>", b"</td>", b"<blockquote>"),
    *(b"Content-Type: message/rfc822\n", b"Content-Type: multipart/alternative; boundary==_x\n", b"Content-Transfer-Encoding: base64\n"),
    *(b"charset=utf-7", b"charset=utf-16", b"charset=gb18030", b"charset=iso-2022-jp", b"On 1 Jan 2024 Max wrote:\n", b"-- \n", b"> "),
    *(b"BEGIN:VEVENT\n", b"DTSTART:99999999T999999Z\n", b"\x78\x9f\x3e\x22", b"\x30\x80", b"Final-Recipient: rfc822;", b"550 5.1.1 "),
)  # fmt: skip


def checked(data: bytes) -> Inbound:
    """`data` taken the whole way, with everything looked at that must hold."""
    begin = time.process_time()
    inbound = prepare(Raw("INBOX/1/1", data, 1), lambda raw: parse(raw, TRUST))
    assert time.process_time() - begin < SECONDS
    shown = json.dumps(describe(inbound), ensure_ascii=False)
    shown.encode()
    assert "\\u0000" not in shown
    assert inbound.words is not None
    assert not any(unicodedata.category(letter) == "Cc" for letter in one_line(inbound.subject))
    assert not inbound.unreadable, inbound.problems
    assert unpack(inbound.blobs[0].packed) == data
    assert {inbound.raw, *(file.sha256 for file in inbound.attachments)} == {blob.key for blob in inbound.blobs}
    return inbound


def damaged(chance: random.Random) -> bytes:
    """A seed with pieces cut out, doubled, exchanged, or filled with what parsers stumble over."""
    data = bytearray(SEEDS[chance.choice(list(SEEDS))])
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 4, 20, 200))
        match chance.randrange(7):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = chance.choice(TOKENS) * chance.choice((1, 1, 2, 50))
            case 2:
                data[at:at] = data[at : at + size] * chance.choice((1, 5))
            case 3:
                other = SEEDS[chance.choice(list(SEEDS))]
                data[at:] = other[chance.randrange(len(other)) :]
            case 4:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 5:
                data[at : at + size] = chance.randbytes(size)
            case _:
                data[at:] = data[at:].replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n")), size)
    return bytes(data)


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_is_read(name: str) -> None:
    inbound = checked(SEEDS[name])
    assert inbound.sender is not None
    assert inbound.text.strip() or inbound.attachments


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_any_damage_is_survived(chance: random.Random) -> None:
    checked(damaged(chance))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=20)), max_size=60))
def test_any_soup_is_survived(pieces: list[bytes]) -> None:
    checked(b"".join(pieces))
    checked(b"From: a@example.com\n\n" + b"".join(pieces))


@pytest.mark.torture
def test_minutes_of_damage_are_survived() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    end, count = time.monotonic() + 180, 0
    while time.monotonic() < end:
        data = damaged(chance)
        count += 1
        try:
            checked(data)
        except BaseException:
            Path("build").mkdir(exist_ok=True)
            Path("build/fuzz-failed.eml").write_bytes(data)
            print(f"seed {seed}, mail {count}: kept as build/fuzz-failed.eml")
            raise
    print(f"{count:,} mails")
