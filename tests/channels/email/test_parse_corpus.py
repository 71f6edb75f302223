"""channels.kit.mail.parser against mails whose truth is known."""

from __future__ import annotations

import hashlib

from bench.gencorpus import generate
from tests.channels.email.mails import read


def test_well_formed_mail_is_read_as_it_was_meant() -> None:
    for message in generate(300, seed=11):
        inbound = read(message.raw)
        assert inbound.sender is not None
        assert inbound.subject == message.subject
        assert (inbound.sender.display, inbound.sender.value) == (message.sender_name, message.sender_address)
        assert [one.value for one in inbound.to] == [message.recipient_address]
        assert inbound.text == message.text
        assert inbound.at == message.timestamp * 1000
        assert inbound.message_id == message.message_id
        assert inbound.in_reply_to == ((message.in_reply_to,) if message.in_reply_to else ())
        assert list(inbound.references) == message.references
        assert [(file.name, file.content_type, file.size, file.sha256) for file in inbound.attachments] == [
            (file.name, file.content_type, len(file.data), hashlib.sha256(file.data).hexdigest())
            for file in message.attachments
        ]
        assert inbound.problems == ()


def test_mail_between_people_is_never_taken_for_automatic() -> None:
    assert not [message.index for message in generate(600, seed=12) if read(message.raw).automatic]


def test_quotes_and_signatures_are_not_visible() -> None:
    for message in generate(300, seed=13):
        shown = read(message.raw).visible
        assert "\n> " not in shown
        assert "\n-- \n" not in shown
        assert shown.strip()
