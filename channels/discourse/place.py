"""Where an account stands: the cursor of a forum, as JSON."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct, field

from channels.discourse.forum import Fields, whole
from channels.kit.fields import string, tables

WATCHED = 150
"""So many posts are looked at again for edits, deletions and likes, the newest."""

SEEN = 60
"""Numbers of public posts that are remembered; more than a page has."""

CONVERSATIONS = 200
"""Private conversations of which is remembered how far they are read."""


class Watched(Struct, array_like=True):
    """A post as it was when last seen."""

    number: int
    topic: int
    said: str
    likes: int = 0
    ours: bool = False
    solves: bool = False


class Place(Struct, omit_defaults=True):
    """What has been read.

    Public posts up to `low`, and those in `seen`; nothing at or below `floor`, nothing written before
    `since`. Of private conversations those changed until `bumped` (by inbox), each up to a post and a
    place in it. `watch` is looked at again in turn.
    """

    since: int
    low: int = 0
    floor: int = 0
    seen: list[int] = field(default_factory=list)
    bumped: dict[str, int] = field(default_factory=dict)
    private: dict[int, tuple[int, int]] = field(default_factory=dict)
    watch: list[Watched] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str) -> Place:
        """The place that a cursor stands for."""
        return msgspec.json.decode(cursor, type=cls)

    def write(self) -> str:
        """The cursor that stands for this place, no longer than it needs to be."""
        self.watch = sorted(self.watch, key=lambda one: one.number)[-WATCHED:]
        self.seen = sorted(set(self.seen))[-SEEN:]
        while len(self.private) > CONVERSATIONS:
            del self.private[next(iter(self.private))]
        return msgspec.json.encode(self).decode()

    def watched(self, number: int) -> Watched | None:
        """What is known of a post."""
        return next((one for one in self.watch if one.number == number), None)

    def after(self, turn: tuple[int, int], count: int) -> list[Watched]:
        """What is looked at again behind a topic and a post in it: some posts of one topic."""
        row = sorted(self.watch, key=lambda one: ((one.topic, one.number) <= turn, one.topic, one.number))
        return [one for one in row[:count] if one.topic == row[0].topic]


def watch(number: int, topic: int, post: Fields, ours: bool) -> Watched:
    """A post as it is now."""
    return Watched(number, topic, said(post), likes(post), ours, post.get("accepted_answer") is True)


def said(post: Fields) -> str:
    """What a post says, in a few letters: its source, for the HTML changes without anybody's doing."""
    content = string(post, "raw") or string(post, "cooked")
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=6).hexdigest()


def likes(post: Fields) -> int:
    """How many like it (action 2 of the summary)."""
    found = (whole(one.get("count")) for one in tables(post, "actions_summary") if one.get("id") == 2)
    return next((count for count in found if count), 0)


__all__ = ["Place", "Watched", "likes", "said", "watch"]
