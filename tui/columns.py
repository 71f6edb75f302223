"""The columns of the queue: which ones fit, where they stand, and what each says of a ticket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from rich.cells import cell_len

from desk.model import Customer, Millis, Presence, Priority, Status, Ticket
from desk.store import Row
from tui.clock import age, due
from tui.draw import cut, flat, pad

GUTTER = 2
"""The cursor's cell, and one for a mark or the sign of something unread."""

TIMED = ("due", "age", "updated")
"""The columns that change by themselves."""

Pieces = tuple[tuple[str, str], ...]
"""A cell as (text, name of a style) pairs, together as wide as its column."""

STATUS = {
    Status.NEW: "new",
    Status.OPEN: "open",
    Status.PENDING: "pend",
    Status.ON_HOLD: "hold",
    Status.SOLVED: "solv",
    Status.CLOSED: "clsd",
}
_STATUS_STYLE = {Status.NEW: "strong", Status.OPEN: "text"}
PRIORITY = {Priority.LOW: "low", Priority.NORMAL: "norm", Priority.HIGH: "high", Priority.URGENT: "urg"}
_PRIORITY_STYLE = {Priority.LOW: "faint", Priority.NORMAL: "quiet", Priority.HIGH: "high", Priority.URGENT: "urgent"}
_CHANNELS = {
    "email": "mail",
    "stackexchange": "stack exchange",
    "nntp": "newsgroup",
    "x": "X",
    "irc": "IRC",
    "xmpp": "XMPP",
}
_SHORT = {
    "telegram": "tgram", "discourse": "forum", "mastodon": "masto", "stackexchange": "stack", "nntp": "news",
    "facebook": "page", "messenger": "msgr", "instagram": "insta",
}  # fmt: skip
"""The words for a column, where those of `_CHANNELS` are too long."""
VIEWS, WRITES = "views", "writes"
"""What somebody may do at a ticket, as `Presence.doing` has it."""

_DUE = 10


class Column(Struct, frozen=True):
    """One column in its place: `x` counted from the left edge, both in cells."""

    name: str
    title: str
    x: int
    width: int
    right: bool = False


class Case(Struct, frozen=True):
    """What there is to say of a ticket: its row, who looks at it and when, who else is `there`, whether it is `gone`."""

    row: Row
    now: Millis
    me: str | None = None
    there: Sequence[Presence] = ()
    gone: bool = False


def layout(width: int, number: int = 4, chosen: Sequence[str] = ()) -> tuple[Column, ...]:
    """The columns for a list of `width` cells whose ticket numbers have up to `number` digits.

    Eighty cells keep clock, status, number, subject and who; the rest comes with room. A view
    has those it names, as many as there is room for.
    """
    if chosen:
        return _placed(_chosen(width, number, chosen), width)
    # One cell of the screen is the scrollbar's: these are screens of 100, 140, 160, 180 and 220 cells.
    some, wide, tagged, vast, most = (width >= least for least in (99, 139, 159, 179, 219))
    plan: _Plan = [("due", "DUE", _DUE, 1, True), ("status", "ST", 4, 2, False)]
    if some:
        plan.append(("priority", "PR", 4, 2, False))
    plan += [("number", "NO", max(4, number), 2, True), ("subject", "SUBJECT", 0, 2, False)]
    if tagged:
        plan.append(("tags", "TAGS", 18 if vast else 14, 2, False))
    if some:
        plan += [
            ("requester", "REQUESTER", 32 if vast else 26 if wide else 18, 2, False),
            ("channel", "CH", 6, 2, False),
        ]
    if most:
        plan.append(("team", "TEAM", 10, 2, False))
    plan.append(("who", "WHO", 10 if wide else 8, 2, False))
    if some:
        plan.append(("age", "AGE", 4, 1, True))
    if most:
        plan.append(("updated", "UPD", 4, 1, True))
    return _placed(plan, width)


_Plan = list[tuple[str, str, int, int, bool]]
"""Columns from the left: name, title, width (0: what is left), the gap behind, whether it stands right."""

_WIDTHS = {"due": _DUE, "status": 4, "priority": 4, "tags": 18, "requester": 26, "channel": 6, "team": 10, "who": 10}
_TITLES = {"status": "ST", "priority": "PR", "number": "NO", "channel": "CH", "updated": "UPD"}


def _chosen(width: int, number: int, names: Sequence[str]) -> _Plan:
    plan: _Plan = []
    left = width - GUTTER
    for name in names:
        size = 0 if name == "subject" else max(4, number) if name == "number" else _WIDTHS.get(name, 4)
        if (left := left - max(8, size) - 2) >= 0 or not plan:
            plan.append((name, _TITLES.get(name, name.upper()), size, 2, name in ("due", "number", "age", "updated")))
    if all(size for _, _, size, _, _ in plan):
        # Something takes what is left of the line.
        name, title, _, gap, _ = plan[-1]
        plan[-1] = (name, title, 0, gap, False)
    return plan


def _placed(plan: _Plan, width: int) -> tuple[Column, ...]:
    taken = GUTTER + sum(size + gap for _, _, size, gap, _ in plan)
    columns, x = [], GUTTER
    for name, title, size, gap, right in plan:
        size = size or max(8, width - taken)
        columns.append(Column(name, title, x, size, right))
        x += size + gap
    return tuple(columns)


def heading(columns: tuple[Column, ...]) -> str:
    """The line of titles."""
    line = ""
    for column in columns:
        title = "DUE  " if column.name == "due" else column.title
        line = pad(line, column.x) + pad(title, column.width, right=column.right)
    return line


def channel(name: str) -> str:
    """The word for a channel."""
    return _CHANNELS.get(name, flat(name)) or "-"


def requester(customer: Customer, width: int) -> str:
    """Whose ticket it is, with their organisation where there is room for both."""
    name = flat(customer.name) or flat(customer.address)
    return cut(f"{name} · {flat(customer.organisation)}" if customer.organisation and width >= 26 else name, width)


def cell(column: Column, case: Case) -> Pieces:
    """What `column` says of the ticket; quietly when it is gone from the list's query."""
    pieces = _CELLS[column.name](case, column.width)
    left = column.width - sum(cell_len(text) for text, _ in pieces)
    if left < 0:
        pieces, left = _fitted(pieces, column.width), 0
    if left:
        blank = (" " * left, "text")
        pieces = (blank, *pieces) if column.right else (*pieces, blank)
    return tuple((text, "gone") for text, _ in pieces) if case.gone else pieces


def _fitted(pieces: Pieces, width: int) -> Pieces:
    """As much of a cell as a very narrow column has room for."""
    fitted = []
    for text, style in pieces:
        text = pad(text, width) if cell_len(text) > width else text
        width -= cell_len(text)
        fitted.append((text, style))
    return tuple(fitted)


def people(there: Sequence[Presence]) -> str:
    """Who is at a ticket, and what they do there: `kim writes, sam looks`; the writers first, "" for nobody."""
    doing = {who.agent: "looks" for who in there} | {who.agent: "writes" for who in there if who.doing == WRITES}
    told = [
        f"{cut(flat(name), 12)} {word}"
        for name, word in sorted(doing.items(), key=lambda one: (one[1] != WRITES, one[0]))
    ]
    return ", ".join(told[:2]) + (f" +{len(told) - 2}" if len(told) > 2 else "")


def _due(case: Case, width: int) -> Pieces:
    text, style = ("gone", "gone") if case.gone else due(case.row.ticket, case.now)
    # Numbers align with and without the sign behind them.
    aligned = pad(text if text[-1] in "!~" else text + "  ", width, right=True)
    bare = aligned.lstrip()
    return ((aligned[: len(aligned) - len(bare)], "text"), (bare, style))


def _status(case: Case, width: int) -> Pieces:
    status = case.row.ticket.status
    return ((STATUS[status], _STATUS_STYLE.get(status, "quiet")),)


def _priority(case: Case, width: int) -> Pieces:
    priority = case.row.ticket.priority
    return ((PRIORITY[priority], _PRIORITY_STYLE[priority]),)


def _number(case: Case, width: int) -> Pieces:
    return ((str(case.row.ticket.id), "quiet"),)


def _subject(case: Case, width: int) -> Pieces:
    row = case.row
    signs = [("  ", "text"), (f"! {row.trouble.value}", "trouble")] if row.trouble else []
    if told := people(case.there):
        # Who writes there is worth knowing before one does too.
        signs += [("  ", "text"), (cut(told, width // 2), "agent" if f" {WRITES}" in told else "quiet")]
    taken = sum(cell_len(text) for text, _ in signs)
    subject = cut(flat(row.ticket.subject) or "(no subject)", max(0, width - taken))
    pieces = [(subject, "unread" if row.unread else "text"), *signs]
    room = width - cell_len(subject) - taken - 2
    if row.snippet and room >= 10:
        # What makes a heading, a quotation or a stress is no part of what it says.
        pieces.append((f"  “{cut(flat(row.snippet).lstrip('#> ').replace('**', ''), room - 2)}”", "quiet"))
    return tuple(pieces)


def _tags(case: Case, width: int) -> Pieces:
    return ((cut(flat(" ".join(case.row.ticket.tags)), width), "quiet"),)


def _requester(case: Case, width: int) -> Pieces:
    return ((requester(case.row.customer, width), "text"),)


def _channel(case: Case, width: int) -> Pieces:
    name = case.row.ticket.channel
    return ((cut(_SHORT.get(name) or channel(name), width), "quiet"),)


def who(ticket: Ticket, me: str | None) -> str:
    """Who has the ticket: `me`, a colleague, or `-`."""
    if ticket.assignee is None:
        return "-"
    return "me" if ticket.assignee == me else flat(ticket.assignee)


def _who(case: Case, width: int) -> Pieces:
    text = who(case.row.ticket, case.me)
    return ((cut(text, width), {"-": "faint", "me": "strong"}.get(text, "quiet")),)


def _age(case: Case, width: int) -> Pieces:
    return ((age(case.row.ticket.created_at, case.now), "quiet"),)


def _team(case: Case, width: int) -> Pieces:
    return ((cut(flat(case.row.ticket.team or "-"), width), "quiet"),)


def _updated(case: Case, width: int) -> Pieces:
    return ((age(case.row.ticket.updated_at, case.now), "quiet"),)


_CELLS: Mapping[str, Callable[[Case, int], Pieces]] = {
    "due": _due,
    "status": _status,
    "priority": _priority,
    "number": _number,
    "subject": _subject,
    "tags": _tags,
    "requester": _requester,
    "channel": _channel,
    "who": _who,
    "age": _age,
    "team": _team,
    "updated": _updated,
}
