"""The desk at a glance: what waits, what is due, how the day goes, who is here, and whether the machinery runs."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from rich.cells import cell_len

from desk.hosts import relay_runs
from desk.model import DAY, HOUR, State
from desk.query import parse
from desk.when import brief, millis
from tui.draw import cut, flat, pad
from tui.edges import health
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import bars, cell, groups, heading, said, tickets

if TYPE_CHECKING:
    from desk.model import Pace
    from tui.app import DeskApp

_DUE = "is:open due:<2h"
_MOST = 12
"""Agents that are named one by one."""

_HOURS = 24

_TODAY = 50
"""Of so many of today's tickets, the newest, the first replies are looked at."""


def sheet(app: DeskApp, rest: str) -> Sheet:
    """All of it, read anew as things happen."""
    return Sheet(
        "The desk",
        lambda width: _Glance(app, width).page(),
        hints=(("show", "go there"), ("across", "other side"), ("narrow", "narrow"), ("back", "back")),
    )


class _Glance:
    """One look at the desk: each part of it, for a width and as of one moment."""

    def __init__(self, app: DeskApp, width: int) -> None:
        self._front, self._store, self._queue = app.front, app.front.desk.store, app.queue
        self._now, self._env, self._width = app.front.now(), app.queue.env(), width
        self._split = max(30, min(48, width * 3 // 10))
        self._left, self._right = self._split - 4, min(width - self._split - 1, 120)
        # A view and what is due may ask the same.
        self._count = cache(lambda query: app.front.desk.store.count(parse(query, self._env)))

    def page(self) -> Page:
        """Both columns."""
        by_hour = _pace(self._store.pace(self._now - _HOURS * HOUR, HOUR, _HOURS), self._right)
        by_day = _pace(self._store.pace(self._now - 14 * DAY, DAY, 14), self._right)
        return Page(
            groups(
                (heading("Lists"), self.lists()), (heading("Who has how much"), self.people()),
                (heading("Going out"), self.going_out()), (heading("Accounts"), self.house()),
            ),
            beside=groups(
                (heading("Due in the next two hours"), self.due()), (heading("Your day"), self.day()),
                (heading("The last 24 hours", "an hour each"), by_hour), (heading("The last 14 days", "a day each"), by_day),
            ),
            split=self._split,
        )  # fmt: skip

    def lists(self) -> list[Entry]:
        """Every saved view with its count."""
        found = []
        for name, view in self._queue.views.items():
            found.append(
                _numbered(
                    view.title,
                    self._count(view.query),
                    self._left,
                    f"view {name}",
                    "overdue" if name == "breached" else "text",
                )
            )
        return found

    def people(self) -> list[Entry]:
        """Who is here and who has how much."""
        loads, agents = self._store.workload(self._now), self._store.agents()
        at: dict[str, str] = {}
        for one in sorted(self._store.present(self._now), key=lambda p: p.doing == "writes"):
            if one.agent == self._front.me and not one.ticket:
                continue
            # Somebody may have a second screen, which shows a list.
            where = f"{'writes on' if one.doing == 'writes' else 'at'} #{one.ticket}" if one.ticket else "here"
            at[one.agent] = where if one.ticket else at.get(one.agent, where)
        names = sorted(
            (name for name, agent in agents.items() if agent.active),
            key=lambda name: (name not in at, -loads.get(name, 0), name),
        )
        found = []
        for name in names[:_MOST]:
            away = agents[name].away_until
            where = at.get(name) or ("away" if away is not None and away > self._now else "")
            gap = "  " if where else ""
            shown = cut(flat(name), max(8, self._left - 8 - cell_len(gap + where))) + gap
            found.append(
                Entry(
                    (
                        (shown, "strong" if name == self._front.me else "text"),
                        *cell((where, "agent" if name in at else "faint"), self._left - 8 - cell_len(shown)),
                        (f"{loads.get(name, 0):>8,}", "text"),
                    ),
                    line=f"filter is:open assignee:{name}",
                )
            )
        if len(names) > _MOST:
            found.append(said(f"and {len(names) - _MOST:,} more"))
        return found

    def house(self) -> list[Entry]:
        """How accounts and relay fare."""
        found = []
        for account in self._store.accounts().values():
            word, style = health(account)
            found.append(
                Entry(
                    ((pad(flat(account.name), self._left - 8), "text"), *cell((word, style), 8, right=True)),
                    line="health",
                )
            )
        if not relay_runs(self._store, self._now):
            found.append(Entry((("no relay is running", "notice"),), line="health"))
        return found

    def going_out(self) -> list[Entry]:
        """What is on its way out, and what did not get there."""
        waiting = self._store.outbox((State.QUEUED, State.DEFERRED, State.SENDING), limit=1_000)
        trouble = self._store.outbox((State.FAILED, State.BOUNCED, State.UNKNOWN), limit=1_000)
        later = sum(delivery.not_before > self._now + HOUR for delivery, _ in waiting)
        return [
            _numbered("waiting to go out", len(waiting) - later, self._left, "outbox"),
            *([_numbered("later than an hour", later, self._left, "outbox")] if later else []),
            *([_numbered("failed or unknown", len(trouble), self._left, "outbox", "trouble")] if trouble else []),
        ]

    def due(self) -> list[Entry]:
        """What is due first."""
        most = 6 if self._width < 100 else 10
        page = self._store.page(parse(_DUE, self._env), sort="urgency", limit=most, agent=self._front.me)
        found = tickets(page.rows, self._now, self._right)
        if page.next is not None:
            more = self._count(_DUE) - len(found)
            found.append(Entry(((f"and {more:,} more", "quiet"),), line=f"filter {_DUE}"))
        return found or [said("Nothing is due in the next two hours.")]

    def day(self) -> list[Entry]:
        """What the agent did today."""
        if self._front.me is None:
            return []
        here = datetime.fromtimestamp(self._now / 1000, self._front.zone)
        midnight = millis(here.replace(hour=0, minute=0, second=0, microsecond=0))
        mine = self._store.pace(midnight, DAY, 1, agent=self._front.me)
        rows = self._store.page(parse("created:today assignee:me", self._env), sort="newest", limit=_TODAY).rows
        replied = [
            row.ticket.first_reply_at - row.ticket.created_at for row in rows if row.ticket.first_reply_at is not None
        ]
        found = [said(f"{_many(mine.replied[0], 'reply', 'replies')}, {mine.solved[0]:,} solved", "text")]
        if replied:
            found.append(said(f"first reply after {brief(int(median(replied)))}, the median of {len(replied)}", "text"))
        return found


def _numbered(text: str, count: int, width: int, line: str, style: str = "text") -> Entry:
    number = f"{count:,}"
    words = (pad(flat(text), width - 8) + " " * (8 - len(number)), "text" if count else "quiet")
    return Entry((words, (number, style if count else "faint")), line=line)


def _pace(pace: Pace, width: int) -> list[Entry]:
    """A line for each kind of work: its course, how much of it in all, and the most in one step."""
    kinds = (("opened", pace.opened), ("replied", pace.replied), ("solved", pace.solved))
    most = max(max(values, default=0) for _, values in kinds)
    if not most:
        return [said("Nothing came in, and nothing was done.")]
    step = 2 if width >= _HOURS * 2 + 30 else 1
    return [
        Entry(
            (
                (pad(name, 9), "quiet"),
                # As wide as a day of hours: the numbers stand below each other.
                (pad("".join(bar * step for bar in bars(values, most)), _HOURS * step), "text"),
                (f"{sum(values):>8,}", "text"),
                (f"  most {max(values):,}" if width >= 52 else "", "quiet"),
            ),
            heads=True,
        )
        for name, values in kinds
    ]


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
