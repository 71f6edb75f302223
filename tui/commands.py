"""Command lines on the screen: which tickets they mean, what became of them, and how to take it back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from desk import lines
from desk.actions import Action, find, load
from desk.errors import Invalid, NotFound, suggest
from desk.events import Posted
from desk.lines import Call
from desk.model import Draft, Priority
from desk.outgoing import WRITTEN, begun
from desk.perform import Outcome, perform, undo
from tui.draw import plural
from tui.waiting import Asked

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.recording import Recorder

NOTHING = "there is no ticket here to do that on; / shows others"

_SENDING = ("reply", "forward")
"""What may write to somebody: to several at once it is shown first."""


class Commands:
    """Runs lines for the screen, one at a time, and remembers the last one."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self._front = app.front
        self.last: str | None = None
        self.sent: Asked | None = None
        """The last text that went out."""
        self._given_back: tuple[str, Draft] | None = None
        """The text that the last undo gave back, and the batch of that undo."""

    @cached_property
    def recorder(self) -> Recorder:
        """What is written down as a macro."""
        from tui.recording import Recorder

        return Recorder(self._app)

    # -- which tickets ------------------------------------------------------------

    def targets(self) -> list[int]:
        """The open ticket, or that of a sheet's line; in the list the marked ones, or the one under the cursor."""
        app = self._app
        if app.place == "sheet":
            entry = app.sheet.current
            return [entry.ticket] if entry is not None and entry.ticket is not None else []
        if app.reading and app.ticket.view is not None:
            return [app.ticket.view.ticket.id]
        marks = app.queue.list.marks
        if marks:
            return [number for number in app.queue.list.ids if number in marks]
        return [app.queue.list.current] if app.queue.list.current is not None else []

    def one(self, verb: str) -> int | None:
        """The one ticket that is meant, None for none; Invalid when several are."""
        targets = self.targets()
        if len(targets) > 1:
            raise Invalid(
                f"{len(targets)} tickets are marked; {verb} is about one: :{verb} {targets[0]} tells of that one, Escape unmarks"
            )
        return targets[0] if targets else None

    # -- doing --------------------------------------------------------------------

    async def run(self, line: str) -> None:
        """Do a command line of the desk, or ask for what is missing in it."""
        verb = line.split(";")[0].split()[0] if line.strip(" ;") else ""
        rest = line.strip().removeprefix(verb).strip()
        if (text := begun(line)) is not None:
            await self.write(*text)
            return
        action = self._named(verb)
        try:
            calls = lines.script(line)
        except Invalid as error:
            needs = any(argument.required for argument in action.arguments)
            if self._app.edges.fits(str(error)) and (rest or not needs):
                raise
            # To be completed; or mended, where there is more to tell than the last lines have room for.
            self._app.prompting.command(line if rest else f"{verb} ", str(error))
            return
        await self.perform(calls, line)

    def _named(self, verb: str) -> Action:
        from tui.verbs import VERBS

        if verb not in (verbs := load()):
            near = suggest(verb, (*verbs, *VERBS))
            raise NotFound(f'there is no verb "{verb}"{near}; {self._app.hands.key("help")} lists them')
        return verbs[verb]

    async def complete(self, verb: str) -> None:
        """Ask for all that a verb needs, and run it."""
        action = self._named(verb)
        if verb in WRITTEN:
            await self.write(verb)
        elif any(argument.required for argument in action.arguments):
            if not action.creates and not self.targets():
                raise Invalid(NOTHING)
            from tui.forms import Form

            Form(self._app, action).begin()
        else:
            self._app.prompting.command(f"{verb} ")

    async def perform(self, calls: Sequence[Call], line: str, *, look: bool = False) -> None:
        """Do the calls on the targets as one batch; with `look`, or where several would be written to, they are shown first."""
        creates = bool(calls) and find(calls[0].verb).creates
        targets = [] if creates else self.targets()
        if not targets and not creates:
            raise Invalid(NOTHING)
        groups = [(list(calls), targets)]
        several = len(targets) > 1 and any(call.verb in _SENDING for call in calls)
        if look or (several and not self._app.runner.away):
            work = self._work(groups, self._front.new_batch(), dry_run=True)
            would = await self._app.runner.write(lambda: work(targets, {}))
            if (
                look
                or len({event.about for event in would.events if isinstance(event, Posted) and event.deliveries}) > 1
            ):
                await self.show_first(line, would, lambda: self._batch(groups, line))
                return
        await self._batch(groups, line)

    async def preview(self, line: str) -> None:
        """Show what a command line would do to the targets, and whom it would write to."""
        await self.perform(lines.script(line), line, look=True)

    async def show_first(
        self, title: str, would: Outcome, do: Callable[[], Coroutine[Any, Any, None]], *, word: str = "do it"
    ) -> None:
        """Open the preview of what would be done; `do` is done on `y`, back where one was."""
        from desk.preview import by_ticket
        from desk.when import coming
        from tui.sheets.preview import sheet

        app, store, front = self._app, self._front.desk.store, self._front
        numbers = sorted({*by_ticket(would), *would.done} - {0})
        subjects = await app.runner.read(lambda: {row.ticket.id: row.ticket.subject for row in store.rows(numbers)})

        async def done() -> None:
            await app.back()
            await do()

        app.edges.clear()
        await app.open_sheet(
            sheet(
                f"Preview of {title}",
                would,
                subjects,
                done,
                word=word,
                moment=lambda at: coming(at, front.now(), front.zone),
            )
        )

    async def level(self, by: int) -> None:
        """Give each target the next higher or lower priority."""
        known = {row.ticket.id: row.ticket.priority for row in self._app.queue.list.rows.values()}
        if view := self._app.ticket.view:
            known[view.ticket.id] = view.ticket.priority
        targets, groups = self.targets(), dict[Priority, list[int]]()
        if missing := [number for number in targets if number not in known]:
            rows = await self._app.runner.read(lambda: self._front.desk.store.rows(missing))
            known |= {row.ticket.id: row.ticket.priority for row in rows}
        for number in targets:
            now = known.get(number, Priority.NORMAL)
            wanted = Priority(max(Priority.LOW, min(Priority.URGENT, now + by)))
            if wanted != now:
                groups.setdefault(wanted, []).append(number)
        if not groups:
            raise Invalid(f"that is the {'highest' if by > 0 else 'lowest'} priority there is")
        await self._batch([([Call("priority", {"to": str(to)})], ids) for to, ids in groups.items()], "")

    async def _batch(self, groups: list[tuple[list[Call], list[int]]], line: str) -> None:
        app, batch = self._app, self._front.new_batch()
        every = tuple(number for _, ids in groups for number in ids)
        title = line or lines.title([call for calls, _ in groups for call in calls])
        outcome = await app.waiting.do(Asked(batch, title, every, self._work(groups, batch)))
        if line:
            self.last = line
        if app.place == "queue":
            app.queue.list.mark(())
        if isinstance(outcome, Outcome):
            app.say(told(outcome, app.hands.key("undo")), "quiet" if outcome.skipped else "good")
            await self.settle(outcome)

    def _work(
        self, groups: Sequence[tuple[list[Call], list[int]]], batch: str, *, dry_run: bool = False
    ) -> Callable[[Sequence[int], Mapping[int, int]], Outcome]:
        front = self._front

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome:
            whole, wanted = Outcome(batch, ""), set(ids)
            for calls, some in groups:
                left = [number for number in some if number in wanted]
                if some and not left:
                    continue
                part = perform(
                    front.desk,
                    calls,
                    left,
                    front.who,
                    at=front.now(),
                    batch_id=batch,
                    expect=versions,
                    dry_run=dry_run,
                    read_file=front.read_file,
                    progress=self.progress,
                )
                whole.line = whole.line or part.line
                whole.done += part.done
                whole.skipped |= part.skipped
                whole.opened += part.opened
                whole.queued += part.queued
                whole.events += part.events
            return whole

        return work

    def progress(self, done: int, whole: int) -> bool:
        """Tell how far a long run is; False when it was stopped."""
        if whole > done:
            self._app.call_from_thread(self._app.say, f"{done:,} of {plural(whole, 'ticket')}", "quiet")
        return not self._app.hands.cancelled

    async def settle(self, outcome: Outcome) -> None:
        """Show at once what became of the tickets."""
        app = self._app
        touched = {*outcome.done, *outcome.opened, *(e.about for e in outcome.events if isinstance(e.about, int))}
        await app.queue.touched(touched, own=True)
        if app.reading and app.ticket.view is not None and app.ticket.view.ticket.id in touched:
            await app.ticket.reload()
        if app.place == "sheet":
            await app.sheet.reload()

    async def repeat(self) -> None:
        """Do the last command line again, here."""
        if self.last is None:
            raise Invalid("there is nothing to repeat yet")
        await self.run(self.last)

    # -- taking back --------------------------------------------------------------

    async def take_back(self, *, redo: bool = False) -> None:
        """Undo what was asked last, or do again what was undone last; what waits still is only dropped."""
        app, desk, me = self._app, self._front.desk, self._front.me
        if app.waiting.asked and not redo:
            app.waiting.drop(len(app.waiting.asked))
            return
        target = await app.runner.read(lambda: desk.store.last_batch(me, undo=redo) if me else None)
        await self._undo(target, redo=redo)

    async def take_back_one(self, batch: str) -> None:
        """Show what taking back one batch would change, and do so on `y`."""
        app, front, me = self._app, self._front, self._front.me
        store = front.desk.store

        def look() -> Outcome:
            if me and any(deed.batch.id == batch and deed.undone_by for deed in store.deeds(me, 1_000)):
                raise Invalid(f"that was taken back before; {app.hands.key('redo')} does again what you took back last")
            return undo(front.desk, front.who, at=front.now(), batch_id=front.new_batch(), batch=batch, dry_run=True)

        would = await app.runner.write(look)
        await self.show_first(would.line, would, lambda: self._undo(batch), word="take it back")

    async def _undo(self, target: str | None, *, redo: bool = False) -> None:
        app, front, batch = self._app, self._front, self._front.new_batch()

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome:
            return undo(front.desk, front.who, at=front.now(), batch_id=batch, batch=target, redo=redo)

        outcome = await app.waiting.do(Asked(batch, "redo" if redo else "undo", (), work))
        if not isinstance(outcome, Outcome):
            return
        app.edges.sending = None
        if self.sent and self.sent.draft and self.sent.batch == target and not redo:
            app.writing.give_back(self.sent.draft)
            self._given_back = (batch, self.sent.draft)
            goes_on = app.hands.key(self.sent.draft.kind)
            app.say(f"taken back, nothing was sent; the text is kept: {goes_on} goes on with it", "good")
        else:
            if redo and outcome.done:
                self._take_again(target)
            line = outcome.line
            while line.startswith(("undo: ", "redo: ")):
                line = line.partition(": ")[2]
            app.say(
                f"{'done again' if redo else 'taken back'}: {line} · {_which(outcome.done)}{_left(outcome)}", "good"
            )
        await self.settle(outcome)

    def _take_again(self, undone: str | None) -> None:
        """What was sent after all is no draft: the text that was given back goes, unless somebody wrote on in it."""
        batch, draft = self._given_back or (None, None)
        if draft is None or batch != undone:
            return
        self._given_back = None
        kept = self._app.writing.drafts.kept.get((draft.ticket, draft.kind))
        if kept is not None and kept.text == draft.text:
            self._app.writing.drafts.drop(draft.ticket, draft.kind)

    # -- writing ------------------------------------------------------------------

    async def write(self, kind: str, options: Mapping[str, str] | None = None) -> None:
        """Open the ticket at hand and begin a text of this kind."""
        app = self._app
        targets = self.targets()
        if not targets:
            raise Invalid("there is no ticket here to write on")
        if len(targets) > 1:
            raise Invalid(f"{len(targets)} tickets are marked; :{kind} TEXT goes to all of them, Escape unmarks")
        if not app.reading:
            await app.show(targets[0])
        await app.writing.begin(kind, options)


def told(outcome: Outcome, undo: str) -> str:
    """What a command did, as a sentence; `undo` is the key that takes it back."""
    if not outcome.done:
        return f"nothing done{_left(outcome)}"
    if not outcome.changed:
        return f"{outcome.line}: {_which(outcome.done)} had that already{_left(outcome)}"
    if outcome.opened:
        return f"opened {_which(outcome.opened)} · {undo} takes it back"
    return f"{outcome.line} · {_which(outcome.done)}{_left(outcome)} · {undo} takes it back"


def _which(ids: Sequence[int]) -> str:
    return f"#{ids[0]}" if len(ids) == 1 else plural(len(ids), "ticket")


def _left(outcome: Outcome) -> str:
    if not outcome.skipped:
        return ""
    first = next(iter(outcome.skipped.values()))
    return f" · {plural(len(outcome.skipped), 'ticket')} left alone: {first}"
