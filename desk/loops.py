"""Whether a program of ours may answer by itself, so that two programs never talk to each other for long.

No automatic mail is ever answered by a machine (RFC 3834, 2), nor are we ourselves; and
because not every program says that it is one, an address gets at most `A_DAY` automatic
mails a day, and `SAME_A_DAY` with one subject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from desk.channel import Inbound
from desk.model import DAY, Millis

A_DAY = 10
SAME_A_DAY = 2

_PREFIXES = re.compile(
    r"^(?:\s*(?:re|aw|fwd?|wg|sv|tr|rv|odp|ha|回复|答复|転送)\s*(?:\[\d+\])?\s*[:：])+\s*", re.IGNORECASE
)


class Answered(Struct, frozen=True):
    """An automatic mail that went out to an address."""

    at: Millis
    subject: str


def bare(subject: str) -> str:
    """A subject without the prefixes that answers add."""
    return " ".join(_PREFIXES.sub("", subject).casefold().split())[:200]


def refusal(
    item: Inbound, own: frozenset[str], history: Sequence[Answered], undeliverable: bool, at: Millis
) -> str | None:
    """Why nothing may answer `item` by itself; None when something may.

    `history` are the automatic mails the sender got; "loop" is the answer that deserves
    a flag an agent sees.
    """
    if item.automatic is not None or item.bounce is not None:
        return "automatic"
    if item.sender is None or item.sender.kind != "email":
        return "nobody to answer"
    if item.sender.value in own:
        return "ourselves"
    if undeliverable:
        return "undeliverable"
    recent = [sent for sent in history if at - DAY < sent.at <= at]
    if len(recent) >= A_DAY or sum(sent.subject == bare(item.subject) for sent in recent) >= SAME_A_DAY:
        return "loop"
    return None
