"""channels.email: the account as the relay sees it."""

from __future__ import annotations

import channels.email as email
from desk.channel import Poller, Sender, Stream
from desk.model import Identity
from tests.channels.email.accounts import account


def test_mail_is_read_awaited_and_sent() -> None:
    channel = email.open("support", account())
    assert isinstance(channel, Poller)
    assert isinstance(channel, Stream)
    assert isinstance(channel, Sender)


def test_capabilities_of_mail() -> None:
    can = email.open("support", account()).capabilities
    assert (can.subject, can.copies, can.markup, can.may_start, can.idempotent) == (True, True, "markdown", True, False)
    assert can.attachment_limit_bytes == 18 * 2**20


def test_own_addresses_begin_with_the_one_we_write_as() -> None:
    settings = account(name="Example Support", aliases=("Help@desk.test",))
    assert list(email.open("support", settings).addresses) == [
        Identity("email", "support@desk.test", "Example Support"),
        Identity("email", "help@desk.test", "Example Support"),
    ]


async def test_closing_what_was_never_open_is_fine() -> None:
    channel = email.open("support", account())
    await channel.close()
    assert channel.addresses, "it can still be asked who it is"
