"""What is new in a group: by its article numbers, and by dates where the numbers tell nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from channels.nntp.settings import MIB, Settings
from channels.nntp.wire import NUMBER, News, TooLarge
from desk.channel import Item, Raw, Removal
from desk.model import DAY, Millis

CONTROL = "control.cancel"
AGAIN_MS: Millis = 2 * DAY
"""Where numbers begin anew, articles are looked through again from so long before the last one."""
STRIDE = 500
_ID = re.compile(rb"<[^<>\s]{1,248}>")
_CANCEL = re.compile(rb"\s*cancel\s+(<[^<>\s]{1,248}>)", re.I)


class Place(Struct, frozen=True):
    """How far a group is read: the last number, its Message-ID, and when that was."""

    number: int
    name: str = ""
    at: Millis = 0


class Group(Struct, frozen=True):
    """A group as it stands."""

    name: str
    low: int
    high: int


class Seen(Struct, frozen=True):
    """A line of the overview (RFC 3977, 8.3)."""

    number: int
    date: Millis | None
    name: str
    size_bytes: int


def places(cursor: str | None) -> dict[str, Place]:
    """How far the groups are read; what is no cursor of ours is none."""
    try:
        found = json.loads(cursor or "{}")
        return {str(g): Place(int(p[0]), str(p[1]), int(p[2])) for g, p in found.items()}
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        return {}


def cursor(read: Mapping[str, Place]) -> str:
    """The inverse of `places`."""
    return json.dumps({name: [p.number, p.name, p.at] for name, p in sorted(read.items())}, separators=(",", ":"))


async def enter(news: News, group: str) -> Group | None:
    """Make `group` the one that is read; None where the server has none by that name."""
    reply = await news.ask(f"GROUP {group}")
    if reply.code == 411:
        return None
    words = reply.words.split()
    if reply.code != 211 or len(words) < 3 or not all(map(NUMBER.fullmatch, words[:3])):
        raise news.trouble(reply)
    return Group(group, int(words[1]), int(words[2]))


class Reading:
    """One look at the groups of an account over one connection."""

    def __init__(self, news: News, settings: Settings, now: Millis) -> None:
        self._news, self._settings, self._now = news, settings, now

    async def group(self, group: Group, place: Place | None) -> AsyncIterator[tuple[list[Item], Place]]:
        """What is new in the group that is entered, in pieces, each with the place behind it."""
        after, since = await self._start(group, place)
        read = Place(after, place.name if place and after == place.number else "", place.at if place else self._now)
        if place is None or read.number != place.number:
            yield [], read
        while read.number < group.high:
            first, last = (
                max(read.number + 1, group.low),
                min(group.high, max(read.number, group.low - 1) + self._settings.batch),
            )
            items: list[Item] = []
            name, at, number = read.name, read.at, read.number
            for seen in await self._overview(first, last):
                name, number = seen.name, seen.number
                if since is not None and seen.date is not None and seen.date < since:
                    continue
                items += await (self._cancel(seen) if group.name == CONTROL else self._article(seen))
                at = max(at, min(seen.date or 0, self._now))
            # A server may count an article before it lists it (RFC 3977, 6.1.1): the last ones are asked for again.
            ended = last == group.high
            read = Place(number if ended else last, name if ended or number == last else "", at)
            if items or read.number != first - 1:
                yield items, read
            if ended:
                return

    async def _start(self, group: Group, place: Place | None) -> tuple[int, Millis | None]:
        """The number behind which to read, and the date before which nothing is taken (None: any)."""
        if place is None:
            if not self._settings.first_d or group.name == CONTROL:
                return group.high, None
            since = self._now - self._settings.first_d * DAY
        elif await self._renumbered(group, place):
            since = place.at - AGAIN_MS
        else:
            return place.number, None
        last = group.high
        while last >= group.low:
            first = max(group.low, last - STRIDE + 1)
            dates = [seen.date for seen in await self._overview(first, last) if seen.date is not None]
            if dates and max(dates) < since:
                break
            last = first - 1
        return max(last, group.low - 1), since

    async def _renumbered(self, group: Group, place: Place) -> bool:
        """Whether the server counts anew (RFC 3977, 6: it must not, and yet a new disk does)."""
        if group.high < place.number:
            return True
        if not place.name or not group.low <= place.number:
            return False
        reply = await self._news.ask(f"STAT {place.number}")
        found = _ID.search(reply.words.encode())
        return reply.code == 223 and found is not None and found[0].decode("utf-8", "replace").strip("<>") != place.name

    async def _overview(self, first: int, last: int) -> list[Seen]:
        """What the server lists of these numbers; an article of which it lists nothing sensible is still named."""
        if last < first:
            return []
        verb = "OVER" if "OVER" in self._news.capabilities else "XOVER"
        reply = await self._news.ask(f"{verb} {first}-{last}")
        if reply.code in (420, 423):
            return []
        if reply.code in (500, 501, 503):
            return [Seen(number, None, "", 0) for number in range(first, last + 1)]
        if reply.code != 224:
            raise self._news.trouble(reply)
        found = [_listed(line) for line in await self._news.text()]
        return sorted((seen for seen in found if seen is not None), key=lambda seen: seen.number)

    async def _article(self, seen: Seen) -> list[Item]:
        """The article, and what it takes back; nothing when it has gone."""
        limit = self._settings.max_article_mb * MIB
        lines: list[bytes] | None = None
        if seen.size_bytes <= limit:
            try:
                lines = await self._fetch("ARTICLE", 220, str(seen.number), limit)
            except TooLarge:
                lines = None
            else:
                if lines is None:
                    return []
        if lines is None:
            head = await self._fetch("HEAD", 221, str(seen.number), MIB)
            if head is None:
                return []
            size = f"{seen.size_bytes:,} bytes" if seen.size_bytes else f"more than {limit:,} bytes"
            lines = [
                *_without(head, b"content-"),
                b"",
                f"[The article has {size} and was left on the server: news:{seen.name}]".encode(),
            ]
        head = lines[: lines.index(b"")] if b"" in lines else lines
        name = _name(field(head, b"message-id")) or seen.name
        if not name:
            return []
        items: list[Item] = []
        old = _name(field(head, b"supersedes"))
        if old and await self._proven(old, head):
            items.append(Removal(f"{name} supersedes {old}", self._now, old))
        return [*items, Raw(name, b"\r\n".join(lines) + b"\r\n", self._now)]

    async def _cancel(self, seen: Seen) -> list[Item]:
        """The article that is taken back, where it stood in one of our groups and whoever takes it back may."""
        head = await self._fetch("HEAD", 221, str(seen.number), MIB)
        if head is None:
            return []
        found = _CANCEL.fullmatch(field(head, b"control").rstrip())
        groups = {group.strip() for group in field(head, b"newsgroups").decode("utf-8", "replace").split(",")}
        old = _name(found[1]) if found else ""
        if not old or not groups & set(self._settings.groups) or not await self._proven(old, head):
            return []
        return [Removal(f"{seen.name or seen.number} cancels {old}", self._now, old)]

    async def _proven(self, old: str, head: list[bytes]) -> bool:
        """Whether `old` was taken back by who may: the server has removed it, or the key fits its lock (RFC 8315)."""
        theirs = await self._fetch("HEAD", 221, f"<{old}>", MIB)
        if theirs is None:
            return True
        locks = set(field(theirs, b"cancel-lock").split())
        return any(_lock(key) in locks for key in field(head, b"cancel-key").split())

    async def _fetch(self, verb: str, code: int, which: str, limit: int) -> list[bytes] | None:
        """An article or its header; None when the server has it no more."""
        reply = await self._news.ask(f"{verb} {which}")
        if reply.code in (423, 430, 451):
            return None
        if reply.code != code:
            raise self._news.trouble(reply)
        return await self._news.text(limit)


def _listed(line: bytes) -> Seen | None:
    from channels.kit.mail.ids import moment

    fields = line.decode("utf-8", "replace").split("\t")
    if not NUMBER.fullmatch(fields[0]):
        return None
    fields += [""] * (8 - len(fields))
    size = int(fields[6]) if NUMBER.fullmatch(fields[6].strip()) else 0
    return Seen(int(fields[0]), moment(fields[3]), _name(fields[4].encode()), size)


def head_of(data: bytes) -> list[bytes]:
    """The lines of an article's header."""
    return re.split(rb"\r?\n\r?\n", data[:MIB], maxsplit=1)[0].replace(b"\r\n", b"\n").split(b"\n")


def names(value: bytes) -> tuple[str, ...]:
    """The Message-IDs in a field, without their brackets."""
    return tuple(one.decode("utf-8", "replace").strip("<>") for one in _ID.findall(value))


def field(head: list[bytes], name: bytes) -> bytes:
    """The value of a field, its lines joined; b"" when it is not there."""
    value, inside = b"", False
    for line in head:
        if line[:1] in (b" ", b"\t"):
            value += b" " + line.strip() if inside else b""
            continue
        if inside:
            break
        found, colon, rest = line.partition(b":")
        inside = bool(colon) and found.lower() == name
        value = rest.strip() if inside else value
    return value


def _without(head: list[bytes], prefix: bytes) -> list[bytes]:
    kept: list[bytes] = []
    skipping = False
    for line in head:
        if line[:1] not in (b" ", b"\t"):
            skipping = line.lower().startswith(prefix)
        if not skipping:
            kept.append(line)
    return kept


def _name(value: bytes) -> str:
    """A Message-ID without its brackets."""
    found = _ID.search(value)
    return found[0].decode("utf-8", "replace").strip("<>") if found else ""


def _lock(key: bytes) -> bytes:
    scheme, _, secret = key.partition(b":")
    hashed = {b"sha1": hashlib.sha1, b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}.get(scheme.lower())
    return scheme.lower() + b":" + base64.b64encode(hashed(secret).digest()) if hashed else b""


__all__ = ["CONTROL", "Group", "Place", "Reading", "cursor", "enter", "field", "head_of", "names", "places"]
