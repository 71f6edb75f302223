"""Which ticket a message from outside belongs to, and why.

The first rule that holds wins, and its name is kept with the message:

- `token`: a reply token of ours, signed for the ticket, in References, In-Reply-To or
  a plus-address;
- `conversation`: the channel says it goes on a conversation that we hold;
- `references`: it names a message that we hold;
- `subject`: `[#1234]` in the subject, and the sender is on that ticket already;
- `new`: none of these.

A From line is forgeable and proves nothing: it is only ever compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from desk.store import Held

if TYPE_CHECKING:
    from desk.channel import Inbound

FORWARD = "forward"
"""The flag of a message that went to a third party; what comes back is an internal note."""

IN_PUBLIC, PRIVATE = "in-public", "private"
"""The flags of a message that everybody can read, and of one that answers such a message so that only they can."""

_TOKEN = re.compile(r"deskhand\.(\d{1,15})\.([0-9a-f]{16})(?:\.\d+)?", re.IGNORECASE)
_PLUS = re.compile(r"\+(\d{1,15})-([0-9a-f]{16})@", re.IGNORECASE)
_NUMBER = re.compile(r"\[#(\d{1,15})\]")


class Found(Struct, frozen=True):
    """The ticket (None: a new one), the rule that found it, and the message it answers.

    `suspect` is a ticket that the subject names without a right to.
    """

    ticket: int | None
    rule: str
    answers: Held | None = None
    suspect: int | None = None


class Signer:
    """Makes and checks the tokens by which an answer finds its ticket; `secret` is the store's own."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def mark(self, ticket: int) -> str:
        """The signature of a ticket's number, 16 hexadecimal digits."""
        import hashlib
        import hmac

        return hmac.new(self._secret, str(ticket).encode(), hashlib.sha256).hexdigest()[:16]

    def token(self, ticket: int) -> str:
        """The beginning of our Message-IDs for this ticket."""
        return f"deskhand.{ticket}.{self.mark(ticket)}"

    def plus(self, address: str, ticket: int) -> str:
        """Our address with the ticket's token in it."""
        local, _, domain = address.rpartition("@")
        return f"{local}+{ticket}-{self.mark(ticket)}@{domain}"

    def read(self, texts: Iterable[str], pattern: re.Pattern[str] = _TOKEN) -> int | None:
        """The ticket of the first genuine token in `texts`."""
        import hmac

        for text in texts:
            for number, mark in pattern.findall(text):
                if hmac.compare_digest(mark.lower(), self.mark(int(number))):
                    return int(number)
        return None

    def addressed(self, addresses: Iterable[str]) -> int | None:
        """The ticket of the first genuine plus-address."""
        return self.read(addresses, _PLUS)


def find(
    inbound: Inbound,
    account: str,
    signer: Signer,
    held: Callable[[Sequence[str]], list[Held]],
    on_ticket: Callable[[int, str], bool],
    answered: Held | None = None,
) -> Found:
    """Where `inbound` belongs; `held` looks up outside ids, `on_ticket` whether an address takes part in a ticket.

    `answered` is the message that the channel says it answers, if we hold it.
    """
    if answered is not None:
        return Found(answered.ticket, "references", answered)
    ids = tuple(dict.fromkeys((*inbound.in_reply_to, *reversed(inbound.references))))
    known = held((*((conversation_key(account, inbound.conversation),) if inbound.conversation else ()), *ids))
    answers = next((h for h in known if h.message_id in ids), None)
    for name in ids:
        if (ticket := signer.read((name,))) is not None:
            # Where the message is now: somebody may have moved it to another ticket.
            moved = next((h.ticket for h in known if h.message_id == name), ticket)
            return Found(moved, "token", answers)
    if (ticket := signer.addressed(i.value for i in (*inbound.to, *inbound.cc))) is not None:
        return Found(ticket, "token", answers)
    if known:
        return Found(known[0].ticket, "references" if known[0].message_id in ids else "conversation", answers)
    numbers = [int(n) for n in _NUMBER.findall(inbound.subject)]
    for number in numbers:
        if inbound.sender and on_ticket(number, inbound.sender.value):
            return Found(number, "subject")
    return Found(None, "new", suspect=numbers[0] if numbers else None)


def conversation_named(account: str, key: str | None) -> str | None:
    """What the channel calls the conversation with this key; None for one of another account."""
    return key[len(account) + 1 :] if key is not None and key.startswith(f"{account}\x1f") else None


def conversation_key(account: str, conversation: str) -> str:
    """The outside id under which a conversation of an account is held."""
    return f"{account}\x1f{conversation}"
