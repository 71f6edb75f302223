"""What an agent is told without asking: that something on their tickets wants them; how, is theirs to choose."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from desk.model import SECOND, Direction, Kind, Millis
from tui import signals
from tui.draw import flat

if TYPE_CHECKING:
    from desk.config import NotifyConfig
    from desk.events import Record
    from desk.store import Row, Store
    from tui.app import DeskApp

EVENTS = {
    "assigned": ("assigned", "assigned"),
    "reply": ("new reply", "new replies"),
    "mention": ("mention", "mentions"),
    "due": ("due", "due"),
    "breached": ("overdue", "overdue"),
    "failed": ("not delivered", "not delivered"),
}
"""What an agent can be told of, and what one and several of it are called."""

_STAYS: Millis = 8 * SECOND
"""So long a notice stands in the last line, unless a key is pressed."""

_APART: Millis = 10 * SECOND
"""No two notices come closer: what happens meanwhile is told with the next one."""

_KEPT = 500


class Notice(Struct, frozen=True):
    """Something that happened to a ticket of the agent's."""

    at: Millis
    event: str
    ticket: int
    text: str


def heard(store: Store, me: str, records: Sequence[Record], own: Collection[str] = ()) -> list[Notice]:
    """What of these lines of the log `me` should know, in their order; nothing that they did themselves.

    Theirs are the tickets that they have or watch.
    """
    lines = [
        record
        for record in records
        if record.entity == "ticket" and record.agent != me and record.batch not in own and not record.source.startswith("import:")
        and (record.kind in ("Posted", "Clock", "Delivered") or _assigns(record, me))
    ]  # fmt: skip
    rows = {row.ticket.id: row for row in store.rows(sorted({int(record.about) for record in lines}))}
    found: dict[tuple[str, int, str], Notice] = {}
    for record in lines:
        row = rows.get(int(record.about))
        event = row and _event(store, me, record, row)
        if row and event:
            found.setdefault(
                (record.batch, row.ticket.id, event), Notice(record.at, event, row.ticket.id, _text(event, record, row))
            )
    return list(found.values())


def _assigns(record: Record, me: str) -> bool:
    return record.kind == "Changed" and record.data["field"] == "assignee" and record.data["added"] == me


def _event(store: Store, me: str, record: Record, row: Row) -> str:
    """Which of EVENTS a line is; "" for none."""
    data, mine = record.data, me in (row.ticket.assignee, *row.ticket.watchers)
    match record.kind:
        case "Changed":
            return "assigned"
        case "Posted" if data["direction"] == Direction.IN and data["kind"] != Kind.SYSTEM:
            return "reply" if mine else ""
        case "Posted" if data["kind"] == Kind.NOTE:
            said = next((m.text for m in store.thread(row.ticket.id) if m.id == data["message"]), "")
            return "mention" if re.search(rf"(?<![\w@.]){re.escape('@' + me)}(?![\w-])", said, re.IGNORECASE) else ""
        case "Clock":
            return {"warn": "due", "breach": "breached"}.get(data["what"], "") if mine else ""
        case "Delivered" if data["state"] in ("failed", "bounced", "unknown"):
            wrote = mine or any(m.id == data["message"] and m.agent == me for m in store.thread(row.ticket.id))
            return "failed" if wrote else ""
    return ""


def _text(event: str, record: Record, row: Row) -> str:
    where, who = f"#{row.ticket.id}", flat(record.agent or "")
    begun = {
        "assigned": f"{who or 'a rule'} gave you {where}",
        "reply": f"{flat(row.customer.name or row.customer.address)} wrote on {where}",
        "mention": f"{who or 'somebody'} names you on {where}",
        "due": f"{where} is due soon",
        "breached": f"{where} is overdue",
        "failed": f"a message on {where} is {record.data.get('state', 'failed')}",
    }[event]
    return f"{begun}: {flat(row.ticket.subject)}"


class Notices:
    """Keeps the notices of this session, and tells of them."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.log: deque[Notice] = deque(maxlen=_KEPT)
        self.unread = 0
        self.since = 0
        """Where the log stood when this session began."""
        self._waiting: list[Notice] = []
        self._to_title: Counter[str] = Counter()
        self._titled = ""
        self._told_at: Millis | None = None
        self._line = ""

    @property
    def _how(self) -> NotifyConfig:
        """In which ways to tell of what; another after the configuration was read again."""
        return self._app.front.notify

    async def hear(self, records: Sequence[Record]) -> None:
        """Something happened at the desk."""
        app, me = self._app, self._app.front.me
        if me is None or not records:
            return
        own = frozenset(app.own)
        found = await app.runner.read(lambda: heard(app.front.desk.store, me, records, own))
        wanted = [one for one in found if getattr(self._how, one.event)]
        self.log += found
        self.unread += len(found)
        self._waiting += wanted
        self._to_title.update(one.event for one in wanted if "title" in getattr(self._how, one.event))
        self.tick()

    def seen(self) -> None:
        """The agent has looked at them all."""
        self.unread = 0
        self._to_title.clear()
        self._entitle()

    def told(self) -> str:
        """How many nobody has looked at: `3 notices`; "" for none."""
        return f"{self.unread:,} {'notice' if self.unread == 1 else 'notices'}" if self.unread else ""

    # -- telling ------------------------------------------------------------------

    def tick(self) -> None:
        """A second went by: tell what waits, when it may be told."""
        app = self._app
        now = app.front.now()
        if self._line and self._told_at is not None and now - self._told_at >= _STAYS:
            # The keys that matter are of more use by then; the notice itself stays where all of them are.
            app.edges.hush(self._line)
            self._line = ""
        soon = self._told_at is not None and now - self._told_at < _APART
        if not self._waiting or soon or app.runner.away:
            return
        # A text under way is not talked into; the rest needs no look.
        calm = not (app.prompting.active or app.writing.stage or app.edges.talking)
        if not calm and any("line" in getattr(self._how, one.event) for one in self._waiting):
            return
        found, self._waiting, self._told_at = self._waiting, [], now
        for way in ("line", "bell", "desktop"):
            some = [one for one in found if way in getattr(self._how, one.event)]
            if not some:
                continue
            if way == "line":
                self._line = f"{joined(some)} · {app.hands.key('notices')} shows {'it' if len(some) == 1 else 'them'}"
                app.say(self._line, "notice")
            elif way == "bell":
                self._signal(signals.BELL)
            else:
                means = signals.way_to_a_desktop(os.environ) if self._how.desktop == "auto" else self._how.desktop
                self._signal(signals.desktop(joined(some), means, tmux=bool(os.environ.get("TMUX"))))
        self._entitle()

    def _entitle(self) -> None:
        titled = ", ".join(_many(event, count) for event, count in self._to_title.items())
        if titled != self._titled:
            begins = signals.SAVE_TITLE if not self._titled else ""
            self._signal(begins + signals.title(f"deskhand {titled}") if titled else signals.RESTORE_TITLE)
            self._titled = titled

    def close(self) -> None:
        """Leave the terminal with the title it had."""
        self._to_title.clear()
        self._entitle()

    def _signal(self, sequence: str) -> None:
        if (driver := self._app._driver) is not None:
            driver.write(sequence)
            driver.flush()


def joined(notices: Sequence[Notice]) -> str:
    """One notice as it is, several by how many there are of each kind: `2 new replies, 1 overdue`."""
    if len(notices) == 1:
        return notices[0].text
    return ", ".join(_many(event, count) for event, count in Counter(one.event for one in notices).items())


def _many(event: str, count: int) -> str:
    return f"{count:,} {EVENTS[event][count > 1]}"
