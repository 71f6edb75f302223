"""The conversation of the open ticket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo

from textual import events

from desk.model import Message, Millis
from tui.draw import Look
from tui.thread import Telling, hidden, told
from tui.widgets.lines import Lines


class Conversation(Lines):
    """Messages in time order; opens at the newest and stays there while it is in sight."""

    def __init__(self, look: Look, now: Callable[[], Millis], zone: tzinfo) -> None:
        super().__init__(look, "conversation")
        self.now, self.zone = now, zone
        self.thread: Sequence[Message] = ()
        self.unfolded: frozenset[int] = frozenset()
        self.why = False
        self.following = True

    def go(self, line: int) -> None:
        """Scroll so that `line` is the first one."""
        super().go(line)
        self.following = line + self.size.height >= len(self.lines)

    def show(self, thread: Sequence[Message], *, fresh: bool) -> None:
        """Show the messages; `fresh` begins at the end, else the place is kept unless the end was in sight."""
        follow = fresh or self.following
        self.thread = thread
        if fresh:
            self.unfolded, self.why = frozenset(), False
        self._tell()
        if follow:
            self.end()

    def _tell(self) -> None:
        self.put(told(self.thread, Telling(self.size.width, self.now(), self.zone, self.unfolded, self.why)))

    def unfold(self) -> bool:
        """Show the quotes of all messages, or fold them again; False when there are none."""
        folding = frozenset(m.id for m in self.thread if hidden(m))
        self.unfolded = frozenset() if self.unfolded else folding
        self._tell()
        return bool(folding)

    def explain(self) -> None:
        """Show why each message is on this ticket, or no longer."""
        self.why = not self.why
        self._tell()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap again; whoever read the end goes on reading it."""
        follow = self.following
        self._tell()
        if follow:
            self.end()
