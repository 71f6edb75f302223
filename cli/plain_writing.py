"""What is written in the line mode: from the text over the review to what was sent; what is unsent is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from cli.changing import edit
from cli.plain_talk import Talk
from cli.plain_words import review, to_whom
from cli.wiring import Session, new_batch, now, read_file
from desk.errors import DeskError, Invalid
from desk.lines import Call
from desk.model import Draft, Message, Role
from desk.outgoing import FORWARD, NOTE, REPLY, News, call, preview, send
from desk.perform import Outcome
from desk.permissions import demand
from desk.signatures import signature

_AFTERWARDS: dict[str, tuple[Call, ...]] = {"y": (), "s": (Call("solve"),), "p": (Call("status", {"to": "pending"}),)}
_SEND = "send? y / s send and solve / p send and pending / e edit / n keep"
_ASK = {
    REPLY: _SEND,
    FORWARD: _SEND,
    NOTE: "leave this note? y / s leave it and solve / p leave it and pending / e edit / n keep",
}
_HOW = "Write. A line with a single dot ends the text, a line with only e opens the editor, Ctrl-C keeps it unsent."


class Writing:
    """The texts of this dialogue. `news` hears of messages that came while one was written."""

    def __init__(self, here: Session, talk: Talk, news: Callable[[int, Sequence[Message]], None]) -> None:
        self._here, self._talk, self._news = here, talk, news
        self._drafts: dict[tuple[int, str], Draft] = {}
        self._sent: dict[str, Draft] = {}

    # -- what is unsent ---------------------------------------------------------

    @property
    def unsent(self) -> list[tuple[int, str]]:
        """The texts of this dialogue that were not sent: ticket and kind."""
        return list(self._drafts)

    def on(self, ticket: int) -> list[str]:
        """The kinds of text that are kept for a ticket, unsent."""
        me = self._here.agent()
        found = {kind for number, kind in self._drafts if number == ticket}
        if me is not None:
            found |= {one.kind for one in self._here.store().drafts(agent=me.name, ticket=ticket)}
        return sorted(found)

    def discard(self, ticket: int) -> list[str]:
        """Throw the texts away that are kept for a ticket; which kinds there were."""
        found = self.on(ticket)
        for kind in found:
            self._drop(ticket, kind)
        return found

    def _find(self, ticket: int, kind: str) -> Draft:
        if (ticket, kind) in self._drafts:
            return self._drafts[ticket, kind]
        me = demand(self._here.agent(), kind, Role.AGENT)
        kept = self._here.store().drafts(agent=me.name, ticket=ticket)
        return next((one for one in kept if one.kind == kind), Draft(ticket, me.name, kind, now(), "", {}))

    def _keep(self, draft: Draft) -> None:
        if not draft.text.strip():
            return
        draft = replace(draft, at=now())
        self._drafts[draft.ticket, draft.kind] = draft
        goes_on = f"the {draft.kind} on #{draft.ticket} is kept, unsent; {draft.kind} goes on with it"
        try:
            self._here.store().keep_draft(draft)
        except DeskError as error:
            goes_on += f" as long as you stay here, for it could not be saved: {error}"
        self._talk.say(goes_on)

    def _drop(self, ticket: int, kind: str) -> None:
        draft = self._drafts.pop((ticket, kind), None)
        me = self._here.agent()
        if me is not None or draft is not None:
            self._here.store().drop_draft(ticket, me.name if me else "", kind)

    # -- writing ------------------------------------------------------------------

    def begin(self, kind: str, ticket: int, seen: int, options: Mapping[str, str]) -> Outcome | None:
        """Write a reply, a note or what is forwarded, or go on with the one kept, up to what was done; errors say why it cannot be."""
        draft = replace(self._find(ticket, kind), seen=seen)
        if options:
            draft = replace(draft, options=dict(options))
        talk = self._talk
        talk.say(to_whom(kind, ticket, self._would(replace(draft, text=draft.text or "…"))))
        if draft.text:
            talk.say(f"So far you have written:\n{draft.text}")
        if talk.person:
            talk.say(_HOW)
        try:
            draft = self._type(draft)
            return self._review(draft)
        except _Stopped as stopped:
            self._keep(stopped.draft)
            if not talk.person:
                raise Invalid(
                    f"the input ended before the {kind} on #{ticket} was sent; put a dot and y behind the text"
                ) from None
            if not stopped.draft.text.strip():
                talk.say("nothing was written")
            return None

    def _type(self, draft: Draft) -> Draft:
        written = [draft.text] if draft.text else []
        try:
            while True:
                typed = self._talk.text()
                if typed == ["."]:
                    return replace(draft, text="\n".join(written))
                if typed == ["e"] and self._talk.person:
                    return self._edited(replace(draft, text="\n".join(written)))
                written += typed
        except EOFError:
            # As in mail programs: the end of the input is the end of the text.
            return replace(draft, text="\n".join(written))
        except KeyboardInterrupt:
            raise _Stopped(replace(draft, text="\n".join(written))) from None

    def _edited(self, draft: Draft) -> Draft:
        try:
            return replace(draft, text=edit("", draft.text))
        except DeskError as error:
            self._talk.say(str(error))
            return draft

    # -- sending --------------------------------------------------------------------

    def _review(self, draft: Draft) -> Outcome | None:
        talk = self._talk
        try:
            while True:
                if not draft.text.strip() and draft.kind != FORWARD:
                    talk.say("nothing was written, nothing is sent")
                    return None
                for line in review(draft.kind, self._would(draft), self._signature(draft)):
                    talk.say(line)
                answer = talk.answer(_ASK[draft.kind], "yspen")
                if answer == "e":
                    draft = self._edited(draft)
                elif answer not in _AFTERWARDS:
                    self._keep(draft)
                    return None
                else:
                    batch = new_batch()
                    result = self._send(draft, answer, batch)
                    if not isinstance(result, News):
                        self._drop(draft.ticket, draft.kind)
                        self._sent[batch] = draft
                        return result
                    talk.say("Nothing was sent: meanwhile somebody else wrote.")
                    self._news(draft.ticket, result.messages)
                    draft = replace(draft, seen=max(draft.seen, *(m.id for m in result.messages)))
        except (EOFError, KeyboardInterrupt):
            raise _Stopped(draft) from None
        except DeskError:
            self._keep(draft)
            raise

    def _send(self, draft: Draft, answer: str, batch: str) -> Outcome | News:
        here = self._here
        return send(
            here.desk(),
            here.who(),
            [call(draft), *_AFTERWARDS[answer]],
            draft.ticket,
            draft.seen,
            at=now(),
            batch_id=batch,
            source=here.source,
            read_file=read_file,
        )

    def _would(self, draft: Draft) -> Message:
        here = self._here
        return preview(
            here.desk(), here.who(), [call(draft)], draft.ticket, at=now(), batch_id=new_batch(), read_file=read_file
        )

    def _signature(self, draft: Draft) -> str:
        if draft.kind != REPLY:
            return ""
        store = self._here.store()
        try:
            return signature(self._here.agent(), store.config, store.ticket(draft.ticket))
        except Invalid as error:
            self._talk.say(f"the signature is left out: {error}")
            return ""

    def taken_back(self, batch: str) -> bool:
        """A text that was sent is taken back: it is kept again. False when the batch sent none of this dialogue's."""
        draft = self._sent.pop(batch, None)
        if draft is None:
            return False
        self._keep(draft)
        return True


class _Stopped(Exception):
    """Somebody left the text, or the input ended."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
