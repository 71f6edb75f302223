"""Who may be one person: customers that look alike, each with the reason, for an agent to say yes or no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from desk.model import Customer, Direction, Identity, Message

_SHORT = 5


class Alike(Struct, frozen=True):
    """Somebody who may be the customer too, by which identity of theirs, and why one might think so."""

    customer: Customer
    identity: Identity
    reason: str


def mentioned(thread: Sequence[Message]) -> Iterator[str]:
    """Mail addresses that the customer wrote into messages: perhaps their own."""
    import re

    for message in thread:
        if message.direction is Direction.IN:
            for found in re.finditer(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", message.visible[:20_000]):
                yield found[0].lower().rstrip(".")


def named_alike(name: str) -> bool:
    """Whether a name says anything: two words at least, or one that is long."""
    words = name.split()
    return len(words) > 1 or len(name) > 2 * _SHORT


__all__ = ["Alike", "mentioned", "named_alike"]
