"""What is written: the signs of chat clients, the length of a stanza, and nothing that XML cannot hold."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from channels.xmpp import Settings, writing
from channels.xmpp.account import TEXT_BYTES, Account
from channels.xmpp.names import outgoing
from channels.xmpp.styling import styled
from desk.channel import Permanent
from tests.channels.xmpp.seats import answer


@pytest.fixture
def account() -> Account:
    return Account("support", Settings(address="support@localhost", rooms=("help@rooms.localhost",)))


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**bold** and *it*", "*bold* and _it_"),
        ("__bold__ and _it_", "*bold* and _it_"),
        ("~~gone~~", "~gone~"),
        ("***both***", "*_both_*"),
        ("# Title\ntext", "*Title*\ntext"),
        ("[here](https://example.com/a_b_c)", "here (https://example.com/a_b_c)"),
        ("[https://example.com](https://example.com)", "https://example.com"),
        ("![](https://example.com/a.png)", "https://example.com/a.png"),
        ("`**kept**` and\n```\n# **kept**\n```", "`**kept**` and\n```\n# **kept**\n```"),
        ("https://example.com/__init__.py", "https://example.com/__init__.py"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("- one\n- two\n> quoted", "- one\n- two\n> quoted"),
        (r"\*no\* stars", "*no* stars"),
        ("* a\n* b", "* a\n* b"),
    ],
)
def test_markdown_as_message_styling(markdown: str, text: str) -> None:
    assert styled(markdown) == text


def test_a_long_text_goes_in_pieces_that_fit(account: Account) -> None:
    parts = account.render(answer("ann@example.com", "Ein längerer Satz. " * 2000))
    bodies = [json.loads(part.data)["body"] for part in parts]
    assert len(bodies) > 3
    assert all(len(body.encode()) <= TEXT_BYTES for body in bodies)
    assert len({outgoing("m", "key", f"0/{json.loads(part.data)['n']}") for part in parts}) == len(parts)


def test_what_xml_cannot_hold_is_left_out(account: Account) -> None:
    [part] = account.render(answer("ann@example.com", "a\x00b\x07c\x1b[31m\ufffe\ud800d\r\n\u202ee]]>&<"))
    data = json.loads(part.data)
    written = ET.tostring(writing.stanza(data, "an-id", "ann@example.com", data["body"]), encoding="unicode")
    assert ET.fromstring(written).findtext("{jabber:client}body") == data["body"]
    assert data["body"] == "a\ufffdbc[31m?d\n\u202ee]]>&<"


def test_the_same_draft_is_the_same_message_and_another_is_not(account: Account) -> None:
    draft = answer("ann@example.com")
    assert account.render(draft) == account.render(draft)
    assert outgoing("m", "deskhand-1-7", "1/0") == outgoing("m", "deskhand-1-7", "1/0")
    # Two desks can come to the same key.
    assert outgoing("m", "deskhand-1-7", "1/0") != outgoing("n", "deskhand-1-7", "1/0")
    assert outgoing("m", "deskhand-1-7", "1/0") != outgoing("m", "deskhand-2-7", "1/0")


def test_a_room_is_spoken_to_as_a_room(account: Account) -> None:
    [part] = account.render(answer("ann@example.com", conversation="help@rooms.localhost"))
    [private] = account.render(answer("ann@example.com", conversation="help@rooms.localhost", private=True))
    assert (json.loads(part.data)["kind"], part.recipients) == ("groupchat", ("help@rooms.localhost",))
    assert (json.loads(private.data)["kind"], private.recipients) == ("chat", ("ann@example.com",))


@pytest.mark.parametrize("to", ["", "ann", "12345"])
def test_what_has_no_address_is_refused(account: Account, to: str) -> None:
    with pytest.raises(Permanent, match="write to an XMPP address"):
        account.render(answer(to))
    with pytest.raises(Permanent, match="nothing to send"):
        account.render(answer("ann@example.com", " \n"))
