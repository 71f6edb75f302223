"""The review: what is going to be sent, all of it, and the keys that send it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from desk import lines, outgoing
from desk.completion import Choice
from desk.errors import Invalid
from desk.lines import Call
from desk.model import Draft, Kind
from desk.outgoing import NOTE, News, call, paths, recipients
from desk.perform import Outcome
from desk.promised import promised
from desk.signatures import signature
from desk.store import Tx
from desk.when import HINT, coming, moment
from tui.attaching import File, weigh
from tui.commands import told
from tui.completion import Asking, search
from tui.draw import wrap
from tui.outgoing import Checked, can, question, review
from tui.waiting import Asked
from tui.widgets.lines import Drawn, Lines

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.writing import Writing

_AFTER = {"y": "send", "s": "send and solve", "p": "send and pending"}
_AFTERWARDS: dict[str, tuple[Call, ...]] = {"y": (), "s": (Call("solve"),), "p": (Call("status", {"to": "pending"}),)}
_SENT = {"y": "sent", "s": "sent and solved", "p": "sent and pending"}
_LATER = ("2h", "tomorrow 9:00", "monday 9:00")


class Reviewing:
    """Shows a text as it would go out, and sends it."""

    def __init__(self, app: DeskApp, writing: Writing) -> None:
        self._app, self._writing = app, writing
        self.lines = Lines(app.look, "review")
        self.found: Checked | None = None
        self._raw: Sequence[str] = ()
        self._sure = ""

    # -- keys -----------------------------------------------------------------------

    def key(self, name: str) -> None:
        """Take a key."""
        app = self._app
        match name:
            case "y" | "s" | "p":
                app.hands.spawn(self._send(name))
            case "e" | "escape" | "h" | "^c":
                self._writing.back()
            case "a":
                self._writing.envelope.attaching()
            case "v":
                app.hands.spawn(self._view())
            case "l":
                self._later()
            case "q":
                app.hands.ask(
                    "throw this text away?",
                    {"d": ("discard", self._writing.discard), "k": ("keep for later", self._writing.put_away)},
                )
            case "j" | "down" | "k" | "up" | "space" | "^d" | "^u" | "pagedown" | "pageup":
                app.pane.half_page(-1 if name in ("k", "up", "^u", "pageup") else 1)
            case _:
                does = "keeps it" if self._writing.kind == NOTE else "sends"
                app.say(f"{name} does nothing here; y {does}, e edits, q leaves", "quiet")

    def _later(self) -> None:
        if self._writing.kind == NOTE:
            self._app.say("a note goes nowhere, so it cannot go later", "quiet")
            return

        async def then(text: str | None) -> None:
            if text is not None:
                await self.wait_until(text.strip())

        choices = [Choice(when, when) for when in _LATER]
        if self._writing.envelope.options.get("at"):
            choices.insert(0, Choice("now", "now", "as soon as it is sent"))

        def offered(typed: str) -> list[Choice]:
            found = search(typed, choices)
            return found if found or not typed.strip() else [Choice(typed, typed, "as typed")]

        self._app.prompting.ask(
            Asking("send at", offered, then, picks=True), hint="When is it to go out? 2h, tomorrow 9:00, monday"
        )

    async def wait_until(self, when: str) -> None:
        """Send it at a time of one's choice ("now": not later)."""
        if when and when != "now":
            front = self._app.front
            if moment(when, front.now(), front.who.zone) <= front.now():
                raise Invalid(f"{when} has passed; {HINT}")
        self._writing.envelope.wait(when if when != "now" else "")
        await self._writing.changed()

    async def _view(self) -> None:
        front, found = self._app.front, self.found
        assert found is not None
        if self._raw:
            self._raw = ()
        else:
            draw = front.raw
            if draw is None or found.draft.kind == NOTE:
                raise Invalid("there is nothing more to see of it than this")
            raw = await self._app.runner.read(lambda: draw(found.message, found.text))
            self._raw = tuple(wrap(raw, self._app.ticket.size.width - 4))
        self.draw()
        self.lines.go(0)

    # -- what is shown ----------------------------------------------------------------

    async def check(self) -> None:
        """Show what would go out, to whom; errors say why it cannot."""
        draft = self._writing.current
        files = await asyncio.to_thread(weigh, paths(draft))
        self.found = await self._app.runner.write(lambda: self._read(draft, files))
        self._raw, self._sure = (), ""
        self._writing.reviewed()
        self.draw()
        self.lines.go(0)

    def draw(self) -> None:
        """Draw it again: something came, or the screen has another width."""
        if self.found is None:
            return
        if self._raw:
            self.lines.put([Drawn((("  " + line, "text"),)) for line in self._raw])
        else:
            self.lines.put(review(self.found, self._app.ticket.size.width, self._writing.news_told()))

    def _read(self, draft: Draft, files: Sequence[File]) -> Checked:
        front = self._app.front
        store = front.desk.store
        # Files are looked at, and read only when it is sent.
        bare = replace(draft, options={name: value for name, value in draft.options.items() if name != "attach"})
        foreseen = outgoing.foresee(
            front.desk, front.who, [call(bare)], draft.ticket, at=front.now(), batch_id=front.new_batch()
        )
        message, ticket = foreseen.message, store.ticket(draft.ticket)
        people = [person.value for _, person in recipients(message)]
        seen = {who.value for m in store.thread(draft.ticket) for who in (m.sender, *m.to, *m.cc, *m.bcc) if who}

        def back(tx: Tx) -> frozenset[str]:
            return frozenset(address for address in people if tx.undeliverable(address))

        strangers = [a for a in people if a not in seen and a not in ticket.cc and not _known(store.customers(a, 5), a)]
        when = draft.options.get("at")
        account = store.accounts().get(message.account)
        # In a chat everybody sees who speaks.
        letter = can(account, "subject")
        return Checked(
            draft,
            message,
            foreseen.status or str(ticket.status),
            account,
            signature(front.who.agent, front.desk.config, ticket) if message.kind is Kind.PUBLIC and letter else "",
            files,
            store.write(back) if people else frozenset(),
            frozenset(strangers),
            coming(moment(when, front.now(), front.who.zone), front.now(), front.zone) if when else "",
            "" if files or message.attachments else promised(draft.text),
        )

    # -- sending ----------------------------------------------------------------------

    def _asked(self, key: str) -> Asked:
        """What was reviewed, to be sent, and what `key` says besides."""
        front, found = self._app.front, self.found
        assert found is not None
        draft = replace(found.draft, seen=self._writing.seen)
        calls, batch = [call(draft), *_AFTERWARDS[key]], front.new_batch()

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome | News:
            return outgoing.send(
                front.desk, front.who, calls, draft.ticket, draft.seen, at=front.now(), batch_id=batch,
                version=versions.get(draft.ticket), read_file=front.read_file,
            )  # fmt: skip

        return Asked(batch, lines.title(calls), (draft.ticket,), work, draft)

    async def _send(self, key: str) -> None:
        app, found = self._app, self.found
        assert found is not None
        files = await asyncio.to_thread(weigh, paths(found.draft))
        if list(files) != list(found.files):
            # One has gone, or grew, since it was shown.
            self.found = found = replace(found, files=files)
            self.draw()
        if found.wrong:
            app.say(f"nothing was sent: {found.wrong[0]}")
            return
        if found.promises and self._sure != found.promises:
            self._promised(found.promises, key)
            return
        asked = self._asked(key)
        result = await app.waiting.do(asked)
        if isinstance(result, News):
            await app.ticket.reload()
            self._ask(result, key)
            return
        self._writing.gone(asked, waits=result is None)
        if result is None:
            return
        self._tell(result, key, found.goes)
        await app.commands.settle(result)
        await app.ticket.see()

    def _promised(self, word: str, key: str) -> None:
        async def attach() -> None:
            self._writing.envelope.attaching()

        async def over() -> None:
            self._sure = word
            await self._send(key)

        self._app.hands.ask(
            f"you speak of an attachment (“{word}”) and there is none",
            {"a": ("attach", attach), "o": (f"{_AFTER[key]} all the same", over)},
        )

    def _ask(self, news: News, key: str) -> None:
        async def read() -> None:
            self._writing.accept(news.messages)
            self._writing.back()
            self._app.ticket.conversation.end()

        async def over() -> None:
            self._writing.accept(news.messages)
            await self._send(key)

        self._app.hands.ask(question(news), {"g": ("read it", read), "o": (f"{_AFTER[key]} over it", over)})

    def _tell(self, outcome: Outcome, key: str, goes: str) -> None:
        app = self._app
        undo = app.hands.key("undo")
        if outcome.queued and goes:
            after = {"y": "", "s": ", solved now", "p": ", pending now"}[key]
            app.say(f"goes out {goes}{after} · {undo} takes it back", "good")
        elif outcome.queued:
            found = self.found
            live = bool(found and found.account and found.account.capabilities and found.account.capabilities.live)
            app.edges.sending = (app.front.now() + app.front.desk.config.undo_window(live=live), _SENT[key])
            app.edges.clear()
            app.edges.refresh()
        else:
            app.say(told(outcome, undo), "good")


def _known(customers: Sequence[object], address: str) -> bool:
    return any(getattr(customer, "address", "") == address for customer in customers)
