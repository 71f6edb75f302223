"""Command lines of the desk in the line mode: done on the open ticket, told in sentences, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cli.plain_talk import Talk
from cli.plain_words import several
from cli.plain_writing import Writing
from cli.watching import Watched
from cli.wiring import Session, new_batch, now, read_file
from desk import lines, macros
from desk.actions import find
from desk.errors import Conflict, Invalid
from desk.events import Changed, Posted
from desk.hosts import relay_runs
from desk.macros import Input
from desk.model import SECOND, Delivery, Role
from desk.outgoing import FORWARD, REPLY, News, begun, send
from desk.perform import Outcome, perform, undo
from desk.permissions import demand
from desk.preview import told as change
from desk.text import one_line
from desk.when import said

_PUBLIC = (REPLY, FORWARD)


class Doing:
    """Does lines and macros. `own` has the batches of this dialogue, which are no news to anybody here."""

    def __init__(self, here: Session, talk: Talk, writing: Writing) -> None:
        self._here, self._talk, self._writing = here, talk, writing
        self.macros = Watched(here)
        self.own: set[str] = set()

    # -- lines --------------------------------------------------------------------

    def creates(self, line: str) -> bool:
        """Whether a line opens a new ticket."""
        return find(line.split(";")[0].split()[0]).creates

    def run(self, line: str, ticket: int | None, seen: int) -> None:
        """Do a line on a ticket (None: on a new one); `seen` is the newest message that was read out."""
        here = self._here
        if ticket is not None and (begins := begun(line)) is not None:
            kind, options = begins
            outcome = self._writing.begin(kind, ticket, seen, options)
            if outcome is not None:
                self.tell(outcome)
            return
        calls, batch = lines.script(line), new_batch()
        if ticket is not None and any(call.verb in _PUBLIC for call in calls):
            result = send(
                here.desk(), here.who(), calls, ticket, seen, at=now(), batch_id=batch, source=here.source,
                read_file=read_file,
            )  # fmt: skip
            if isinstance(result, News):
                last = one_line(result.messages[-1].author)
                raise Conflict(
                    f"nothing was done: meanwhile {last} wrote on #{ticket}; show reads it, then say it again"
                )
        else:
            result = perform(
                here.desk(), calls, [] if ticket is None else [ticket], here.who(), at=now(), batch_id=batch,
                source=here.source, read_file=read_file,
            )  # fmt: skip
        self.tell(result)

    # -- macros -------------------------------------------------------------------

    def macro(self, rest: str, ticket: int) -> str:
        """Run a macro, or name those that are offered; where to go then: stay, next or close."""
        here, talk = self._here, self._talk
        if not rest:
            found = self.macros.offered(ticket)
            if not found:
                raise Invalid(f"no macro is offered on #{ticket}; deskhand macro list shows all there are")
            talk.show(f"{name}: {one_line(title)}" for name, title, _ in found)
            return "stay"
        name, given = macros.typed(rest)
        if talk.person:
            given = self._answered(self.macros.inputs(name), given)
        ready, programme = self.macros.prepare(name, [ticket], given)
        if programme:
            talk.say(programme)
        would = macros.run(
            here.desk(), ready, here.who(), at=now(), batch_id=new_batch(), dry_run=True, read_file=read_file
        )
        if would.queued and not self._agreed(name, would):
            talk.say("nothing is done")
            return "stay"
        outcome = macros.run(
            here.desk(), ready, here.who(), at=now(), batch_id=new_batch(), source=here.source, read_file=read_file
        )
        self.tell(outcome)
        return self.macros.then(name) if outcome.done else "stay"

    def _answered(self, inputs: Sequence[Input], given: Mapping[str, str]) -> dict[str, str]:
        answers = dict(given)
        for one in inputs:
            if one.name in answers:
                continue
            choices = f" ({', '.join(one.choices)})" if one.choices else ""
            default = (
                f", Enter takes {one_line(one.default)}" if one.default else "" if one.required else ", or nothing"
            )
            if answer := self._talk.value(f"{one.name}: {one_line(one.label)}{choices}{default}"):
                answers[one.name] = answer
        return answers

    def _agreed(self, name: str, would: Outcome) -> bool:
        for event in would.events:
            if isinstance(event, Posted):
                to = _recipients(event.deliveries)
                self._talk.say(f"PUBLIC MESSAGE to {to}:" if to else "INTERNAL NOTE:")
                self._talk.say(event.message.text)
            else:
                self._talk.say(one_line(change(event)))
        return self._talk.answer(f"run {name}? y / n", "yn") == "y"

    # -- taking back --------------------------------------------------------------

    def take_back(self, *, redo: bool = False) -> None:
        """Undo what the agent did last, or do again what was undone last."""
        here = self._here
        me = demand(here.agent(), "redo" if redo else "undo", Role.AGENT)
        target = here.store().last_batch(me.name, undo=redo)
        outcome = undo(here.desk(), here.who(), at=now(), batch_id=new_batch(), batch=target, redo=redo)
        self.own.add(outcome.batch)
        which = ", ".join(f"#{number}" for number in outcome.done)
        line = re.sub("^(?:(?:undo|redo): )+", "", outcome.line)
        self._talk.say(f"{'done again' if redo else 'taken back'}: {line}, {which}")
        self._left_alone(outcome)
        if not redo and target is not None:
            self._writing.taken_back(target)

    # -- telling ------------------------------------------------------------------

    def tell(self, outcome: Outcome) -> None:
        """Say what was done, what goes out when, and how to take it back."""
        self.own.add(outcome.batch)
        talk = self._talk
        for number in outcome.opened:
            talk.say(f"#{number} is opened; {number} reads it, undo takes it back")
        sent = [d for e in outcome.events if isinstance(e, Posted) for d in e.deliveries]
        for delivery in sent:
            talk.say(self._goes(delivery))
        if sent and (status := [e for e in outcome.events if isinstance(e, Changed) and e.field == "status"]):
            talk.say(f"#{status[-1].about} is {status[-1].added} now")
        if outcome.done and not outcome.changed:
            talk.say(f"nothing to change: {outcome.line}")
        elif outcome.done and not outcome.opened and not sent:
            talk.say(f"done: {outcome.line}; undo takes it back")
        self._left_alone(outcome)
        if sent and not relay_runs(self._here.store(), now()):
            talk.say("no relay is running, so nothing goes out yet; start one with: deskhand relay")

    def _goes(self, delivery: Delivery) -> str:
        to, wait = ", ".join(map(one_line, delivery.recipients)), delivery.not_before - now()
        if wait <= self._here.store().config.undo:
            return f"it goes to {to} in {max(0, round(wait / SECOND))} seconds; until then undo takes it back"
        return f"it goes to {to} {said(delivery.not_before, now(), self._here.zone)}; until then undo takes it back"

    def _left_alone(self, outcome: Outcome) -> None:
        for number, reason in outcome.skipped.items():
            self._talk.say(f"#{number} left alone: {reason}")
        if not outcome.done and not outcome.skipped:
            self._talk.say(f"{several(0, 'ticket')} changed")


def _recipients(deliveries: Iterable[Delivery]) -> str:
    return ", ".join(one_line(address) for delivery in deliveries for address in delivery.recipients)
