"""What belongs to a text besides its words: to whom it goes, by which account, with which files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from desk import outgoing
from desk.completion import Choice
from desk.errors import Away, Invalid
from desk.model import Account, Draft, Identity, Message, Millis
from desk.outgoing import FORWARD, NOTE, call, paths
from desk.threads import PRIVATE, conversation_key
from tui import attaching, recipients
from tui.attaching import File
from tui.completion import Asking
from tui.draw import plural
from tui.outgoing import attached, can, limit, room_left
from tui.widgets.bars import Part
from tui.widgets.lines import Drawn

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.writing import Writing

_OPEN = "…"
"""Words for a text that is still to be written."""


class Envelope:
    """The recipients and files of the text under way, and the prompts that change them."""

    def __init__(self, app: DeskApp, writing: Writing) -> None:
        self._app, self._writing = app, writing
        self.options: dict[str, str] = {}
        """The verb's arguments besides the text, as one would type them."""
        self.message: Message | None = None
        """The message as it would be, with the words left open; None while nobody knows."""
        self._account: Account | None = None
        self._until: Millis | None = None
        self._files: Sequence[File] = ()

    async def address(self, number: int, kind: str, options: Mapping[str, str]) -> None:
        """Begin one for a text on a ticket; errors say why it cannot be sent."""
        # Without the store nobody knows whether it may be sent, but it may be written.
        self.message = None
        with suppress(Away):
            self.message, self._account, self._until = await self._foreseen(number, kind, options)
        self.options = {name: value for name, value in options.items() if value}
        self._files = await asyncio.to_thread(attaching.weigh, self._paths)

    async def _foreseen(
        self, number: int, kind: str, options: Mapping[str, str]
    ) -> tuple[Message, Account | None, Millis | None]:
        front = self._app.front
        bare = {name: value for name, value in options.items() if name != "attach" and value}
        draft = Draft(number, front.me or "", kind, front.now(), _OPEN, bare)

        def work() -> tuple[Message, Account | None, Millis | None]:
            found = outgoing.preview(
                front.desk, front.who, [call(draft)], number, at=front.now(), batch_id=front.new_batch()
            )
            store = front.desk.store
            contacts = store.contacts(store.ticket(number).requester) if found.conversation else []
            heard = (c for c in contacts if conversation_key(c.account, c.conversation or "") == found.conversation)
            return found, store.accounts().get(found.account), next((c.reply_until for c in heard), None)

        return await self._app.runner.write(work)

    @property
    def counts(self) -> bool:
        """Whether the account counts how long a text is."""
        can = self._account.capabilities if self._account else None
        return can is not None and (can.text_limit or can.public_limit) is not None

    def room_left(self, text: str) -> tuple[Part, ...]:
        """How much more there is room and time for."""
        return room_left(self.message, self._account, text, self._until, self._app.front.now())

    @property
    def _paths(self) -> list[str]:
        return list(paths(Draft(0, "", "", 0, "", self.options)))

    def files(self, width: int) -> list[Drawn]:
        """The files with their sizes, as lines."""
        return attached(self._files, limit(self._account, "attachment_limit_bytes"), width)

    # -- to whom ------------------------------------------------------------------

    def addressing(self) -> None:
        """Ask to whom the text under way is to go."""
        writing = self._writing
        number, kind = writing.number, writing.kind
        if kind == NOTE:
            self._app.say("a note goes nowhere; only colleagues see it", "quiet")
            return

        async def then(found: Mapping[str, str]) -> None:
            nothing = dict.fromkeys((*recipients.WAYS, *recipients.OPTIONS.values(), "all", "only"), "")
            chosen = {**self.options, **nothing, **self._meant(found, kind)}
            await self.address(number, kind, chosen)
            await writing.changed()

        self.ask(kind, then)

    def _meant(self, found: Mapping[str, str], kind: str) -> dict[str, str]:
        """What of the line is the agent's own choice: what stands there unchanged is left to the desk.

        In a room or below a post those who are reached are no addresses that one could write to
        instead; over another account, or in private, the customer has another address.
        """
        message, chosen = self.message, dict(found)
        if message is None or kind == FORWARD:
            return chosen
        same = chosen.get("account", message.account) == message.account
        if same:
            chosen.pop("account", None)
            if self.options.get("account"):
                chosen["account"] = self.options["account"]
        shown = recipients.read(recipients.line(message, copies=True), copies=True)
        untouched = all(chosen.get(way, "") == shown.get(way, "") for way in recipients.WAYS)
        turned = bool(chosen.get("private")) != (PRIVATE in message.flags)
        if untouched and not (same and not turned and can(self._account, "copies")):
            before = self.options if same and not turned else {}
            return {**chosen, **{way: before.get(way, "") for way in recipients.WAYS}}
        return {**chosen, "only": "yes"}

    def ask(self, kind: str, then: Callable[[Mapping[str, str]], Awaitable[None]], typed: str = "") -> None:
        """Ask for recipients until they can be read."""
        app, copies = self._app, can(self._account, "copies")
        accounts = [one for one in app.edges.accounts.values() if one.capabilities is None or one.capabilities.sends]
        store, view = app.front.desk.store, app.ticket.view
        known = _met(view.thread) if view else []

        async def read(text: str | None) -> None:
            if text is None:
                return
            try:
                await then(recipients.read(text, copies=copies))
            except Invalid as error:
                self._app.prompting.ask(asking, text, str(error))

        def more(text: str) -> Sequence[Choice]:
            word = recipients.begun(text)[1].strip()
            return recipients.more(text, store.customers(word, 8)) if len(word) > 1 else []

        asking = Asking("recipients", lambda text: recipients.choices(text, known, accounts), read, more=more)
        message = self.message if self._writing.stage else None
        ways = "to, cc and bcc, commas between addresses" if copies else "to, commas between addresses"
        line = recipients.line(message, copies=copies, accounts=accounts) if message else "to: "
        more_ways = "; over another account" if len(accounts) > 1 else ""
        app.prompting.ask(asking, typed or line, f"To whom is the {kind} to go? {ways}{more_ways}")

    def wait(self, when: str) -> None:
        """Let it go out then; "" is as soon as it is sent."""
        self.options = {name: value for name, value in {**self.options, "at": when}.items() if value}

    # -- files --------------------------------------------------------------------

    def attaching(self) -> None:
        """Ask for a file to attach."""

        async def then(text: str | None) -> None:
            if text is not None and text.strip():
                await self.attach(text)

        self._app.prompting.ask(
            Asking("attach", lambda text: (), then, more=attaching.offered),
            hint="Which file? Tab completes the path, * takes several",
        )

    async def attach(self, typed: str) -> None:
        """Attach the file of this path."""
        there = self._paths
        new = [path for path in await asyncio.to_thread(attaching.chosen, typed) if path not in there]
        await self._carry([*there, *new])

    def detaching(self) -> None:
        """Take a file off, chosen where there are several."""
        if not self._files:
            self._app.say("there is no file to take off", "quiet")
        elif len(self._files) == 1:
            self._app.hands.spawn(self.detach(1))
        else:
            self._app.prompting.choose(
                "detach", [Choice(f"detach {n}", file.name, file.path) for n, file in enumerate(self._files, 1)]
            )

    async def detach(self, place: int) -> None:
        """Take the file in this place off."""
        there = self._paths
        if not 0 < place <= len(there):
            raise Invalid(f"there is no file {place}; {plural(len(there), 'file')} would go with it")
        gone = there.pop(place - 1)
        await self._carry(there)
        self._app.say(f"{File(gone, 0).name} does not go with it", "quiet")

    async def _carry(self, files: Sequence[str]) -> None:
        self._files = await asyncio.to_thread(attaching.weigh, files)
        self.options = {name: value for name, value in {**self.options, "attach": "\n".join(files)}.items() if value}
        await self._writing.changed()


def _met(thread: Sequence[Message]) -> list[Identity]:
    """Everybody who took part in a conversation, the latest first."""
    people = [who for m in reversed(thread) for who in (m.sender, *m.to, *m.cc) if who]
    return list({person.value: person for person in reversed(people)}.values())[::-1]
