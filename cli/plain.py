"""The line mode: reading and answering the queue without a screen, one thing a line, nothing drawn twice.

For braille displays, screen readers, the Linux console, a serial line, a slow link; and for
scripts, which put the same lines into a pipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.plain_doing import Doing
from cli.plain_news import News
from cli.plain_queue import Queue
from cli.plain_talk import Talk
from cli.plain_words import files, head, hidden, links, listed, several, told
from cli.plain_writing import Writing
from cli.wiring import Session, now, session
from desk.actions import Action, load
from desk.completion import Choice, Known, command, query
from desk.errors import Conflict, DeskError, Invalid, NotFound
from desk.hosts import relay_runs
from desk.model import Message
from desk.query import suggest
from desk.store import SORTS

if TYPE_CHECKING:
    from cli.child import Child

_MOST = 20
_HANG = "  "
_LAST = 5
"""Messages read out when a ticket is opened; the unread ones are, however many there are."""

_NUMBER = re.compile(r"#?(\d{1,15})")

OWN: dict[str, tuple[str, str]] = {
    "list": ("list", "read the list anew, from its beginning"),
    "more": ("more, or Enter", "go on with what was too long for a page, or with the list"),
    "/": ("/ QUERY", "list what a query asks for: / assignee:me due:<2h; / alone shows what is open"),
    "view": ("view [NAME]", "list a saved view; alone it names them all"),
    "sort": ("sort ORDER", f"put the list into an order: {', '.join(SORTS)}"),
    "show": ("NUMBER", "open the ticket with this number; show alone reads the open one again"),
    "next": ("next", "open the next ticket that needs you: unread first, then what is due"),
    "all": ("all", "read the whole conversation, not only its end"),
    "quotes": ("quotes", "read the conversation with what is quoted in it"),
    "links": ("links", "name the pages that the conversation links to, each address on one line"),
    "save": ("save N [PATH]", "save attachment N into a file"),
    "why": ("why", "explain the ticket: its clocks, why its messages are here, what rules did"),
    "macro": ("macro [NAME KEY=VALUE ...]", "run a macro; alone it names those that are offered"),
    "undo": ("undo", "take back what you did last; a reply, as long as it has not gone out"),
    "redo": ("redo", "do again what you took back"),
    "discard": ("discard", "throw away what you wrote on the ticket and did not send"),
    "relay": ("relay on|off|never", "fetch and send from here as long as you stay, or not"),
    "help": ("help [VERB]", "list what can be typed, or explain one verb"),
    "q": ("q", "leave"),
}
"""What this mode itself can do: how it is written, and what it does. All else is a verb of the desk."""

_ALIASES = {"l": "list", "filter": "/", "back": "list", "quit": "q", "exit": "q", "?": "help"}


def open_plain(here: Session | None = None, *, relay: Child | None = None) -> None:
    """Read and answer the queue line by line, until the agent leaves or the input ends; `relay` ends with it."""
    here, talk = here or session(), Talk()
    store = here.store(create=True)
    if relay is None and talk.person and here.config.channels:
        from cli.child import beside

        relay = beside(here, store)
    try:
        Dialogue(here, talk, relay).run()
    finally:
        if relay:
            relay.leave()


class Opened:
    """The ticket that is open, as it was read."""

    def __init__(self, number: int, thread: list[Message]) -> None:
        self.number, self.thread = number, thread
        self.seen = max((m.id for m in thread), default=0)


class Dialogue:
    """Reads lines and does what they ask for."""

    def __init__(self, here: Session, talk: Talk, relay: Child | None = None) -> None:
        self.here, self.talk, self.relay = here, talk, relay
        self.queue = Queue(here)
        self.ticket: Opened | None = None
        self.writing = Writing(here, talk, self._heard)
        self.doing = Doing(here, talk, self.writing)
        self.news = News(here, self.queue, self.doing.own)
        self._known = Known(load(), {name: text for name, (_, text) in OWN.items() if name.isalpha()})

    @property
    def me(self) -> str | None:
        """The name of the agent."""
        agent = self.here.agent()
        return agent.name if agent else None

    # -- the dialogue -------------------------------------------------------------

    def run(self) -> None:
        """Until the end."""
        self.queue.read()
        self._page(self._greet())
        while True:
            try:
                if self.relay:
                    self.relay.look(self.news.relay())
                for line in self.news.since(self.ticket.number if self.ticket else None):
                    self.talk.say(line)
                prompt = f"#{self.ticket.number}> " if self.ticket else "> "
                line = self.talk.command(prompt, self._complete)
            except EOFError:
                line = "q"
            except KeyboardInterrupt:
                if not self.talk.person:
                    raise
                self.talk.say("q leaves")
                continue
            if self._obeyed(line.strip()):
                return

    def _obeyed(self, line: str) -> bool:
        """Do what a line asks for; True when it was the last one. What goes wrong ends a script, as it should."""
        try:
            return self._do(line)
        except DeskError as error:
            if not self.talk.person:
                raise
            self.talk.say(str(error))
        except (EOFError, KeyboardInterrupt):
            if not self.talk.person:
                raise
            self.talk.say("stopped")
        return False

    def _do(self, line: str) -> bool:
        if "\n" in line:
            raise Invalid(
                f"{several(line.count(chr(10)) + 1, 'line')} at once: nothing was done; write one command a line"
            )
        line = line.removeprefix(":").strip()
        if line.startswith("/"):
            line = f"/ {line[1:]}"
        word, _, rest = line.partition(" ")
        word, rest = _ALIASES.get(word, word), rest.strip()
        if number := _NUMBER.fullmatch(rest if word in ("open", "show") and rest else line):
            self._open(int(number[1]))
        elif word == "q":
            return self._leave()
        elif not word:
            # A script goes on only where it says so.
            if self.talk.person:
                self._more()
        elif word in OWN:
            getattr(self, "_do_" + {"/": "filter"}.get(word, word))(rest)
        else:
            self._act(word, rest, line)
        return False

    def _leave(self) -> bool:
        unsent = self.writing.unsent
        if unsent and self.talk.person:
            texts = ", ".join(f"the {kind} on #{number}" for number, kind in unsent)
            try:
                return self.talk.answer(f"unsent, but kept: {texts}. Leave all the same? y / n", "yn") == "y"
            except EOFError:
                return True
        return True

    def _greet(self) -> int:
        store = self.here.store()
        agent = self.here.agent()
        who = f"{agent.name}, {agent.role}" if agent else "nobody this desk knows: you can look, and change nothing"
        if relay_runs(store, now()):
            relay = "relay running"
        elif self.relay and not self.relay.told():
            relay = "a relay starts"
        else:
            here = "; relay on runs one here" if self.relay else ""
            relay = f"no relay running: no mail comes or goes{here}"
        return self.talk.say(f"{store.config.name}; {who}; {self._count()}; {relay}; help lists what can be typed")

    def _count(self) -> str:
        queue = self.queue
        what = f"in {queue.title}" if queue.title else f"for {queue.query}"
        return f"{several(len(queue.ids), 'ticket')} {what}" + (f" by {queue.sort}" if queue.sort else "")

    # -- the list -------------------------------------------------------------------

    def _do_list(self, rest: str) -> None:
        self.queue.read()
        self._first()

    def _do_filter(self, rest: str) -> None:
        self.queue.filter(rest)
        self._first()

    def _do_view(self, rest: str) -> None:
        if not rest:
            self.talk.show(
                f"{name}: {view.title}, {several(self.queue.count(view), 'ticket')}"
                for name, view in self.queue.offered().items()
            )
            return
        self.queue.view(rest)
        self._first()

    def _do_sort(self, rest: str) -> None:
        self.queue.order(rest)
        self._first()

    def _first(self) -> None:
        self.ticket = None
        self._page(self.talk.say(self._count()))

    def _page(self, used: int = 0) -> None:
        """The next tickets of the list, as many as there is room for on a page of which some lines are used."""
        self.talk.leave_rest()
        height, count = self.talk.height, 0
        at, me = now(), self.me
        for row in self.queue.rows(_MOST):
            lines = self.talk.fitted(listed(row, at, me), _HANG)
            used += len(lines)
            if height and count and used > height:
                break
            print("\n".join(lines))
            count += 1
        self.queue.shown(count)
        if not self.queue.ids:
            self.talk.say("nothing here; / is:solved shows what is solved, / is:snoozed what sleeps")
        elif self.queue.left:
            self.talk.say(f"({self.queue.left:,} more; Enter goes on, a number opens a ticket)")

    def _more(self) -> None:
        if self.talk.more():
            return
        if self.ticket is None and self.queue.left:
            self._page()
        else:
            self.talk.say("that is all; help lists what can be typed")

    def _do_more(self, rest: str) -> None:
        self._more()

    # -- a ticket -------------------------------------------------------------------

    def _at_hand(self) -> Opened:
        if self.ticket is None:
            raise Invalid("no ticket is open; a number opens one, next the one that needs you")
        return self.ticket

    def _open(self, number: int) -> None:
        fresh = self.ticket is None or self.ticket.number != number
        unread = self._unread(number)
        self._read(number)
        self.talk.show(self._told(max(_LAST, unread) if fresh else None))
        self._see()

    def _unread(self, number: int) -> int:
        """How many messages at the end came since the agent last wrote there; 0 when it was read."""
        store = self.here.store()
        rows = store.rows([number], agent=self.me)
        if not rows:
            raise NotFound(f"there is no ticket #{number}; list shows those there are")
        if not rows[0].unread:
            return 0
        thread = store.thread(number)
        mine = [place for place, m in enumerate(thread) if m.agent is not None and m.agent == self.me]
        return len(thread) - (mine[-1] + 1 if mine else 0)

    def _read(self, number: int) -> None:
        self.ticket = Opened(number, self.here.store().thread(number))
        self.news.known.update(message.id for message in self.ticket.thread)

    def _see(self) -> None:
        opened, me = self._at_hand(), self.me
        if me and opened.thread:
            self.here.store().seen(me, opened.number, opened.seen)

    def _told(self, last: int | None, *, quotes: bool = False) -> Iterator[str]:
        opened, store, at = self._at_hand(), self.here.store(), now()
        ticket = store.ticket(opened.number)
        yield from head(ticket, store.customer(ticket.requester), at, self.me)
        others = {p.agent: p.doing for p in store.present(at) if p.ticket == opened.number and p.agent != self.me}
        yield from (
            f"{name} {'writes on' if doing == 'writes' else 'looks at'} this ticket now"
            for name, doing in others.items()
        )
        yield from (f"unsent {kind}: {kind} goes on with it" for kind in self.writing.on(opened.number))
        earlier = len(opened.thread) - last if last is not None else 0
        if earlier > 0:
            yield f"({several(earlier, 'earlier message')}; all reads everything)"
        for place, message in enumerate(opened.thread, 1):
            if place > earlier:
                yield ""
                yield from told(message, place, opened.thread, at, self.here.zone, quotes=quotes)

    def _do_show(self, rest: str) -> None:
        if rest:
            raise Invalid(f'"{rest}" is no number of a ticket')
        self._open(self._at_hand().number)

    def _do_all(self, rest: str) -> None:
        self._do_show("")

    def _do_quotes(self, rest: str) -> None:
        if not any(map(hidden, self._at_hand().thread)):
            raise NotFound("nothing is folded here")
        self.talk.show(self._told(None, quotes=True))

    def _do_links(self, rest: str) -> None:
        found = links(self._at_hand().thread)
        if not found:
            raise NotFound("this conversation links to nothing")
        for number, link in enumerate(found, 1):
            # An address that is broken over lines leads nowhere: the terminal may break it, we do not.
            click.echo(f"{number}. {link}")

    def _do_save(self, rest: str) -> None:
        opened = self._at_hand()
        number, _, path = rest.partition(" ")
        known = files(opened.thread)
        if not number.isdecimal() or not 1 <= int(number) <= len(known):
            raise Invalid(
                f"#{opened.number} has {several(len(known), 'attachment')}; it is written: save N [PATH]"
                if known
                else f"#{opened.number} has no attachments"
            )
        file = known[int(number) - 1][1]
        # A customer's name for a file never becomes a path; only its kind is taken from it.
        kind = re.search(r"\.[A-Za-z0-9]{1,8}$", file.name)
        name = f"{opened.number}-{number}{kind[0].lower() if kind else ''}"
        target = Path(path.strip()).expanduser() if path.strip() else Path(name)
        target = target / name if target.is_dir() else target
        try:
            with target.open("xb") as out:
                out.write(self.here.store().blob(file.sha256))
        except FileExistsError as error:
            raise Conflict(f"{target} is there already; name another file: save {number} PATH") from error
        except OSError as error:
            raise Invalid(f"{target}: {error.strerror}") from error
        self.talk.say(f"saved as {target.absolute()}, {file.size:,} bytes")

    def _do_why(self, rest: str) -> None:
        from cli.why import told as explained
        from desk.why import explain

        because = explain(self.here.store(), self._at_hand().number, now())
        self.talk.show(click.unstyle(line) for line in explained(because, self.here))

    def _do_next(self, rest: str) -> None:
        number = self.queue.next(self.ticket.number if self.ticket else None)
        if number is None:
            raise NotFound("nothing in this list is unread or due within two hours")
        self._open(number)

    def _heard(self, ticket: int, messages: Sequence[Message]) -> None:
        """Read out what came while something was written."""
        self._read(ticket)
        opened, at, first = self._at_hand(), now(), min(message.id for message in messages)
        for place, message in enumerate(opened.thread, 1):
            if message.id >= first:
                for line in ("", *told(message, place, opened.thread, at, self.here.zone)):
                    self.talk.say(line)
        self._see()

    # -- doing ----------------------------------------------------------------------

    def _act(self, word: str, rest: str, line: str) -> None:
        """Do a command line of the desk, on the open ticket."""
        if word.rstrip(";") not in load():
            raise NotFound(f'there is no "{word}"{suggest(word, (*OWN, *load()))}; help lists what can be typed')
        if self.doing.creates(line):
            self.doing.run(line, None, 0)
            return
        opened = self._at_hand()
        self.doing.run(line, opened.number, opened.seen)
        self._reread()

    def _reread(self) -> None:
        """Show what was done oneself; what others said is not read out by that, and an answer may have to wait for it."""
        if self.ticket is not None:
            self.ticket.thread = self.here.store().thread(self.ticket.number)

    def _do_macro(self, rest: str) -> None:
        then = self.doing.macro(rest, self._at_hand().number)
        self._reread()
        if then == "close":
            self._do_list("")
        elif then == "next":
            self._do_next("")

    def _do_undo(self, rest: str) -> None:
        self.doing.take_back()
        self._reread()

    def _do_redo(self, rest: str) -> None:
        self.doing.take_back(redo=True)
        self._reread()

    def _do_discard(self, rest: str) -> None:
        found = self.writing.discard(self._at_hand().number)
        self.talk.say(f"thrown away: {', '.join(found)}" if found else "nothing is kept here")

    def _do_relay(self, rest: str) -> None:
        if self.relay is None:
            raise Invalid("a relay does not run from here; start one with: deskhand relay")
        self.talk.say(self.relay.choose(rest))

    # -- help -----------------------------------------------------------------------

    def _do_help(self, rest: str) -> None:
        actions = load()
        if not rest:
            self.talk.show(
                (
                    *(f"{usage}: {text}" for usage, text in OWN.values()),
                    "",
                    "On the open ticket; several with ; between them:",
                    *(f"{action.usage}: {action.summary}" for action in actions.values()),
                )
            )
        elif rest in actions:
            self.talk.show(_explained(actions[rest]))
        elif (word := _ALIASES.get(rest, rest)) in OWN:
            self.talk.say(": ".join(OWN[word]))
        else:
            raise NotFound(f'there is no "{rest}"{suggest(rest, (*OWN, *actions))}')

    def _complete(self, line: str) -> list[Choice]:
        """What the line may become."""
        known = self._known
        if not known.agents:
            known.agents, known.teams = list(self.here.store().agents()), list(self.here.store().teams())
            known.accounts = {name: account.channel for name, account in self.here.store().accounts().items()}
        if line.startswith("/"):
            begun = line[1:].lstrip()
            return [Choice(f"/ {one.text}", one.label, one.hint) for one in query(begun, known)]
        word, space, rest = line.partition(" ")
        offered: dict[str, str] = {}
        if space and word == "view":
            offered = {name: view.title for name, view in self.queue.offered().items()}
        elif space and word == "sort":
            offered = dict.fromkeys(SORTS, "")
        elif space and word == "help":
            offered = {**known.verbs, **{name: action.summary for name, action in known.actions.items()}}
        elif space and word == "macro" and self.ticket is not None:
            offered = {name: title for name, title, _ in self.doing.macros.offered(self.ticket.number)}
        else:
            return command(line, known)
        return [Choice(f"{word} {name}", name, hint) for name, hint in offered.items() if name.startswith(rest)]


def _explained(action: Action) -> tuple[str, ...]:
    # Its lines are broken for the source, not for a terminal.
    return (action.usage, *(" ".join(part.split()) for part in action.help.split("\n\n")))
