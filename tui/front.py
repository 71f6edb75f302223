"""What the screen is given when it starts: it finds nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from desk.model import Millis
from desk.perform import Desk, Who
from themes import Theme


@dataclass(frozen=True)
class Front:
    """The desk, who sits at it, and the outside world as functions.

    `now` is the clock, `new_batch` makes the id of a change, `read_file` gives (name,
    content type, bytes) of a path to attach. `query` is the list to begin with.
    """

    desk: Desk
    who: Who
    now: Callable[[], Millis]
    new_batch: Callable[[], str]
    theme: Theme
    zone: tzinfo = UTC
    query: str = "is:open"
    read_file: Callable[[str], tuple[str, str, bytes]] | None = None
    demo: bool = False
    editor: tuple[str, ...] = ("vi",)

    @property
    def me(self) -> str | None:
        """The name of the agent at this screen; None for somebody the desk does not know."""
        return self.who.agent.name if self.who.agent else None
