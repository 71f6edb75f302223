"""What waits for a store that is away: asked in order when it is back, each thing done once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from desk.errors import Away, DeskError, Invalid
from desk.events import Record
from desk.model import Draft
from desk.outgoing import News
from desk.perform import Outcome
from desk.telling import describe
from tui.draw import flat, plural

if TYPE_CHECKING:
    from tui.app import DeskApp

Work = Callable[[Sequence[int], Mapping[int, int]], Outcome | News]
"""What is to be done: on these tickets, and those in these versions only."""

_NOBODY = ("Clock", "Delivered")
"""What happens to a ticket without anybody's doing."""


class Asked(Struct):
    """One thing asked of the store. What the log has of its batch is done; `seq` is how much of the log the screen had shown."""

    batch: str
    line: str
    ids: Sequence[int]
    work: Work
    draft: Draft | None = None
    """The text that it sends."""
    seq: int = 0
    begun: bool = False

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        where = (
            f" · #{self.ids[0]}" if len(self.ids) == 1 else f" · {plural(len(self.ids), 'ticket')}" if self.ids else ""
        )
        return flat(self.line) + where


class Waiting:
    """Does what is asked of the store, now or when it is back."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.asked: deque[Asked] = deque()
        self.refused: dict[int, str] = {}
        """Why what waited was not done, by ticket (0: on none); until somebody has looked."""

    async def do(self, asked: Asked) -> Outcome | News | None:
        """Do it; None when it waits, which is told."""
        app = self._app
        app.own.add(asked.batch)
        asked.seq = app.shown
        if not (app.runner.away or self.asked):
            try:
                asked.begun = True
                return await app.runner.write(lambda: asked.work(asked.ids, {}))
            except Away:
                # Done or not: its batch will tell.
                pass
        self.asked.append(asked)
        app.say(f"{asked.title}: waits for the store, {app.hands.key('undo')} drops it", "quiet")
        return None

    # -- when it is back ------------------------------------------------------------

    async def again(self) -> None:
        """Ask for all that waits, in the order asked, until the store is away once more."""
        done = 0
        while self.asked:
            asked = self.asked.popleft()
            try:
                met = await self._app.runner.write(lambda asked=asked: self._once(asked))  # type: ignore[misc]
            except Away:
                asked.begun = True
                self.asked.appendleft(asked)
                return
            except DeskError as error:
                met = dict.fromkeys(asked.ids or (0,), str(error))
            done += not met
            self._refuse(asked, met)
        if done:
            self._app.say(
                f"the store is back: {plural(done, 'thing')} that waited {'is' if done == 1 else 'are'} done", "good"
            )

    def _once(self, asked: Asked) -> dict[int, str]:
        """Do what has not been done of it, where nobody else did anything; what was met instead. Runs in a thread."""
        store = self._app.front.desk.store
        kept = store.done(asked.batch)
        done = {record.about for record in kept if record.entity == "ticket"}
        left = [number for number in asked.ids if number not in done]
        if kept and not left:
            return {}
        versions: dict[int, int] = {}
        met: dict[int, str] = {}
        for number in left:
            version = store.ticket(number).version
            others = [r for r in store.log(ticket=number, after=asked.seq) if r.batch not in self._app.own]
            if happened := [record for record in others if record.kind not in _NOBODY]:
                met[number] = _told(happened)
            else:
                versions[number] = version
        if versions or not left:
            from tui.outgoing import question

            result = asked.work(tuple(versions), versions)
            met |= dict.fromkeys(asked.ids, question(result)) if isinstance(result, News) else result.skipped
        return met

    def _refuse(self, asked: Asked, met: Mapping[int, str]) -> None:
        if asked.draft and met:
            self._app.writing.give_back(asked.draft)
        elif asked.draft:
            self._app.commands.sent = asked
            self._app.writing.drafts.sent(asked.draft)
        for number, why in met.items():
            self.refused[number] = f"{flat(asked.line)}: not done, {flat(why)}" + (
                ", the text is kept" if asked.draft else ""
            )

    # -- telling ----------------------------------------------------------------------

    def told(self) -> str:
        """What waits, or what was refused, in a few words; "" when nothing."""
        key = self._app.hands.key("waiting")
        if self.asked:
            return f"{plural(len(self.asked), 'thing')} {'waits' if len(self.asked) == 1 else 'wait'} for it ({key})"
        if self.refused:
            return f"not done while the store was away: {plural(len(self.refused), 'conflict')}, {key} shows them"
        return ""

    def seen(self, number: int) -> None:
        """The agent looks at a ticket: what was refused there is known."""
        self.refused.pop(number, None)

    def drop(self, place: int | None) -> None:
        """Forget what waits in this place (None: all, and what was refused); texts stay as drafts."""
        if place is not None and not 0 < place <= len(self.asked):
            raise Invalid(f"nothing waits in place {place}; {self._app.hands.key('waiting')} shows what does")
        gone = list(self.asked) if place is None else [self.asked[place - 1]]
        for asked in gone:
            self.asked.remove(asked)
            if asked.draft:
                self._app.writing.give_back(asked.draft)
        if place is None:
            self.refused.clear()
        begun = [asked.title for asked in gone if asked.begun]
        sure = f"; whether it was done before is not known: {begun[0]}" if begun else ""
        self._app.say(f"dropped: {gone[0].title if len(gone) == 1 else plural(len(gone), 'thing')}{sure}", "quiet")


def _told(records: Sequence[Record]) -> str:
    """What happened, the newest last."""
    told = [f"{record.agent or record.source or 'somebody'}: {describe(record)}" for record in records[-3:]]
    return ("… " if len(records) > 3 else "") + ", ".join(told)
