"""The conversation of the open ticket."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo

from msgspec.structs import replace
from textual.timer import Timer

from desk.model import Delivery, Message, Millis
from tui.draw import Look
from tui.links import Item
from tui.thread import Telling, beginning, event, folded, folds, goes_on, long, told
from tui.widgets.lines import Drawn, Lines

_AT_ONCE = 120
"""Messages that are told before the first frame; of longer conversations the rest follows, as many at a time."""

Happening = tuple[Millis, str, str]
_Made = tuple[list[Drawn], Sequence[int]]
"""The lines of a message, and those of them with a hit."""


class Conversation(Lines):
    """Messages in time order. It keeps its place by messages: whatever is folded or comes in, the same one stays on top."""

    def __init__(self, look: Look, now: Callable[[], Millis], zone: tzinfo) -> None:
        super().__init__(look, "conversation")
        self.now, self.zone = now, zone
        self.items: Sequence[Item] = ()
        self.trouble: Mapping[int, Sequence[Delivery]] = {}
        self.retry = ":retry"
        self.happened: Sequence[Happening] | None = None
        """What happened between messages, if that is shown."""
        self.turned: Callable[[], None] = lambda: None
        """Called when it is shown or hidden."""
        self.unfolded: frozenset[int] = frozenset()
        self.why = False
        self.following = True
        self._needle: re.Pattern[str] | None = None
        self._hits: list[int] = []
        self._starts: list[int] = []
        self._ids: list[int] = []
        """The line that each message begins with, and its number."""
        self._window: range | None = None
        """The messages that are shown, while the others of a long conversation are still being told; then None."""
        self._unread: int | None = None
        self._fresh = False
        self._known: dict[int, tuple[object, _Made]] = {}
        self._untold: dict[int, tuple[object, Callable[[], _Made]]] = {}
        """Long messages that a thread tells, by number."""
        self._telling = False
        self._going_on: Timer | None = None

    # -- showing ------------------------------------------------------------------

    def show(self, items: Sequence[Item], trouble: Mapping[int, Sequence[Delivery]]) -> None:
        """Show these messages in place of those before; the place is kept, unless the end was in sight."""
        self.items, self.trouble = items, trouble
        self._tell()

    def open(self, items: Sequence[Item], trouble: Mapping[int, Sequence[Delivery]], seen: int) -> None:
        """Show another ticket: from the first message behind `seen` on, or the end where all of that fits."""
        self.items, self.trouble = items, trouble
        self.unfolded, self.why, self.happened, self._needle = frozenset(), False, None, None
        self._known.clear()
        self._untold.clear()
        if self._going_on is not None:
            self._going_on.stop()
            self._going_on = None
        self._unread = next((place for place, item in enumerate(items) if item.message.id > seen), None)
        end = len(items)
        if self._unread is not None:
            end = min(end, max(self._unread + _AT_ONCE - 10, _AT_ONCE))
        self._window = range(max(0, end - _AT_ONCE), end) if len(items) > _AT_ONCE else None
        self._fresh = True
        self._tell()
        if self._window is not None:
            # Behind the first frame: it would wait for what nobody sees yet.
            self._going_on = self.set_interval(0.02, self._go_on)

    def _go_on(self) -> None:
        """Tell some more of a long conversation; all of it is shown when all of it is told."""
        before = (None, *self.items)
        untold = [pair for pair in zip(before, self.items, strict=False) if pair[1].message.id not in self._known][
            :_AT_ONCE
        ]
        if self._window is None or self._fresh:
            return
        if untold:
            how, today = self._how()
            for last, item in untold:
                self._made(item, how, today, headed=_headed(last, item, how))
        else:
            self._complete()

    def _complete(self) -> None:
        if self._going_on is not None:
            self._going_on.stop()
            self._going_on = None
        if self._window is not None and not self._fresh:
            self._window = None
            self._tell()

    def _how(self) -> tuple[Telling, date]:
        now = self.now()
        how = Telling(self.size.width, now, self.zone, self.unfolded, self.why, self.trouble, self.retry)
        return how, datetime.fromtimestamp(now / 1000, self.zone).date()

    def _key(self, item: Item, how: Telling, today: date, headed: bool) -> object:
        """All that the lines of a message depend on."""
        number = item.message.id
        trouble = how.trouble.get(number)
        return item, how.width, today, number in how.unfolded, how.why, trouble, headed, self._needle

    def _made(self, item: Item, how: Telling, today: date, *, headed: bool) -> _Made:
        number, needle = item.message.id, self._needle
        key = self._key(item, how, today, headed)
        known = self._known.get(number)
        if known is not None and known[0] == key:
            return known[1]
        if long(item.message) and number in how.unfolded:
            self._untold[number] = key, lambda: _made(item, how, headed, needle)
            return known[1] if known else _made(item, replace(how, unfolded=frozenset()), headed, needle)
        self._known[number] = key, (made := _made(item, how, headed, needle))
        return made

    def _tell(self) -> None:
        if not self.size.width:
            # Not laid out yet; its size will come.
            self.fitted = self.size
            return
        follow, place = self.following, self._place()
        how, today = self._how()
        lines: list[Drawn] = []
        starts: list[int] = []
        ids: list[int] = []
        hits: list[int] = []

        def add(made: _Made) -> None:
            hits.extend(len(lines) + hit for hit in made[1])
            lines.extend(made[0])

        for happened, item, headed in self._order(how):
            for one in happened:
                add(_marked(event(one, how), self._needle))
            if happened:
                lines.append(Drawn())
            if item is None:
                break
            if not headed:
                lines.pop()
            starts.append(len(lines))
            ids.append(item.message.id)
            add(self._made(item, how, today, headed=headed))
            lines.append(Drawn())
        if lines and not lines[-1].parts:
            lines.pop()
        self._starts, self._ids, self._hits = starts, ids, hits
        self.put(lines)
        self._settle(follow, place)
        if self._untold and not self._telling:
            self._telling = True
            self.run_worker(self._tell_long())

    def _order(self, how: Telling) -> Iterator[tuple[Sequence[Happening], Item | None, bool]]:
        """What happened before each message, the message, and whether it has a head; in the end what happened after all."""
        items = self._shown()
        begun = items[0].message.at if items and self._window else 0
        between = [one for one in self.happened or () if one[0] >= begun]
        after = 0
        last: Item | None = None
        for item in items:
            begin = after
            while after < len(between) and between[after][0] < item.message.at:
                after += 1
            yield between[begin:after], item, after > begin or _headed(last, item, how)
            last = item
        yield between[after:], None, False

    async def _tell_long(self) -> None:
        """Tell all of messages that take long, in a thread; until then their beginning is shown."""
        try:
            while self._untold:
                untold, self._untold = self._untold, {}
                for number, (key, make) in untold.items():
                    self._known[number] = (key, await asyncio.to_thread(make))
                self._tell()
        finally:
            self._telling = False

    @property
    def whole(self) -> str:
        """All that is shown of the conversation, as plain text."""
        self._complete()
        return self.text

    def _shown(self) -> Sequence[Item]:
        return self.items if self._window is None else self.items[self._window.start : self._window.stop]

    # -- the place ----------------------------------------------------------------

    def _place(self) -> tuple[int, int] | None:
        """The message on top, by its id, and how many lines of it are above."""
        top = self.scroll_offset.y
        number = bisect_right(self._starts, top) - 1
        return (self._ids[number], top - self._starts[number]) if number >= 0 else None

    def _settle(self, follow: bool, place: tuple[int, int] | None) -> None:
        if self._fresh:
            self._fresh = False
            skipped = self._window.start if self._window else 0
            start = len(self.lines) if self._unread is None else self._starts[self._unread - skipped]
            if len(self.lines) - start > self.size.height:
                self.go(start)
            else:
                self.end()
        elif follow:
            self.end()
        elif place is not None and place[0] in self._ids:
            number = self._ids.index(place[0])
            end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.lines)
            self.go(min(self._starts[number] + place[1], max(self._starts[number], end - 1)))

    def go(self, line: int) -> None:
        """Scroll so that `line` is the first one."""
        super().go(line)
        whole = self._window is None or self._window.stop == len(self.items)
        self.following = whole and line + self.size.height >= len(self.lines)

    def to(self, line: int | None) -> None:
        """Go to a line (None: the last)."""
        self._complete()
        super().to(line)

    def step(self, by: int) -> bool:
        """Go to the next message, or the one before; False when there is none."""
        self._complete()
        top = self.scroll_offset.y
        beyond = [s for s in self._starts if s > top] if by > 0 else [s for s in reversed(self._starts) if s < top]
        if not beyond or (by > 0 and self.at_end):
            return False
        self.go(beyond[min(abs(by), len(beyond)) - 1])
        return True

    def on_show(self) -> None:
        """It is there again."""
        self.turned()

    def on_hide(self) -> None:
        """Something else is in its place."""
        self.turned()

    def fit(self) -> None:
        """Wrap again; whoever read the end goes on reading it."""
        self._tell()

    # -- what is shown of it ------------------------------------------------------

    def _in_sight(self) -> list[Item]:
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        # None where all was merged elsewhere.
        starts = self._starts
        ends = [*starts[1:], len(self.lines)][: len(starts)]
        spans = zip(self._shown(), starts, ends, strict=True)
        return [item for item, start, end in spans if start < bottom and end > top]

    def fold(self, *, every: bool = False) -> bool:
        """Show what is folded of the messages in sight (or of `every` one), or fold it again; False when nothing is."""
        there = frozenset(item.message.id for item in (self.items if every else self._in_sight()) if folds(item))
        if there <= self.unfolded:
            self.unfolded -= there
        else:
            self.unfolded |= there
        self._tell()
        return bool(there)

    def explain(self) -> None:
        """Show why each message is on this ticket, or no longer."""
        self.why = not self.why
        self._tell()

    def tell_events(self, happened: Sequence[Happening] | None) -> None:
        """Show what happened between messages, or no longer."""
        self.happened = happened
        self._tell()

    # -- searching ----------------------------------------------------------------

    async def search(self, words: str) -> int:
        """Mark `words` wherever they stand, folded text too, and go to the first place in or below sight; how many there are."""
        needle, items = re.compile(re.escape(words), re.IGNORECASE) if words else None, self.items
        holding = await asyncio.to_thread(_holding, items, needle) if needle else frozenset()
        if items is not self.items:
            return 0
        self._needle, self._window = needle, None
        self.unfolded |= holding
        how, today = self._how()
        wanted = [
            (item, headed, key)
            for _, item, headed in self._order(how)
            if item and self._known.get(item.message.id, (None,))[0] != (key := self._key(item, how, today, headed))
        ]

        def work() -> dict[int, tuple[object, _Made]]:
            return {item.message.id: (key, _made(item, how, headed, needle)) for item, headed, key in wanted}

        made = await asyncio.to_thread(work)
        if items is self.items:
            self._known |= made
        self._tell()
        if self._hits:
            self._show_hit(next((hit for hit in self._hits if hit >= self.scroll_offset.y), self._hits[0]))
        return len(self._hits)

    def again(self, by: int) -> tuple[int, int] | None:
        """Go to the next hit, or the one before, around the ends: (which, of how many); None when there is none."""
        if not self._hits:
            return None
        place = self._hits.index(self._hit) if self._hit in self._hits else 0
        place = (place + by) % len(self._hits)
        self._show_hit(self._hits[place])
        return place + 1, len(self._hits)

    def _show_hit(self, line: int) -> None:
        self._hit = line
        if not self.scroll_offset.y <= line < self.scroll_offset.y + self.size.height:
            self.go(line - self.size.height // 3)

    _hit = -1


def _made(item: Item, how: Telling, headed: bool, needle: re.Pattern[str] | None) -> _Made:
    return _marked(told(item, how, headed=headed), needle)


def _marked(lines: list[Drawn], needle: re.Pattern[str] | None) -> _Made:
    if needle is None:
        return lines, ()
    marked, hits = [], []
    for number, line in enumerate(lines):
        if needle.search("".join([text for text, _ in line.parts])):
            hits.append(number)
            line = Drawn(tuple(_mark(line.parts, needle)), line.ground)
        marked.append(line)
    return marked, hits


def _holding(items: Sequence[Item], needle: re.Pattern[str]) -> frozenset[int]:
    """Messages in whose folded part it stands."""

    def stands(text: str) -> bool:
        # Line by line: a search in all of it would let nobody draw meanwhile.
        return any(needle.search(line) for line in text.splitlines())

    def hidden(message: Message) -> bool:
        first = beginning(message)
        return stands(message.visible[len(first) :]) or (stands(message.text) and not stands(first))

    return frozenset(item.message.id for item in items if folded(item.message) and hidden(item.message))


def _headed(last: Item | None, item: Item, how: Telling) -> bool:
    """Whether a message has a head of its own: not one that goes on after `last`, unless each is explained."""
    return last is None or how.why or not goes_on(last, item)


def _mark(parts: Sequence[tuple[str, str]], needle: re.Pattern[str]) -> list[tuple[str, str]]:
    """The pieces of a line, cut where a hit begins and ends."""
    whole = "".join(text for text, _ in parts)
    spans = [hit.span() for hit in needle.finditer(whole)]
    edges = sorted({0, len(whole), *(edge for span in spans for edge in span)})
    found, at = [], 0
    for text, style in parts:
        cuts = [edge for edge in edges if at < edge < at + len(text)]
        for begin, end in zip((at, *cuts), (*cuts, at + len(text)), strict=True):
            hit = any(start <= begin < stop for start, stop in spans)
            found.append((text[begin - at : end - at], f"{style}+found" if hit else style))
        at += len(text)
    return found
