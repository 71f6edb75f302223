"""How far a mailbox has been read: what stands in the cursor that the desk keeps for us."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta

from channels.email.names import uid_set, uids_of
from channels.email.replies import Selected
from desk.channel import Permanent

WINDOW = 50_000
"""Messages looked for at a time: bounds the length of one SEARCH response."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Place:
    """One folder is read up to `uid`, as long as its UIDVALIDITY is `uidvalidity`.

    Of messages below `below`, only those that meet the search key `only` are taken.
    `since` is the day on which reading began, where older mail was left alone.

    A server that lost its index or was restored from a backup can give its UIDs anew under
    the UIDVALIDITY of before; `turn` counts how often that was noticed. It shows by two
    things: `arrived` is when the server got the message `uid` (Unix seconds), and the
    message with the number `following` in the folder is above `uid`, as those below it only
    become fewer. 0 says that they are not known.
    """

    uidvalidity: int
    uid: int = 0
    only: str = ""
    below: int = 0
    since: str = ""
    turn: int = 0
    arrived: int = 0
    following: int = 0

    @property
    def version(self) -> str:
        """What the UIDs belong to."""
        return f"{self.uidvalidity}.{self.turn}" if self.turn else str(self.uidvalidity)

    def windows(self, box: Selected) -> Iterator[tuple[int, int | None, str]]:
        """What is left of the folder: stretches of UIDs, each with the search key that applies there.

        UIDs can be scattered over four thousand million: a stretch is as long as it takes to
        hold `WINDOW` messages on average. The last one has no end, because some servers are
        behind with UIDNEXT.
        """
        low = self.uid + 1
        step = max(WINDOW, (box.uidnext - low) * WINDOW // max(box.exists, 1))
        while low < min(self.below, box.uidnext) and self.only:
            high = min(low + step, self.below, box.uidnext) - 1
            yield low, high, self.only
            low = high + 1
        while low + step < box.uidnext:
            yield low, low + step - 1, ""
            low += step
        if box.exists:
            yield low, None, ""

    def at(self, uid: int, arrived: int = 0) -> Place:
        """The same folder, read up to `uid`."""
        return replace(self, uid=max(uid, self.uid), arrived=arrived)

    def counted(self, more: int, at_most: int) -> Place:
        """The same place, with so many `more` messages up to it, and `at_most` so many in all."""
        below = min(self.following - 1 + more, at_most) if self.following else at_most
        return replace(self, following=below + 1)


@dataclass(slots=True)
class Cursor:
    """The places of all folders, and the messages (see `tail`) whose confirmation may be owed after a crash."""

    places: dict[str, Place] = field(default_factory=dict)
    tail: str = ""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """The inverse of `text`; None is the beginning."""
        if text is None:
            return cls()
        try:
            kept = json.loads(text)
            return cls({name: Place(**place) for name, place in kept["folders"].items()}, kept["tail"])
        except (ValueError, TypeError, KeyError) as exc:
            raise Permanent(f"the mailbox's cursor cannot be read: {text[:80]}") from exc

    def text(self) -> str:
        """What the desk keeps."""
        folders = {name: {k: v for k, v in asdict(place).items() if v} for name, place in self.places.items()}
        return json.dumps({"folders": folders, "tail": self.tail}, ensure_ascii=False)


def resume(place: Place | None, box: Selected, first: str, today: date, *, anew: bool = False) -> Place:
    """Where to go on in a folder that stands as `box` says, and was left at `place`.

    A new UIDVALIDITY, or UIDs given `anew`, makes every UID of before worthless: the folder
    is read again from the start, and the desk recognises what it has. Only where old mail was
    left alone on purpose, the start is the day on which reading began.
    """
    if place is not None and place.uidvalidity == box.uidvalidity and not anew:
        return place
    turn = place.turn + 1 if place is not None and place.uidvalidity == box.uidvalidity else 0
    if place is None:
        if first == "all":
            return Place(box.uidvalidity, following=1)
        # Clocks differ, and SINCE knows days only.
        since = _day(today - timedelta(days=2))
        if first == "new":
            return Place(box.uidvalidity, box.uidnext - 1, since=since)
        return Place(box.uidvalidity, only="UNSEEN", below=box.uidnext, since=since)
    if not place.since:
        return Place(box.uidvalidity, turn=turn, following=1)
    only = f"SINCE {place.since}" if first == "new" else f"OR UNSEEN SINCE {place.since}"
    return Place(box.uidvalidity, only=only, below=box.uidnext, since=place.since, turn=turn)


def name(folder: str, version: str, uid: int) -> str:
    """The name of a message for ever: folder/UIDVALIDITY/UID."""
    return f"{folder}/{version}/{uid}"


def tail(names: Iterable[str]) -> str:
    """The names of messages, in short: a line for each folder and UIDVALIDITY, with its UIDs as ranges."""
    return "\n".join(f"{folder}/{version}/{uid_set(uids)}" for folder, version, uids in by_folder(names))


def untail(text: str) -> list[str]:
    """The inverse of `tail`."""
    split = (line.rsplit("/", 2) for line in filter(None, text.split("\n")))
    return [name(folder, version, uid) for folder, version, uids in split for uid in uids_of(uids)]


def by_folder(names: Iterable[str]) -> list[tuple[str, str, list[int]]]:
    """Names of messages as folder, what the UIDs belong to (`Place.version`), and ascending UIDs."""
    found: dict[tuple[str, str], list[int]] = {}
    for one in names:
        folder, version, uid = one.rsplit("/", 2)
        found.setdefault((folder, version), []).append(int(uid))
    return [(*where, sorted(uids)) for where, uids in found.items()]


def _day(day: date) -> str:
    # Not strftime: the month's name must not depend on the locale.
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
