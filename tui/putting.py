"""Texts that are put into the one being written: quotes, canned texts, those of macros, a colleague's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from desk.completion import Choice
from desk.errors import Invalid
from desk.model import Kind
from desk.outgoing import NOTE, REPLY, WRITTEN
from tui.draw import flat, size
from tui.recipients import WAYS

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.front import Macros as Shelf
    from tui.writing import Writing


_LONGEST_QUOTE = 200_000
"""Longer than anybody reads, and an editor of text takes seconds for more."""


class Putting:
    """Finds a text and puts it at the cursor."""

    def __init__(self, app: DeskApp, writing: Writing) -> None:
        self._app, self._writing = app, writing

    def _shelf(self) -> Shelf:
        if self._app.front.macros is None:
            raise Invalid("there are no snippets and no macros here")
        return self._app.front.macros

    # -- quotes -------------------------------------------------------------------

    async def quote(self, place: int | None, part: str = "") -> None:
        """Quote the newest message, or the one in this place; begins a reply where nothing is written.

        `part` is what of it: lines ("2-5"), or words: the paragraphs that hold them.
        """
        view, writing = self._app.ticket.view, self._writing
        assert view is not None
        kind = writing.kind if writing.stage else REPLY
        if place is None:
            fit = [m for m in view.thread if kind == NOTE or m.kind is not Kind.NOTE]
            message = fit[-1] if fit else None
        else:
            message = view.thread[place - 1] if 0 < place <= len(view.thread) else None
        if message is None:
            raise Invalid(f"there is no message {place or ''} to quote; #{view.ticket.id} has {len(view.thread)}")
        if message.kind is Kind.NOTE and kind != NOTE:
            raise Invalid(f"message {place} is internal; a {kind} goes out and must not quote it")
        text = selected(message.visible.strip("\n"), part)
        if len(text) > _LONGEST_QUOTE:
            raise Invalid(f"that is {size(len(text))} of text, too much to quote; quote some words of it: quote 3 mtu")
        quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
        if writing.stage != "writing":
            await writing.begin(kind)
        writing.insert(("\n" if writing.before else "") + quoted + "\n\n")

    # -- canned texts ---------------------------------------------------------------

    async def snippet(self, name: str = "") -> None:
        """Put in a canned text by its name, or by the letters of it that stand before the cursor."""
        writing, shelf, number = self._writing, self._shelf(), self._writing.number
        if writing.stage != "writing":
            raise Invalid("a snippet is put into a text; begin one first")
        word = writing.before.split(" ")[-1]
        typed = name or word
        known = dict(await self._app.runner.read(shelf.snippets))
        found = [typed] if typed in known else [one for one in known if typed and one.startswith(typed)]
        if len(found) > 1 or (known and not typed):
            choices = [Choice(f"snippet {one}", one, flat(known[one])) for one in found or known]
            self._app.prompting.choose("snippet", choices)
            return
        chosen = found[0] if found else typed
        text = await self._app.runner.read(lambda: shelf.snippet(chosen, number))
        writing.insert(text.rstrip("\n"), len(word) if chosen.startswith(word) else 0)

    # -- macros -----------------------------------------------------------------------

    async def macro(self, name: str, given: Mapping[str, str]) -> None:
        """Put in what a macro would say; what else it does is left to be done with the macro itself."""
        shelf, number = self._shelf(), self._writing.number
        ready, _ = await self._app.runner.write(lambda: shelf.prepare(name, (number,), given))
        calls = ready.calls.get(number, ())
        texts = [str(call.args["body"]) for call in calls if call.verb in WRITTEN and call.args.get("body")]
        if not texts:
            raise Invalid(
                f"the macro {name} says nothing; leave the text and run it with {self._app.hands.key('macro')}"
            )
        self._writing.insert("\n\n".join(text.strip("\n") for text in texts))
        if others := [call.verb for call in calls if call.verb not in WRITTEN]:
            self._app.say(f"only the text of {name} is put in; not done: {', '.join(others)}", "notice")

    async def macros(self) -> None:
        """Offer the macros there are here."""
        from tui.macros import Macros

        await Macros(self._app).choose()

    # -- a colleague's ------------------------------------------------------------------

    async def take_over(self, name: str) -> None:
        """Put what a colleague has begun on this ticket behind one's own; theirs stays theirs."""
        writing = self._writing
        await writing.drafts.look(writing.number)
        found = [one for one in writing.drafts.others(writing.number) if not name or one.agent == name]
        if not found:
            told = f"{name} has begun nothing" if name else "nobody else has begun anything"
            raise Invalid(f"{told} on #{writing.number}")
        if len(found) > 1 and not name:
            self._app.prompting.choose(
                "draft", [Choice(f"draft {one.agent}", one.agent, flat(one.text)[:100]) for one in found]
            )
            return
        theirs = found[0]
        if writing.stage == "writing" and writing.kind == theirs.kind:
            writing.insert(theirs.text)
        else:
            whom = {way: who for way, who in theirs.options.items() if way in (*WAYS, "only", "all")}
            await writing.begin(theirs.kind, whom, theirs.text)
        self._app.say(f"the text of {theirs.agent} is copied; theirs is untouched", "quiet")


def selected(text: str, part: str) -> str:
    """What of `text` is meant: all of it, its lines "2-5" (or "7"), or the paragraphs with these words; Invalid for none."""
    part = " ".join(part.split())
    if not part:
        return text
    if lines := re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part):
        first, last = int(lines[1]), int(lines[2] or lines[1])
        chosen = text.splitlines()[max(0, first - 1) : last]
        if not chosen:
            raise Invalid(f"that message has {len(text.splitlines())} lines, none of them {part}")
        return "\n".join(chosen)
    found = [piece for piece in re.split(r"\n[ \t]*\n", text) if part.casefold() in " ".join(piece.split()).casefold()]
    if not found:
        raise Invalid(f'that message does not say "{part}"')
    return "\n\n".join(piece.strip("\n") for piece in found)
