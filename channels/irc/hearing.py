"""Who asked what in a busy room: lines become messages of conversations, a person and a room each.

A conversation is called "#room KEY" or, in private, "KEY"; the key of a person is "account@network",
or "~nick@network" for somebody whose account nobody knows. It stays theirs through changes of nick.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable

from msgspec import Struct, field

from channels.irc.lines import fold
from channels.irc.settings import Settings
from desk.channel import Activity, Inbound, Membership, Told
from desk.model import Identity, Millis

LONGEST_LINES, LONGEST_MS = 40, 60_000
"""No message is gathered beyond this: somebody who never pauses must be heard, too."""
CONVERSATIONS = 2000
"""Of so many conversations it is known that they go on; the longest silent are forgotten first."""
KEPT = 300
"""So many ids are remembered behind the cursor: an archive tells seconds, and a second holds many lines."""


class Said(Struct, frozen=True):
    """A line somebody said: in `room` ("" in private), `history` when it comes out of the server's archive."""

    nick: str
    account: str
    room: str
    text: str
    at: Millis
    msgid: str = ""
    answers: str = ""
    history: bool = False
    ours: bool = False
    aside: bool = False
    """It is said to somebody else in the room, by name."""


class _Gathered(Struct):
    said: Said
    sender: Identity
    external_id: str
    lines: list[str]
    ids: list[str]
    began: Millis
    last: Millis


class Names(Struct):
    """Which person is behind a nick: nicks as the server compares them, and the keys of those who spoke."""

    where: str
    mapping: str = "rfc1459"
    keys: dict[str, str] = field(default_factory=dict)

    def fold(self, name: str) -> str:
        """A nick or room as the server compares it."""
        return fold(name, self.mapping)

    def key(self, nick: str, account: str, *, keep: bool = True) -> str:
        """The key of whoever has this nick now; `keep` it while they are here."""
        nick = self.fold(nick)
        if (known := self.keys.get(nick)) is not None:
            return known
        key = name = self.identity(nick, account)
        number = 1
        while not account and key in self.keys.values():
            # Somebody else came with this nick and has another one now.
            number += 1
            key = name.replace("@", f"#{number}@", 1)
        if keep:
            self.keys[nick] = key
        return key

    def identity(self, nick: str, account: str) -> str:
        """How somebody is known for ever: by account, else by nick, marked with a tilde."""
        return f"{self.fold(account)}@{self.where}" if account else f"~{self.fold(nick)}@{self.where}"

    def renamed(self, old: str, new: str) -> None:
        """The same person under another nick."""
        if (key := self.keys.pop(self.fold(old), None)) is not None:
            self.keys[self.fold(new)] = key

    def gone(self, nick: str) -> None:
        """Whoever comes with this nick next may be somebody else."""
        self.keys.pop(self.fold(nick), None)

    def nick(self, key: str) -> str:
        """The nick, folded, that belongs to a key now."""
        here = next((nick for nick, theirs in self.keys.items() if theirs == key), None)
        return here or key.lstrip("~").rpartition("@")[0].partition("#")[0]


def conversation(room: str, key: str) -> str:
    """The name of a conversation."""
    return f"{room} {key}" if room else key


def taken_apart(name: str) -> tuple[str, str]:
    """Room ("" in private) and key of a conversation."""
    room, _, key = name.rpartition(" ")
    return room, key


class Hearing:
    """What one account hears. It outlives connections, and is given the time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names = Names(settings.where)
        self._open: dict[str, Millis] = {}
        self._gathering: dict[str, _Gathered] = {}
        self._ready: list[Told] = []
        self._at: dict[str, Millis] = {}
        self._seen: deque[str] = deque(maxlen=KEPT)
        self._count = 0

    # -- what comes in ----------------------------------------------------------

    def said(self, said: Said, our_nick: str) -> None:
        """Somebody said something: to us, or not."""
        place = self.names.fold(said.room) if said.room else ""
        if said.msgid in self._seen or (said.history and self._before(place, said)):
            return
        self._at[place] = max(self._at.get(place, 0), said.at)
        if said.msgid:
            self._seen.append(said.msgid)
        if said.ours:
            self._ours(said, place)
            return
        key = self.names.key(said.nick, said.account, keep=not said.history)
        name = conversation(place, key)
        text = self._for_us(said, name, our_nick) if said.room else (said.text if self._settings.queries else None)
        if text is None or not text.strip():
            return
        self._opened(name, said.at)
        sender = Identity("irc", self.names.identity(said.nick, said.account) if said.account else key, said.nick)
        self._gather(name, said, sender, text)

    def _before(self, place: str, said: Said) -> bool:
        """Whether it was said before the place up to which we have heard; an archive may tell whole seconds only."""
        return said.at < self._at.get(place, 0) // 1000 * 1000

    def _for_us(self, said: Said, name: str, our_nick: str) -> str | None:
        """The text without our name before it; None when it is not for us."""
        nick = re.escape(our_nick)
        address = re.compile(rf"\s*(?:@{nick}(?:\s*[:,;>]|\s|$)|{nick}\s*(?:[:,;>]|$|\s-\s))\s*", re.I)
        stripped = address.sub("", said.text, count=1) if address.match(said.text) else said.text
        if self._settings.listen == "all" or stripped != said.text:
            return stripped or said.text
        if (prefix := self._settings.prefix) and said.text.startswith(prefix):
            return said.text.removeprefix(prefix).strip() or said.text
        if re.search(rf"(?<![\w\[\]\\`^{{|}}-]){nick}(?![\w\[\]\\`^{{|}}-])", said.text, re.I):
            return said.text
        if said.aside:
            return None
        recent = said.at - self._open.get(name, 0) <= self._settings.follow_minutes * 60_000
        return said.text if recent and self._settings.follow_minutes else None

    def _ours(self, said: Said, place: str) -> None:
        """Something we said from elsewhere: `nick` is whom we said it to."""
        key = self.names.key(said.nick, said.account, keep=False)
        name = conversation(place, key)
        self._opened(name, said.at)
        self._gather(name, said, Identity("irc", self._settings.us, self._settings.nick), said.text)

    def _gather(self, name: str, said: Said, sender: Identity, text: str) -> None:
        before = self._gathering.get(name)
        if before is not None and not self._goes_on(before, said):
            self._finish(name)
            before = None
        if before is not None:
            before.lines.append(text)
            before.ids.append(said.msgid)
            before.last = max(before.last, said.at)
            return
        self._count += 1
        # A name that the server gives has no space, one of ours has.
        external = said.msgid or f"{name} {said.at} {self._count}"
        self._gathering[name] = _Gathered(said, sender, external, [text], [said.msgid], said.at, said.at)

    def _goes_on(self, before: _Gathered, said: Said) -> bool:
        return (
            before.said.ours == said.ours
            and said.at - before.last <= self._settings.gather_s * 1000
            and self._settings.gather_s > 0
            and len(before.lines) < LONGEST_LINES
            and said.at - before.began < LONGEST_MS
            and not said.answers
        )

    def spoken_to(self, name: str, at: Millis) -> None:
        """We have answered: what they say now is for us."""
        self._opened(name, at)

    def _opened(self, name: str, at: Millis) -> None:
        self._open[name] = max(self._open.pop(name, 0), at)
        while len(self._open) > CONVERSATIONS:
            del self._open[next(iter(self._open))]

    def moved(self, room: str, nick: str, account: str, at: Millis, *, joined: bool) -> None:
        """Somebody came into a room, or left it; only people of a conversation count."""
        name = conversation(self.names.fold(room), self.names.key(nick, account, keep=False))
        if name in self._open:
            person = taken_apart(name)[1]
            self._count += 1
            words = "join" if joined else "part"
            self._ready.append(
                Membership(f"{name} {at} {words} {self._count}", at, name, Identity("irc", person, nick), joined)
            )

    def does(self, nick: str, doing: str, at: Millis, room: str | None = None) -> None:
        """Somebody of a conversation types, is away, is back."""
        key = self.names.key(nick, "", keep=False)
        place = None if room is None else conversation(self.names.fold(room) if room else "", key)
        known = place in self._open if place is not None else any(taken_apart(name)[1] == key for name in self._open)
        if known:
            self._ready.append(Activity(at, Identity("irc", key, nick), doing, place))

    # -- what is handed on ------------------------------------------------------

    def due_s(self, now: Millis) -> float | None:
        """Seconds until there is something to hand on; None when nothing is on its way."""
        if self._ready:
            return 0.0
        ends = [self._ends(one) for one in self._gathering.values()]
        return max(0.0, (min(ends) - now) / 1000) if ends else None

    def _ends(self, one: _Gathered) -> Millis:
        return min(one.last + round(self._settings.gather_s * 1000), one.began + LONGEST_MS)

    def take(self, now: Millis) -> list[Told]:
        """Everything that is complete."""
        for name in [name for name, one in self._gathering.items() if self._ends(one) <= now]:
            self._finish(name)
        ready, self._ready = self._ready, []
        return sorted(ready, key=lambda item: item.received_at)

    def _finish(self, name: str) -> None:
        one = self._gathering.pop(name)
        said, text = one.said, "\n".join(one.lines)
        host, port = self._settings.address
        scheme = "ircs" if self._settings.tls == "tls" else "irc"
        self._ready.append(
            Inbound(
                one.external_id, said.at, one.sender, text, text, conversation=name,
                to=() if not said.ours else (Identity("irc", taken_apart(name)[1], said.nick),),
                answers=said.answers or None, public=bool(said.room), ours=said.ours,
                link=f"{scheme}://{host}:{port}/{taken_apart(name)[0]}" if said.room else "",
            )
        )  # fmt: skip

    # -- the cursor -------------------------------------------------------------

    @property
    def began(self) -> bool:
        """Whether anything was heard, or a cursor is known."""
        return bool(self._at)

    def since(self, room: str) -> Millis:
        """Up to when a room ("" for private talks) has been heard; 0 when never."""
        return self._at.get(self.names.fold(room) if room else "", 0)

    def cursor(self, number: int) -> str:
        """Up to where everything is handed on; what is still being gathered is asked for again."""
        at = dict(self._at)
        for name, one in self._gathering.items():
            place = taken_apart(name)[0]
            at[place] = min(at.get(place, one.began), one.began - 1)
        waiting = {msgid for one in self._gathering.values() for msgid in one.ids}
        seen = [one for one in self._seen if one not in waiting]
        return json.dumps({"at": at, "seen": seen, "n": number}, separators=(",", ":"))

    def go_on(self, cursor: str) -> int:
        """Take up where another process stopped; the number of that cursor."""
        try:
            found = json.loads(cursor)
            at, seen = found["at"], found["seen"]
            self._at = {str(room): int(when) for room, when in at.items()} | self._at
            self._seen.extendleft(_texts(reversed(seen)))
            return int(found.get("n", 0))
        except (ValueError, TypeError, KeyError, AttributeError):
            return 0  # nobody's cursor: the rooms are heard as they stand


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str))


__all__ = ["Hearing", "Names", "Said", "conversation", "taken_apart"]
