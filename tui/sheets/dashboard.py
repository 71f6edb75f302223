"""The desk at a glance: what waits, what is due, how the day goes, who is here, and whether the machinery runs."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from rich.cells import cell_len

from desk.model import DAY, HOUR, State
from desk.query import parse
from desk.store import relay_runs
from desk.when import brief, millis
from tui.draw import cut, flat, pad
from tui.edges import health
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import bars, groups, heading, said, tickets

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
    front, store, queue = app.front, app.front.desk.store, app.queue

    def read(width: int) -> Page:
        now, env = front.now(), queue.env()
        split = max(30, min(48, width * 3 // 10))
        left, right = split - 4, min(width - split - 1, 120)

        @cache
        def count(query: str) -> int:
            return store.count(parse(query, env))

        def lists() -> list[Entry]:
            found = []
            for name, view in queue.views.items():
                found.append(
                    _numbered(
                        view.title, count(view.query), left, f"view {name}", "overdue" if name == "breached" else "text"
                    )
                )
            return found

        def people() -> list[Entry]:
            loads, agents = store.workload(now), store.agents()
            at: dict[str, str] = {}
            for one in sorted(store.present(now), key=lambda p: p.doing == "writes"):
                at[one.agent] = f"{'writes on' if one.doing == 'writes' else 'at'} #{one.ticket}"
            names = sorted(
                (name for name, agent in agents.items() if agent.active),
                key=lambda name: (name not in at, -loads.get(name, 0), name),
            )
            found = []
            for name in names[:_MOST]:
                away = agents[name].away_until
                where = at.get(name) or ("away" if away is not None and away > now else "")
                word = f"  {where}" if where else ""
                shown = cut(flat(name), max(8, left - 8 - cell_len(word)))
                found.append(
                    Entry(
                        (
                            (shown, "strong" if name == front.me else "text"),
                            (pad(word, left - 8 - cell_len(shown)), "agent" if name in at else "faint"),
                            (f"{loads.get(name, 0):>8,}", "text"),
                        ),
                        line=f"filter is:open assignee:{name}",
                    )
                )
            if len(names) > _MOST:
                found.append(said(f"and {len(names) - _MOST:,} more"))
            return found

        def house() -> list[Entry]:
            found = []
            for account in store.accounts().values():
                word, style = health(account)
                found.append(
                    Entry(
                        ((pad(flat(account.name), left - 8), "text"), (pad(word, 8, right=True), style)), line="health"
                    )
                )
            if not relay_runs(store, now):
                found.append(Entry((("no relay is running", "notice"),), line="health"))
            return found

        def going_out() -> list[Entry]:
            waiting = store.outbox((State.QUEUED, State.DEFERRED, State.SENDING), limit=1_000)
            trouble = store.outbox((State.FAILED, State.BOUNCED, State.UNKNOWN), limit=1_000)
            later = sum(delivery.not_before > now + HOUR for delivery, _ in waiting)
            return [
                _numbered("waiting to go out", len(waiting) - later, left, "outbox"),
                *([_numbered("later than an hour", later, left, "outbox")] if later else []),
                *([_numbered("failed or unknown", len(trouble), left, "outbox", "trouble")] if trouble else []),
            ]

        def due() -> list[Entry]:
            most = 6 if width < 100 else 10
            page = store.page(parse(_DUE, env), sort="urgency", limit=most, agent=front.me)
            found = tickets(page.rows, now, right)
            if page.next is not None:
                more = count(_DUE) - len(found)
                found.append(Entry(((f"and {more:,} more", "quiet"),), line=f"filter {_DUE}"))
            return found or [said("Nothing is due in the next two hours.")]

        def day() -> list[Entry]:
            if front.me is None:
                return []
            here = datetime.fromtimestamp(now / 1000, front.zone)
            midnight = millis(here.replace(hour=0, minute=0, second=0, microsecond=0))
            mine = store.pace(midnight, DAY, 1, agent=front.me)
            rows = store.page(parse("created:today assignee:me", env), sort="newest", limit=_TODAY).rows
            replied = [
                row.ticket.first_reply_at - row.ticket.created_at
                for row in rows
                if row.ticket.first_reply_at is not None
            ]
            found = [said(f"{_many(mine.replied[0], 'reply', 'replies')}, {mine.solved[0]:,} solved", "text")]
            if replied:
                found.append(
                    said(f"first reply after {brief(int(median(replied)))}, the median of {len(replied)}", "text")
                )
            return found

        by_hour = _pace(store.pace(now - _HOURS * HOUR, HOUR, _HOURS), right)
        by_day = _pace(store.pace(now - 14 * DAY, DAY, 14), right)
        head = heading("Due in the next two hours")
        return Page(
            groups(
                (heading("Lists"), lists()), (heading("Who has how much"), people()),
                (heading("Going out"), going_out()), (heading("Accounts"), house()),
            ),
            beside=groups(
                (head, due()), (heading("Your day"), day()), (heading("The last 24 hours", "an hour each"), by_hour),
                (heading("The last 14 days", "a day each"), by_day),
            ),
            split=split,
        )  # fmt: skip

    return Sheet(
        "The desk", read, hints=(("show", "go there"), ("across", "other side"), ("narrow", "narrow"), ("back", "back"))
    )


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
