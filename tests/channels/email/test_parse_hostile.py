"""channels.kit.mail.parser: whatever comes, it is kept, said, bounded and never raises."""

from __future__ import annotations

import json
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import channels.kit.mail.parser as module
from bench.gencorpus import generate
from channels.kit.mail.show import describe
from desk.blobs import unpack
from desk.channel import Inbound
from tests.channels.email.mails import read

SEEDS = [message.raw for message in generate(60, seed=5)]
PIECES = [
    *(
        b"\r",
        b"\n\n",
        b"\n--",
        b'"',
        b"=?utf-8?B?",
        b"?=",
        b"<",
        b">",
        b";",
        b"\x00",
        b"\xff",
        b"=\n",
        b"\x1b$B",
        b":",
        b",",
        b"(",
    ),
    *(
        b"charset=utf-16",
        b"charset=utf-7",
        b"+2AA-",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: multipart/mixed; boundary=x\n",
    ),
]


def assert_storable(inbound: Inbound) -> None:
    """Every string can be kept by any store, and the bytes are there."""
    text = json.dumps(describe(inbound), ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
    assert "\r" not in inbound.text + inbound.visible + inbound.subject
    assert not any("could not be read" in problem for problem in inbound.problems)
    assert {inbound.raw, *(file.sha256 for file in inbound.attachments)} == {blob.key for blob in inbound.blobs}
    assert all(
        "/" not in file.name and "\\" not in file.name and file.name not in ("", ".", "..")
        for file in inbound.attachments
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_read(data: bytes) -> None:
    inbound = read(data)
    assert_storable(inbound)
    assert unpack(inbound.blobs[0].packed) == data


@settings(max_examples=600, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_damage_is_read(chance: random.Random) -> None:
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 10)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                del data[at : at + chance.randint(1, 80)]
            case 1:
                data[at:at] = chance.choice(PIECES)
            case 2:
                data[at:at] = data[at // 2 : at // 2 + 200]
            case _:
                data[at:] = chance.choice(SEEDS)[at:]
    assert_storable(read(bytes(data)))


def test_every_defect_of_the_corpus_is_read() -> None:
    for message in generate(400, seed=3, malformed=1.0):
        assert_storable(read(message.raw))


def _header(line: bytes) -> bytes:
    return line + b"\n\nbody\n"


BOMBS = {
    "words": _header(b"Subject: " + b"=?utf-8?Q?a?= " * 20_000),
    "half words": _header(b"Subject: " + b"=?a?q?" * 3_000),
    "parameters": _header(b"Content-Type: text/plain" + b"; a=b" * 40_000),
    "pieces": _header(b"Content-Disposition: attachment" + b"".join(b"; filename*%d=x" % n for n in range(3_000))),
    "nesting": b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(2_000)),
    "one boundary": b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' * 20_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000,
    "parts without end": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nX: y\n" * 300_000,
    "hyphens": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + b"\n--x" * 1_000_000,
    "comments": _header(b"To: " + b"(" * 100_000 + b")" * 100_000),
    "quotes": b"".join(b"To: " + b'"\\"' * 5_000 + b"\n" for _ in range(20)) + b"\n",
    "brackets": _header(b"Message-ID: " + b"<" * 100_000),
    "ids": _header(b"References: " + b"<a@b> " * 40_000),
    "one id": _header(b"References: " + b"a" * 250_000),
    "addresses": _header(b"To: " + b"a@example.com, " * 15_000),
    "fields": b"A: b\n" * 300_000,
    "folds": b"Subject: x\n" + b" y\n" * 500_000,
    "stray lines": b"x\n" * 200_000 + b"From: a@example.com\n\n",
    "one line": b"A" * 3_000_000,
    "empty lines": b"\n" * 3_000_000,
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"QUJD\n" * 1_000_000,
    "text": b"\n" + b"> a\n" * 1_000_000,
    "flowed": b"Content-Type: text/plain; format=flowed\n\n" + b"a \n" * 500_000,
    "uuencode": b"\n" + b"begin 644 a\n" * 100_000 + b"\nend\n",
    "short uuencode": b"Content-Transfer-Encoding: uuencode\n\n" + b"A\n" * 8_000_000,
    "glued base64": b"Content-Transfer-Encoding: base64\n\n" + b"A=" * 8_000_000,
    "charset": b"Content-Type: text/plain; charset=gb18030\n\n" + b"\x81" * 2_000_000,
    "paragraphs": b"Content-Type: text/html\n\n" + b"<p>" * 600_000,
    "blocks": b"Content-Type: text/html\n\n" + b"<div>" * 400_000 + b"x",
    "style": b"Content-Type: text/html\n\n<style>" + b".a," * 600_000,
    "tables": b"Content-Type: text/html\n\n" + b"<table><tr><td>cite" * 27_000,
    "report": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@example.com\nAction: failed\n\n" * 20_000,
    "rulers": b"\nx\n" + (b"-" * 390 + b"\n") * 600,
    "brackets in lines": b"\nx\n" + (b"2024 10:00 " + b"[a@" * 120 + b":\n") * 600,
    "verbs": b"\nx\n" + (b"--" + b"wrote-- " * 48 + b"x-\n") * 600,
    "armour": b"\n" + b"-----BEGIN PGP SIGNED MESSAGE-----\n" * 60_000,
    "calendar": b"Content-Type: text/calendar\n\nBEGIN:VEVENT\nX" + b';a="b' * 60_000,
    "blank lines": (b" " * 999 + b"\n") * 3_000 + b"From: a@example.com\n\nx",
    "blamed": b"From: mailer-daemon@example.com\n\n" + b"".join(b"<a%d@example.com>: 550\n" % n for n in range(4_000)),
    "hyphens in a report": b"From: mailer-daemon@example.com\n\n" + (b"-" * 900 + b"\n") * 70,
    "verdicts": b"Authentication-Results: " + b"(" * 15_000 + b"\n\nx",
    "bounce": b"From: mailer-daemon@example.com\n\ncould not be delivered to one or more\n" + b"a@" * 30_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_bounded_in_time(name: str) -> None:
    begin = time.process_time()
    inbound = read(BOMBS[name])
    assert time.process_time() - begin < 4
    assert_storable(inbound)
    assert len(inbound.attachments) <= 1_000
    assert len(inbound.text) < 3 * 1024 * 1024


@pytest.mark.parametrize("name", ["words", "parameters", "nesting", "parts", "fields", "stray lines", "quotes"])
def test_a_bomb_is_bounded_in_memory(name: str) -> None:
    tracemalloc.start()
    try:
        read(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 60 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("words", 'The header "subject" is over 16 KiB; the rest is left in the raw mail.'),
        ("nesting", "Parts are nested over 50 deep; the rest is kept as one file."),
        ("parts", "There are over 1,000 parts; the rest is left in the raw mail."),
        ("fields", "The header block is over 256 KiB; the rest is left in the raw mail."),
        ("base64", "The text is over 2 MiB; the rest is left in the raw mail."),
    ],
)
def test_what_is_over_a_cap_is_said(name: str, problem: str) -> None:
    assert problem in read(BOMBS[name]).problems


def test_a_mail_that_surprises_us_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(module, "read_parts", explode)
    inbound = read(b"From: a@example.com\n\nbody\x00")
    assert inbound.problems == ("The mail could not be read (RuntimeError: surprise).",)
    assert "body" in inbound.text
    assert unpack(inbound.blobs[0].packed) == b"From: a@example.com\n\nbody\x00"
