"""Somebody who presses keys at random while the desk is at work; whatever happens, the screen must hold."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from textual import events
from textual.keys import _character_to_key

from desk import actions
from desk.config import KeysConfig
from desk.errors import Away, DeskError
from desk.events import Posted
from desk.model import State
from desk.perform import Desk
from desk.store import Store
from tests.desks import Room
from tests.tui.shown import Shown
from tests.tui.test_hostile import TEXTS, harmless
from tui.bindings import bound
from tui.keymap import split
from tui.verbs import VERBS

_COLLEAGUE = (
    "take", "release", "solve", "open", "tag odd", "untag odd", "priority urgent", "priority low", "trash", "untrash", "spam",
    "note Look at this.", "reply We are on it.", "snooze 2h", "status pending", "assign kim", "rename Another one", "merge {other}",
)  # fmt: skip
_LINES = (
    "solve", "tag odd; untag odd", "merge {other}", "merge {here}", "assign sam", "reply Hello.", "note Look.", "forward c9@acme.example FYI",
    "undo", "drop", "drop 7", "view nowhere", "sort subject", "columns subject,id", "show 1", "show 99999", "#3", "99999999999999999999",
    "trash", "preview solve", "preview reply Hello.", "retry", "later 2h", "attach /nowhere", "recipients", "draft", "unsent", "detach x",
    "search mail", "narrow x", "'", '"', ";", " ", "tag", "snooze never", "macro nowhere", "relay on", "theme nowhere", "reload", "save /", "tour",
    "goto Invoice", "filter has:nothing", "filter tag:odd or", "look", "copy text", "quote", "reply-all", "messages", "waiting", "notices",
)  # fmt: skip
_WORDS = (*TEXTS.values(), "Dear Ann", "/", "@me", "is:open", "tag:odd", "99", " ", "ñ", "{{ x }}", "/sol")
_KEYS = (
    "escape", "enter", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "backspace", "delete",
    "ctrl+a", "ctrl+c", "ctrl+d", "ctrl+e", "ctrl+f", "ctrl+g", "ctrl+k", "ctrl+l", "ctrl+n", "ctrl+o", "ctrl+p", "ctrl+q", "ctrl+r",
    "ctrl+s", "ctrl+t", "ctrl+u", "ctrl+w", "ctrl+x", "ctrl+y", "ctrl+z", "f1", "space", "y", "s", "p", "o", "g", "v", "a", "d", "n",
)  # fmt: skip


class Shaky:
    """A store that can be away."""

    def __init__(self, store: Store) -> None:
        self._store, self.away = store, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def ask(*given: Any, **named: Any) -> Any:
            if self.away:
                raise Away("the store is away")
            return found(*given, **named)

        return ask


class Monkey:
    """Presses keys and lets things happen, chosen by a seed; `said` is what it did last."""

    def __init__(self, room: Room, seed: str) -> None:
        self.room, self.chance = room, random.Random(seed)
        self.store = Shaky(room.store)
        self.desk = Desk(self.store, room.desk.config, room.desk.signer)  # type: ignore[arg-type]
        self.said: list[str] = []
        self.confirmed = 0
        own = {
            key
            for place in ("list", "ticket", "sheet")
            for keys in bound(place, KeysConfig(), {})
            for key in split(keys)
        }
        self._keys = [*sorted(map(_textual, own)), *_KEYS]

    def sit(self, screen: Shown) -> None:
        """Take this screen: it is never left, and every key that says yes to something is counted."""
        self.screen, app = screen, screen.app
        app.exit = lambda *given, **named: None  # type: ignore[method-assign]
        hands, meant = app.hands, app.hands._meant

        async def counted(name: str) -> bool:
            sheet = app.sheet.sheet if app.place == "sheet" else None
            answers = {**hands._answers} or (dict(sheet.answers) if sheet else {})
            line = hands._reader.bindings.get(name)
            self.confirmed += name in answers or (app.place == "reviewing" and name in "ysp") or line == "redo"
            return await meant(name)

        hands._meant = counted  # type: ignore[method-assign]
        run_line = hands.run_line

        async def ran(line: str, count: int | None = None) -> None:
            if line.partition(" ")[0] in ("pipe", "launch", "save", "save-all"):
                return
            # Typed out and run on one ticket, this is as good as a yes.
            self.confirmed += any(word in line for word in ("reply ", "forward ", "retry", "redo"))
            await run_line(line, count)

        hands.run_line = ran  # type: ignore[method-assign]

    async def burst(self) -> None:
        """Some keys or a happening; then all must be well."""
        for _ in range(self.chance.randint(1, 6)):
            what, deed = self.chance.choices(
                (("keys", self._press), ("line", self._line), ("words", self._type), ("size", self._resize),
                 ("colleague", self._colleague), ("mail", self._mail), ("store", self._store_goes), ("sent", self._sent)),
                (40, 10, 8, 3, 14, 5, 2, 3),
            )[0]  # fmt: skip
            self.said.append(what)
            await deed()
        await self.screen.pilot.pause()
        if self.chance.random() < 0.3:
            await self.well()

    async def well(self) -> None:
        """Wait until all is done, and look whether all is well."""
        screen, app = self.screen, self.screen.app
        await screen.settle()
        assert app._exception is None
        assert app.is_running
        assert screen.lines[-1].strip(), "the last line is empty"
        assert len(screen.lines) == app.size.height
        harmless(screen, " ".join(self.said[-40:]))

    async def end(self) -> None:
        """All is back; nothing was sent unasked, and the store is whole."""
        self.store.away = False
        app = self.screen.app
        await self.screen.until(lambda: not app.runner.away and not app.waiting.asked)
        await self.well()
        sent = {
            record.batch
            for record in self.room.store.log()
            if record.kind == Posted.__name__ and record.agent == "kim" and record.data.get("deliveries")
        }
        assert len({batch for batch in sent if batch.startswith("screen-")}) <= self.confirmed
        assert not self.room.store.check()

    # -- what it does -----------------------------------------------------------------

    async def _press(self) -> None:
        for key in self.chance.choices(self._keys, k=self.chance.randint(1, 8)):
            self.said.append(key)
            self.screen.app.simulate_key(key)
            if self.chance.random() < 0.5:
                await self.screen.pilot.pause()

    async def _text(self, text: str) -> None:
        for letter in text:
            if letter.isprintable():
                self.screen.app.post_message(events.Key(letter if len(letter) > 1 else _named(letter), letter))
            else:
                # What is no key comes by the clipboard.
                self.screen.app.post_message(events.Paste(letter))
        self.said.append(repr(text))

    async def _line(self) -> None:
        line = self.chance.choice([*_LINES, *VERBS, *actions.load()])
        here = self.screen.app.commands.targets() or [1]
        self.screen.app.simulate_key("colon")
        await self._text(line.format(other=self._number(), here=here[0]))
        self.screen.app.simulate_key("enter")

    async def _type(self) -> None:
        text = self.chance.choice(_WORDS)
        if self.chance.random() < 0.4:
            self.screen.app.post_message(events.Paste(text * self.chance.randint(1, 50)))
            self.said.append(f"paste {text!r}")
        else:
            await self._text(text)

    async def _resize(self) -> None:
        size = self.chance.randint(20, 200), self.chance.randint(5, 60)
        self.said.append(str(size))
        await self.screen.pilot.resize_terminal(*size)

    async def _away(self, deed: Callable[[], object]) -> None:
        def work() -> None:
            try:
                deed()
            except DeskError as error:
                self.said.append(f"refused: {error}")

        await asyncio.to_thread(work)

    async def _colleague(self) -> None:
        line = self.chance.choice(_COLLEAGUE).format(other=self._number())
        here = self.screen.app.commands.targets()
        number = here[0] if here and self.chance.random() < 0.8 else self._number()
        self.said.append(f"sam: {line} #{number}")
        await self._away(lambda: self.room.do(line, number, by="sam"))

    async def _mail(self) -> None:
        text = self.chance.choice(_WORDS)
        if self.chance.random() < 0.5:
            await self._away(
                lambda: self.room.receive(self.room.mail(300_000 + self.room.turns, subject=f"new {text}", text=text))
            )
        else:
            number = self._number()
            await self._away(lambda: self.room.store.thread(number) and self.room.answer(number, f"again {text}"))

    async def _sent(self) -> None:
        state = self.chance.choice((State.SENT, State.FAILED))
        await self._away(lambda: self.room.send(state=state, error=f"550 {self.chance.choice(_WORDS)}"))

    async def _store_goes(self) -> None:
        self.store.away = not self.store.away
        self.said.append(f"store away: {self.store.away}")

    def _number(self) -> int:
        return self.chance.randint(1, 12)


def _named(letter: str) -> str:
    return _character_to_key(letter)


def _textual(key: str) -> str:
    if key.startswith("^"):
        return f"ctrl+{key[1:]}"
    return (
        key if len(key) > 1 and ("+" in key or key.isalnum()) and key not in ("gg",) else _named(key[0]) if key else "g"
    )
