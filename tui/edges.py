"""The lines at the top and the bottom: where one is, what is wrong, what was done, which keys matter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rich.cells import cell_len

from desk.model import SECOND, Account, Millis
from tui.clock import wall
from tui.draw import Look, cut, flat, plural, wrap
from tui.front import Front
from tui.rights import works
from tui.runner import Outage
from tui.widgets.bars import Line, Part, keys, sentence

NO_RELAY = "no relay is running: nothing is fetched or sent; start: deskhand relay"
_RECORDING = "recording"

KEYS = {
    "writing": (
        ("^s", "review"),
        ("^y", "to"),
        ("^o", "attach"),
        ("^q", "quote"),
        ("^t", "snippet"),
        ("^e", "editor"),
        ("esc", "keep"),
    ),
    "jotting": (
        ("^s", "review"),
        ("^o", "attach"),
        ("^q", "quote"),
        ("^t", "snippet"),
        ("^e", "editor"),
        ("esc", "keep"),
    ),
    "reviewing": (
        ("y", "send"),
        ("s", "solve"),
        ("p", "pending"),
        ("e", "edit"),
        ("a", "attach"),
        ("l", "later"),
        ("v", "view"),
        ("q", "leave"),
    ),
    "noting": (
        ("y", "keep it"),
        ("s", "keep and solve"),
        ("p", "keep and pending"),
        ("e", "edit"),
        ("a", "attach"),
        ("q", "discard"),
    ),
}


LINES = {
    "queue": (("show", "open"), ("reply", "reply"), ("assign", "assign"), ("solve", "solve"), ("filter", "filter")),
    "ticket": (
        ("reply", "reply"),
        ("note", "note"),
        ("solve", "solve"),
        ("next-ticket previous-ticket", "next/previous"),
        ("back", "back"),
    ),
}
"""What matters most where keys can be changed: the lines, whose keys are looked up, and their words."""

_READING = {
    "queue": (("show", "open"), ("next-view", "next view"), ("log", "log"), ("filter", "filter")),
    "ticket": (
        ("log", "log"),
        ("history", "history"),
        ("next-ticket previous-ticket", "next/previous"),
        ("back", "back"),
    ),
}
"""The same for somebody who changes nothing."""


_NAMED = 3
"""So many accounts are named in the top line."""


class Edges:
    """Keeps the three lines true; each is repainted only when it reads differently."""

    def __init__(self, front: Front, look: Look) -> None:
        self._front, self._works = front, works(front.who.agent)
        self.top = Line(look, "top", ground="bar")
        self.notice = Line(look, "notice")
        self.status = Line(look, "status")
        self.place: Callable[[], str] = lambda: "queue"
        self.key: Callable[[str], str] = lambda line: f":{line}"
        """The key for a line here."""
        self.pending: Callable[[], Sequence[Part]] = lambda: ()
        self.question: tuple[str, tuple[tuple[str, str], ...]] | None = None
        self.accounts: dict[str, Account] = {}
        self.relay = True
        self.marking: Callable[[], int | None] = lambda: None
        """How many tickets are marked while moving marks them; None while it does not."""
        self.here = 1
        """How many agents have a screen open now, the one at this screen among them."""
        self.sending: tuple[Millis, str] | None = None
        """When the last reply goes out, and what to call it."""
        self.hints: Callable[[], Sequence[tuple[str, str]]] = lambda: ()
        """The keys of the sheet that is shown, with their words."""
        self.outage: Callable[[], Outage | None] = lambda: None
        self.waiting: Callable[[], str] = lambda: ""
        """What waits for the store, or could not be done when it was back."""
        self.tour: Callable[[], Sequence[Part]] = lambda: ()
        """The step that the tour is at."""
        self.notices: Callable[[], str] = lambda: ""
        """How much happened to one's tickets that nobody has looked at."""
        self.recording: Callable[[], bool] = lambda: False
        """Whether what is done is written down as a macro."""
        self.said: deque[tuple[Millis, str, str]] = deque(maxlen=200)
        """The sentences of this session, with their times and styles."""
        self._said: list[Part] | None = None

    # -- what they know -----------------------------------------------------------

    def say(self, text: str, style: str = "error") -> None:
        """A sentence in the last line, until the next key."""
        self._said = sentence(text, style)
        self.said.append((self._front.now(), text, style))
        self.refresh()

    @property
    def talking(self) -> bool:
        """Whether a sentence or a question stands in the last line."""
        return self._said is not None or self.question is not None

    def hush(self, text: str) -> None:
        """Take a sentence back, if it is the one that stands there."""
        if self._said and self._said[0][0] == flat(text):
            self._said = None

    def clear(self) -> None:
        """The sentence has been read."""
        self._said = None

    # -- what they show -----------------------------------------------------------

    def refresh(self) -> None:
        """Bring all three up to date."""
        self.top.say(*self._top())
        notice = self._notice()
        said = self._said_lines()
        if len(said) > 1:
            # A sentence that is too long for the last line begins in the one above it.
            notice = said[0]
        self.notice.display = bool(notice)
        self.notice.say(notice)
        self.status.say(self._status(), [(_RECORDING, "notice")] if self.recording() else ())

    def _top(self) -> tuple[list[Part], list[Part]]:
        front, name = self._front, self._front.desk.config.name
        left: list[Part] = [("deskhand", "strong")]
        facts = [
            name if name != "deskhand" else "",
            "demo" if front.demo else "",
            "trusted team" if front.desk.store.shared else "",
        ]
        if told := " · ".join(flat(fact) for fact in facts if fact):
            left.append((f"  {told}", "bar"))
        right: list[Part] = []
        fares = [(flat(account.name), *health(account)) for account in self.accounts.values()]
        if len(fares) > _NAMED:
            # Of many only those have a name that need somebody.
            odd = [one for one in fares if one[2] != "quiet"]
            if len(odd) <= _NAMED:
                right.append((f"{plural(len(fares) - len(odd), 'account')} ok   ", "quiet"))
            fares = odd
        for name, word, style in fares[:_NAMED]:
            right += [(f"{name} ", "quiet"), (f"{word}   ", style)]
        if more := len(fares[_NAMED:]):
            right.append((f"{more} more not ok   ", "trouble"))
        if self.here > 1:
            right.append((f"{self.here} here   ", "bar"))
        if told := self.notices():
            right.append((f"{told}   ", "notice"))
        return left, [*right, (front.me or "read only", "bar"), (f"   {wall(front.now(), front.zone)}", "bar")]

    def _notice(self) -> list[Part]:
        waiting = self.waiting()
        if outage := self.outage():
            told = f"store away since {wall(outage.since, self._front.zone)}" + (f" · {waiting}" if waiting else "")
            why = outage.why.removeprefix(f"{self._front.desk.store.url}: ")
            return [(told, "notice"), (f"  {flat(why)}", "quiet")]
        if waiting:
            return [(waiting, "notice")]
        if not self.relay and (told := self._front.relay.told() if self._front.relay else NO_RELAY):
            return [(told, "notice")]
        return list(self.tour())

    def fits(self, text: str) -> bool:
        """Whether a sentence can be told whole, in the last line and the one above it."""
        return len(list(wrap(flat(text), self._room))) <= 2

    @property
    def _room(self) -> int:
        recording = len(_RECORDING) if self.recording() else 0
        return (self.status.size.width or self.status.app.size.width) - 3 - recording

    @property
    def last(self) -> str:
        """What the last line says: a sentence whole, where it begins in the line above."""
        above = [text for line in self._said_lines()[:-1] for text, _ in line]
        return " ".join((*above, self.status.text))

    def _said_lines(self) -> list[list[Part]]:
        """The sentence as one line, or as two where the screen is narrower."""
        if not self._said or self.question:
            return []
        [(text, style)] = self._said
        first, *more = wrap(text, self._room)
        return [[(first, style)], *([[(text[len(first) :].lstrip(), style)]] if more else [])]

    def _status(self) -> list[Part]:
        if self.question:
            text, answers = self.question
            answered = keys(*answers)
            # The answers are never cut for a long question.
            room = self.status.size.width - 4 - sum(cell_len(part) for part, _ in answered)
            return [(f"{cut(flat(text), max(room, 12))}  ", "notice"), *answered]
        if said := self._said_lines():
            return said[-1]
        if pending := self.pending():
            return list(pending)
        if self.sending and (left := self.sending[0] - self._front.now()) > 0:
            return [
                (f"{self.sending[1]} in {-(-left // SECOND)} s", "good"),
                (f"  {self.key('undo')} to take it back", "quiet"),
            ]
        self.sending = None
        place = self.place()
        if place == "queue" and (marked := self.marking()) is not None:
            told = (f"moving marks: {plural(marked, 'ticket')}   ", "mark")
            return [told, *keys((self.key("mark-range"), "keeps them"), (self.key("leave"), "drops them"))]
        if place in KEYS:
            return keys(*KEYS[place])
        if place == "sheet":
            return keys(*self.hints())
        offered = (*(LINES if self._works else _READING)[place], ("help", "help"))
        return keys(*((" ".join(map(self.key, lines.split())), word) for lines, word in offered))


def health(account: Account) -> tuple[str, str]:
    """How an account fares, in a word, and its style."""
    if account.paused or account.held:
        return "paused", "notice"
    if account.health.startswith(("retrying", "waiting")):
        return "failing", "trouble"
    return "ok", "quiet"
