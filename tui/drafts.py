"""Texts that were begun and not sent: kept here, and in the store at most two seconds after they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from desk.errors import Away, DeskError
from desk.model import Draft, Millis
from desk.outgoing import NOTE
from tui.clock import wall
from tui.draw import flat, plural
from tui.widgets.bars import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.app import DeskApp

EVERY_S = 2.0
"""A change is saved so long after it: what a crash may cost."""

Key = tuple[int, str]
"""The ticket and the kind of a text."""


class Drafts:
    """The agent's unsent texts, and who else has begun one on the ticket that is shown.

    Nothing here waits for the store: what changed is noted, and saved in the background. While
    the store is away it is kept here, and saved when that is back.
    """

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self._kept: dict[Key, Draft] = {}
        self._unsaved: dict[Key, Draft | None] = {}
        """What the store does not have yet; None: it is to forget one."""
        self._saved: dict[Key, Millis] = {}
        self._known: dict[Key, str] = {}
        """The words that the store has of each, as far as this screen knows."""
        self._trouble = ""
        self._timing = self._saving = False
        self._others: tuple[int, tuple[Draft, ...]] = (0, ())

    # -- what there is --------------------------------------------------------------

    @property
    def kept(self) -> Mapping[Key, Draft]:
        """The agent's own, by ticket and kind."""
        return self._kept

    def stored(self) -> list[Draft]:
        """The agent's own, as the store has them; runs in a thread."""
        me = self._app.front.me
        gone = {key for key, draft in self._unsaved.items() if draft is None}
        found = self._app.front.desk.store.drafts(agent=me) if me else []
        return [draft for draft in found if (draft.ticket, draft.kind) not in gone]

    @property
    def unsaved(self) -> list[Draft]:
        """Those that would be lost with this screen."""
        return [draft for draft in self._unsaved.values() if draft is not None]

    def others(self, ticket: int) -> tuple[Draft, ...]:
        """What colleagues have begun on the ticket, as it was last looked for."""
        return self._others[1] if self._others[0] == ticket else ()

    def told(self, ticket: int, kind: str) -> tuple[Part, ...]:
        """Whether the text is safe, in a few words."""
        key, over = (ticket, kind), "note+" if kind == NOTE else ""
        if key in self._unsaved:
            return ((f"not saved: {self._trouble}", f"{over}notice"),) if self._trouble else ()
        if key not in self._saved:
            return ()
        return ((f"draft saved {wall(self._saved[key], self._app.front.zone)}", "note" if over else "quiet"),)

    # -- keeping ----------------------------------------------------------------------

    def later(self, look: Callable[[], None]) -> None:
        """Somebody types: save what there is in a moment; `look` puts it here first."""
        if self._timing:
            return
        self._timing = True

        def now() -> None:
            self._timing = False
            look()

        self._app.set_timer(EVERY_S, now)

    def keep(self, draft: Draft) -> None:
        """Keep a text in place of the one before; an empty one is none."""
        key = (draft.ticket, draft.kind)
        before = self._kept.get(key)
        if not draft.text.strip() and not draft.options.get("attach"):
            if before is not None:
                self.drop(draft.ticket, draft.kind)
            return
        if before is None or replace(before, at=draft.at) != draft:
            self._kept[key] = self._unsaved[key] = draft
            self.save()

    def drop(self, ticket: int, kind: str) -> None:
        """Forget a text: it was sent, or thrown away."""
        self._kept.pop((ticket, kind), None)
        self._saved.pop((ticket, kind), None)
        self._known.pop((ticket, kind), None)
        self._unsaved[ticket, kind] = None
        self.save()

    def lend(self, draft: Draft) -> None:
        """A text waits to be sent: it is no draft any more, but the store keeps it until it has gone out."""
        self._kept.pop((draft.ticket, draft.kind), None)

    def sent(self, draft: Draft) -> None:
        """It has gone out."""
        if (draft.ticket, draft.kind) not in self._kept:
            self.drop(draft.ticket, draft.kind)

    # -- the store --------------------------------------------------------------------

    def save(self) -> None:
        """Bring to the store what it does not have, when it is there."""
        if self._unsaved and not self._saving:
            self._saving = True
            self._app.run_worker(self._save())

    async def saved(self) -> None:
        """Return when all is saved, or cannot be."""
        if self._unsaved:
            await self._save()

    async def _save(self) -> None:
        app = self._app
        store, me = app.front.desk.store, app.front.me
        try:
            while self._unsaved:
                if me is None:
                    self._trouble = "the desk does not know you"
                    return
                these = dict(self._unsaved)

                known = dict(self._known)

                def work(
                    these: Mapping[Key, Draft | None] = these, known: Mapping[Key, str] = known
                ) -> list[tuple[Draft, str]]:
                    found = []
                    for (ticket, kind), draft in these.items():
                        if draft is None:
                            store.drop_draft(ticket, me, kind)
                            continue
                        theirs = _elsewhere(store.drafts(ticket=ticket, agent=me), draft, known.get((ticket, kind)))
                        if theirs:
                            text, at = _both(draft.text, theirs.text), max(draft.at, theirs.at)
                            found.append((draft, theirs.text))
                        store.keep_draft(replace(draft, text=text, at=at) if theirs else draft)
                    return found

                elsewhere = await app.runner.write(work)
                self._trouble = ""
                for key, draft in these.items():
                    if self._unsaved.get(key, self) is draft:
                        del self._unsaved[key]
                        self._saved[key] = app.front.now()
                    if draft is not None:
                        self._known[key] = draft.text
                for draft, theirs in elsewhere:
                    self._meet(draft, theirs)
        except Away:
            self._trouble = "the store is away"
        except DeskError as error:
            self._trouble = flat(str(error))
        finally:
            self._saving = False
            app.writing.tell()

    def _meet(self, draft: Draft, theirs: str) -> None:
        """Another screen of the agent's saved other words in the meantime: neither these nor those are lost."""
        key = (draft.ticket, draft.kind)
        self._known[key] = _both(draft.text, theirs)
        if key in self._kept:
            self._kept[key] = replace(self._kept[key], text=_both(self._kept[key].text, theirs))
        if (waiting := self._unsaved.get(key)) is not None:
            # What was typed while the store was asked does not know of them either.
            self._unsaved[key] = replace(waiting, text=_both(waiting.text, theirs))
        self._app.writing.join(key, theirs)
        self._app.say(
            f"another screen of yours kept other words for the {draft.kind} on #{draft.ticket}: they stand below these",
            "notice",
        )

    async def load(self) -> str:
        """Read the agent's own; what there is, as a sentence, or ""."""
        app, me = self._app, self._app.front.me
        if me is None:
            return ""
        self._take(await app.runner.read(lambda: app.front.desk.store.drafts(agent=me)))
        if not self._kept:
            return ""
        key = app.hands.key("drafts")
        return f"{plural(len(self._kept), 'unsent text')}: {key} lists {'it' if len(self._kept) == 1 else 'them'}"

    async def look(self, ticket: int) -> None:
        """Read what is begun on a ticket: here, on another screen of the agent's, or by colleagues."""
        app, me = self._app, self._app.front.me
        found = await app.runner.read(lambda: app.front.desk.store.drafts(ticket=ticket))
        for key in [k for k in self._kept if k[0] == ticket and k not in self._unsaved and k != self._written]:
            del self._kept[key]
        self._take([draft for draft in found if draft.agent == me])
        self._others = (ticket, tuple(draft for draft in found if draft.agent != me))

    async def glance(self, ticket: int) -> None:
        """Look again, if that can be."""
        with suppress(DeskError):
            await self.look(ticket)

    @property
    def _written(self) -> Key | None:
        """The text that is being written here."""
        writing = self._app.writing
        return (writing.number, writing.kind) if writing.stage else None

    def _take(self, drafts: list[Draft]) -> None:
        waits = {(a.draft.ticket, a.draft.kind) for a in self._app.waiting.asked if a.draft}
        for draft in drafts:
            key = (draft.ticket, draft.kind)
            if key == self._written:
                if theirs := _elsewhere((draft,), self._app.writing.current, self._known.get(key)):
                    self._meet(self._app.writing.current, theirs.text)
            elif key not in self._unsaved and key not in waits:
                self._kept[key] = draft
                self._saved[key] = draft.at
                self._known[key] = draft.text


def _elsewhere(drafts: Iterable[Draft], mine: Draft, known: str | None) -> Draft | None:
    """The text that the store has, if it has words that this screen neither knows of nor has in its own."""
    kept = next((draft for draft in drafts if draft.kind == mine.kind), None)
    return None if kept is None or kept.text == known or kept.text.strip() in mine.text else kept


def _both(mine: str, theirs: str) -> str:
    return theirs if mine.strip() in theirs else f"{mine.rstrip()}\n\n{theirs}"
