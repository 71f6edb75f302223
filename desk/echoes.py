"""Our own words coming back: what the desk sent is told from what a colleague said with another program."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from desk.channel import Inbound
from desk.lengths import length
from desk.model import MINUTE, Direction, Message, Millis, State
from desk.store import Tx

_SOON: Millis = 15 * MINUTE
_TELLING = 20
_NAMES = re.compile(r"(?:@\S+\s+)+")


class Echo(Struct, frozen=True):
    """The message that came back; all of it (`whole`), or a part of a text that was too long for one."""

    message: Message
    whole: bool


def echoed(tx: Tx, account: str, item: Inbound, thread: Sequence[Message]) -> Echo | None:
    """Which message of the desk `item` is, that an account of ours wrote; None for what somebody wrote elsewhere."""
    for message in reversed(thread):
        if _awaited(tx, account, item, message):
            if _says_the_same(item, message):
                return Echo(message, True)
            if _is_part(tx, item, message):
                return Echo(message, False)
    return None


_UNDER_WAY = (State.SENDING, State.DEFERRED, State.UNKNOWN, State.SENT)
"""What may be there already: with a key that makes one of two, also what is to be sent again."""


def _awaited(tx: Tx, account: str, item: Inbound, message: Message) -> bool:
    """Whether it can be `message`: not long ago, and nobody said yet what that is called there."""
    if message.direction is not Direction.OUT or message.account != account or message.agent is None:
        return False
    if message.state not in _UNDER_WAY or abs(item.received_at - message.at) > _SOON:
        return False
    return not all(delivery.remote_id for delivery in tx.deliveries(message.id))


def _says_the_same(item: Inbound, message: Message) -> bool:
    """A few words that it also says do not make it the same, and no words at all say nothing."""
    said, wrote = _words(item), _words(message)
    return wrote in (said, _NAMES.sub("", said, count=1)) or (len(wrote) >= _TELLING and wrote in said)


def _is_part(tx: Tx, item: Inbound, message: Message) -> bool:
    account, said = tx.accounts().get(message.account), _words(item)
    if not said or account is None or account.capabilities is None:
        return False
    limit, unit = account.capabilities.limit(public=item.public)
    return limit is not None and length(message.text, unit) > limit and said in _words(message)


def _words(said: Inbound | Message) -> str:
    return " ".join(said.text.split())


__all__ = ["Echo", "echoed"]
