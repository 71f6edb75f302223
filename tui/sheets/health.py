"""Whether the machinery runs: relay, accounts, outbox, rules, clocks and the store; and what to do where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from desk.health import findings, volumes
from desk.model import Volume
from desk.query import EVERYTHING, parse
from tui.draw import cut, flat, pad, plural
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import BLANK, cell, groups, heading

if TYPE_CHECKING:
    from tui.app import DeskApp


def _messages(volume: Mapping[str, Volume]) -> Iterator[tuple[str, str]]:
    """What came and went over each account, number under number."""
    counts = [(one.came_today, one.went_today, one.came, one.went) for one in volume.values()]
    wide = [max((len(f"{row[place]:,}") for row in counts), default=1) for place in range(4)]
    for name, row in zip(volume, counts, strict=True):
        came, went, came_before, went_before = (f"{count:>{room},}" for count, room in zip(row, wide, strict=True))
        yield flat(name), f"{came} in · {went} out today   {came_before} in · {went_before} out in 7 days"


def sheet(app: DeskApp, rest: str) -> Sheet:
    """A line for each part; what is wrong comes first, with the way to mend it."""
    front, queue = app.front, app.queue

    def read(width: int) -> Page:
        store, now, env = front.desk.store, front.now(), queue.env()
        found = findings(store, now)
        wide = min(24, max((len(flat(one.part)) for one in found), default=0))
        wrong: list[Entry] = []
        well: list[Entry] = []
        for one in found:
            leads = "outbox" if one.part == "outbox" else ""
            parts = (
                (pad(f"{flat(one.part)}", wide + 2), "text"), *cell(("ok", "good") if one.well else ("look", "trouble"), 6),
                (cut(flat(one.words), width - wide - 8), "quiet" if one.well else "text"),
            )  # fmt: skip
            (well if one.well else wrong).append(Entry(parts, line=leads, key=f"{one.part}: {one.words}"))
            if one.remedy and not one.well:
                wrong += [
                    Entry(((" " * (wide + 8), "text"), (cut(flat(one.remedy), width - wide - 8), "notice")), heads=True)
                ]
        volume = volumes(store, now, front.zone)
        newest = store.ids(EVERYTHING, sort="newest", limit=1)
        size = [
            *_messages(volume),
            ("open", f"{store.count(parse('is:open', env)):,}"),
            ("newest", f"#{newest[0]}" if newest else "none yet"),
            ("log", plural(store.last_seq(), "line")),
            ("kept in", flat(store.url)),
        ]
        lines = [
            Entry(((pad(name, wide), "text"), (cut(f"  {words}", width - wide), "quiet")), key=name)
            for name, words in size
        ]
        facts = (
            (f"{plural(sum(not one.well for one in found), 'thing')} to look at", "trouble")
            if wrong
            else ("all is well", "good")
        )
        return Page(
            [*groups((heading("To look at"), wrong), (heading("Well"), well), (heading("How much"), lines)), BLANK],
            (facts,),
        )

    return Sheet("How the desk fares", read, hints=(("show", "open"), ("back", "back")))
