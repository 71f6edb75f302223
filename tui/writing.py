"""What is being written on the open ticket: from the first key to the review, and what happens beside it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.app import SuspendNotSupported

from desk.errors import Away, DeskError, Invalid
from desk.model import Direction, Draft, Message, State
from desk.outgoing import FORWARD
from desk.when import coming, said
from tui.clock import age
from tui.drafts import Drafts
from tui.draw import flat
from tui.editor import edit
from tui.envelope import Envelope
from tui.outgoing import arrived, heading
from tui.putting import Putting
from tui.reviewing import Reviewing
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.waiting import Asked
    from tui.widgets.composer import Composer


_GLANCE_S = 15
"""So often it is looked who has begun to write: drafts are no news of the log."""


class Writing:
    """The text under way on the open ticket. `stage` is "" (none), "writing" or "reviewing"; `kind` what it is to become.

    It lies below the conversation, in the ticket's pane: the composer, and in its turn the
    review. What belongs to the words is in the `envelope`; `putting` puts texts among them.
    """

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.stage = ""
        self.kind = ""
        self.seen = 0
        """The newest message that the writer has seen."""
        self.drafts = Drafts(app)
        self.envelope = Envelope(app, self)
        self.putting = Putting(app, self)
        self.reviewing = Reviewing(app, self)
        self._composer: Composer | None = None
        self._later: Mapping[int, str] = {}
        self._seconds = 0

    @property
    def review(self) -> Lines:
        """The review, as lines."""
        return self.reviewing.lines

    # -- keys -------------------------------------------------------------------

    def key(self, name: str) -> bool:
        """Take a key of the composer or the review; False when it belongs to the text."""
        if self.stage == "reviewing":
            self.reviewing.key(name)
            return True
        deed = self._deeds().get(name)
        if deed is not None:
            deed()
        return deed is not None

    def _deeds(self) -> Mapping[str, Callable[[], object]]:
        spawn, envelope, putting = self._app.hands.spawn, self.envelope, self.putting
        return {
            "^s": lambda: spawn(self.reviewing.check()),
            "^e": lambda: spawn(self._edit()),
            "^t": lambda: spawn(putting.snippet()),
            "^k": lambda: spawn(putting.macros()),
            "^q": lambda: spawn(putting.quote(None)),
            "^o": envelope.attaching,
            "^x": envelope.detaching,
            "^y": envelope.addressing,
            "^g": self.read,
            "^p": self._app.prompting.command,
            "escape": self._leave,
            "^c": self._leave,
        }

    def _leave(self) -> None:
        app, kind, number = self._app, self.kind, self.number
        if self.keep():
            app.say(f"the {kind} is kept on #{number}, unsent: {app.hands.key(kind)} goes on with it", "quiet")

    # -- the text ---------------------------------------------------------------

    @property
    def number(self) -> int:
        """The ticket that is open; 0 when there is none."""
        view = self._app.ticket.view
        return view.ticket.id if view else 0

    @property
    def body(self) -> str:
        """What has been written so far."""
        return self._composer.text if self._composer and self.stage else ""

    @body.setter
    def body(self, text: str) -> None:
        if self._composer:
            self._composer.text = text

    @property
    def before(self) -> str:
        """What stands before the cursor in its line."""
        return self._composer.before if self._composer else ""

    def insert(self, text: str, begin: int = 0) -> None:
        """Put a text at the cursor, in place of `begin` characters before it."""
        assert self._composer is not None
        self._composer.area.put(text, begin)

    @property
    def current(self) -> Draft:
        """The text under way with all that belongs to it."""
        front = self._app.front
        options = dict(self.envelope.options)
        return Draft(self.number, front.me or "", self.kind, front.now(), self.body, options, self.seen)

    async def begin(self, kind: str, options: Mapping[str, str] | None = None, text: str = "") -> None:
        """Begin a text, or go on with the one kept; errors say why it cannot be."""
        app, number = self._app, self.number
        assert app.ticket.view is not None
        if self.stage:
            self.keep()
        with suppress(Away):
            await self.drafts.look(number)
        kept = self.drafts.kept.get((number, kind))
        given = {**(kept.options if kept else {}), **(options or {})}
        if kind == FORWARD and not given.get("to"):
            self.envelope.ask(kind, lambda found: self.begin(kind, {**given, **found}, text))
            return
        await self.envelope.address(number, kind, given)
        composer = await self._written()
        self.kind, self.stage = kind, "writing"
        self.seen = kept.seen if kept and kept.seen else app.ticket.view.newest
        self._arrange()
        composer.open(kind, _joined(kept.text if kept else "", text))
        self.tell()
        app.ticket.tell()
        app.call_after_refresh(app.ticket.conversation.end)

    async def _written(self) -> Composer:
        if self._composer is None:
            # Not before somebody writes: an editor widget is a large import.
            from tui.widgets.composer import Composer

            self._composer = Composer(self._app.look, self._typed, self._app.say)
            await self._app.ticket.mount(self._composer)
        return self._composer

    def _typed(self) -> None:
        if self.stage:
            self.drafts.later(self.save)
            if self.envelope.counts:
                self.tell()

    def save(self) -> None:
        """Keep the text as it is now."""
        if self.stage:
            self.drafts.keep(self.current)

    async def changed(self) -> None:
        """Something that belongs to the text is another."""
        self.save()
        self.tell()
        if self.stage == "reviewing":
            await self.reviewing.check()

    def keep(self) -> bool:
        """Put the text away for later; False when there was none."""
        if not self.stage:
            return False
        draft = self.current
        self.drafts.keep(draft)
        self._end()
        return (draft.ticket, draft.kind) in self.drafts.kept

    def _end(self) -> None:
        self.stage = ""
        self._arrange()
        self._app.ticket.tell()
        self._app.ticket.conversation.focus()

    def join(self, key: tuple[int, str], theirs: str) -> None:
        """Words that were kept elsewhere, for the text under way: below it, the cursor stays."""
        if (self.number, self.kind) == key and self.stage and self._composer and theirs.strip() not in self.body:
            self._composer.join(theirs)
            self.save()

    def give_back(self, draft: Draft) -> None:
        """Keep a text that was not sent after all; what is being written there now comes behind it."""
        key = (draft.ticket, draft.kind)
        if self.stage and (self.number, self.kind) == key:
            self.body = _joined(draft.text, self.body)
            self.save()
            return
        newer = self.drafts.kept.get(key)
        text = _joined(draft.text, newer.text if newer else "")
        options = {**(newer.options if newer else {}), **draft.options}
        self.drafts.keep(replace(draft, text=text, options=options, at=self._app.front.now()))
        self._app.ticket.tell()

    # -- what is told beside it -----------------------------------------------------

    def tell(self) -> None:
        """Say above the text to whom it goes and whether it is safe, below it which files go with it."""
        if self._composer is None or self.stage != "writing":
            return
        width = self._app.ticket.size.width
        room_left = self.envelope.room_left(self.body)
        told = (*room_left, *self.drafts.told(self.number, self.kind))
        safe = [part for place, one in enumerate(told) for part in ((("  ", "quiet"),) if place else ()) + (one,)]
        room = width - 2 - sum(len(text) for text, _ in safe) - 2
        news = self.news_told()
        self._composer.tell(
            heading(self.kind, self.envelope.message, room),
            safe,
            news,
            self.envelope.files(width),
        )

    def resized(self) -> None:
        """The screen has another size."""
        self.arrived()

    def tick(self) -> None:
        """A second has passed: now and then look what colleagues do here."""
        self._seconds = (self._seconds + 1) % _GLANCE_S
        if not self._seconds and not self._app.runner.away:
            self._app.run_worker(self.glance())

    def unsent(self, number: int) -> list[str]:
        """What is begun on a ticket and not sent, as sentences."""
        app, now = self._app, self._app.front.now()
        told = [
            f"unsent {kind}: {app.hands.key(kind)} goes on"
            for kept, kind in self.drafts.kept
            if kept == number and not (self.stage and kind == self.kind)
        ]
        for one in self.drafts.others(number):
            told.append(f"{flat(one.agent)} has begun a {one.kind}, {age(one.at, now)} ago")
        return told + ([self._later[number]] if number in self._later else [])

    @property
    def news(self) -> list[Message]:
        """What others said on the ticket since the writer began."""
        view, me = self._app.ticket.view, self._app.front.me
        if view is None:
            return []
        return [m for m in view.thread if m.id > self.seen and (m.direction is Direction.IN or m.agent != me)]

    def news_told(self) -> str:
        """The same as a sentence; "" when there is none."""
        if not (news := self.news):
            return ""
        front = self._app.front
        when = said(news[-1].at, front.now(), front.zone).removeprefix("today ")
        return arrived(news, when)

    def arrived(self) -> None:
        """The ticket was read again: tell of what came."""
        self.tell()
        if self.stage == "reviewing":
            self.reviewing.draw()

    def accept(self, messages: Sequence[Message]) -> None:
        """What came meanwhile has been shown; sending may go on."""
        self.seen = max(self.seen, *(m.id for m in messages))
        self.save()
        self.tell()

    def read(self) -> None:
        """Show what came since, above the text."""
        if news := self.news:
            self._app.ticket.conversation.end()
            self.accept(news)
        else:
            self._app.say("nothing came since you began", "quiet")

    async def glance(self) -> None:
        """Look who else writes on the ticket, and what of it goes out later."""
        app, view, front = self._app, self._app.ticket.view, self._app.front
        if view is None:
            return
        number = view.ticket.id
        await self.drafts.glance(number)
        waits = {m.id for m in view.thread if m.state is State.QUEUED}
        told: dict[int, str] = {}
        if waits:
            with suppress(DeskError):
                queued = await app.runner.read(lambda: front.desk.store.outbox((State.QUEUED,), 1_000))
                last = max((one.not_before for one, _ in queued if one.message in waits), default=0)
                if last > front.now() + front.desk.config.undo:
                    told[number] = f"goes out {coming(last, front.now(), front.zone)}"
        self._later = told
        app.ticket.tell()

    # -- the editor -----------------------------------------------------------------

    async def _edit(self) -> None:
        app, before = self._app, self.body
        # What there is so far is on its way to the store while the terminal belongs to another.
        self.save()
        await asyncio.sleep(0)
        try:
            # Nothing may be drawn while the editor has the terminal: the driver's thread would wait for ever.
            with app.suspend(), app.batch_update():
                text = edit(before, app.front.editor)
        except SuspendNotSupported:
            app.say("this terminal cannot be lent to an editor; write here")
        except Invalid as error:
            app.say(str(error))
        else:
            if text.strip() or not before.strip():
                self.body = text
                self.save()
            else:
                app.say("the editor left nothing in the file; the text is as it was before")

    # -- what is shown ------------------------------------------------------------

    def _arrange(self) -> None:
        self._app.ticket.conversation.display = self.stage != "reviewing"
        self.review.display = self.stage == "reviewing"
        if self._composer:
            self._composer.display = self.stage == "writing"

    def focus(self) -> None:
        """Let keys go to what is shown: the text or the review."""
        if self.stage == "writing" and self._composer:
            self._composer.take_keys()
        else:
            self.review.focus()

    def restyle(self) -> None:
        """The look is another: what was told the editor of it is told again."""
        if self._composer:
            self._composer.colour(self.kind)

    def reviewed(self) -> None:
        """From the text to the review."""
        self.save()
        self.stage = "reviewing"
        self._arrange()
        self.review.focus()

    def back(self) -> None:
        """From the review to the text again."""
        self.stage = "writing"
        self._arrange()
        self.focus()
        self.tell()

    # -- its end --------------------------------------------------------------------

    def gone(self, asked: Asked, *, waits: bool) -> None:
        """The text was sent, or waits to be."""
        assert asked.draft is not None
        self._end()
        self.drafts.lend(asked.draft)
        if not waits:
            self.drafts.sent(asked.draft)
            self._app.commands.sent = asked

    async def discard(self) -> None:
        """Throw the text away."""
        number, kind = self.number, self.kind
        self._end()
        self.drafts.drop(number, kind)
        self._app.ticket.tell()
        self._app.say("thrown away, nothing was sent", "quiet")

    async def put_away(self) -> None:
        """Keep the text for later."""
        number = self.number
        self.keep()
        self._app.say(f"kept on #{number}, unsent", "quiet")


def _joined(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))
