"""Where a channel is proven: an account of it, opened against something real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

import channels
from desk.channel import Channel
from desk.model import Identity


class Ground(Struct):
    """One account of a kind, on something real: opened anew by `open`, with news to read made by `news`.

    `customer` is who may be written to, in `conversation` where the kind needs one.
    """

    kind: str
    settings: Any
    news: Callable[[], None]
    customer: Identity = Identity("email", "ann@desk.test", "Ann")
    conversation: str | None = None

    def open(self) -> Channel:
        """The account, as another process would open it."""
        return channels.load(self.kind).open("support", self.settings)
