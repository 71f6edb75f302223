"""A message as it goes over the wire, for whoever wants to see it before it is sent."""

from __future__ import annotations

from desk.model import Message


def as_sent(message: Message, text: str) -> str:
    """The mail that its recipients get, without the bytes of files; what only the relay knows is left out."""
    from channels.kit.mail.render import render
    from desk.channel import Outgoing
    from desk.errors import Invalid

    if message.channel != "email" or message.sender is None:
        raise Invalid("only mail has more to show than this")
    draft = Outgoing(
        message.ticket, message.message_id or "", message.at, message.sender, message.to, text, message.subject,
        message.cc, message.bcc,
    )  # fmt: skip
    return render(draft).data.decode("utf-8", "replace").replace("\r\n", "\n")
