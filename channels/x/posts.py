"""Posts and messages of X as people read them: links whole, words unescaped, files by name.

Source: docs.x.com, "Data dictionary": note_tweet (the whole of a long post), entities.urls (what a short link
stands for), edit_history_tweet_ids (all versions, the first in front), referenced_tweets; media (url, variants).
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from channels.kit.fields import number, string, table, tables
from desk.model import Identity

Fields = Mapping[str, Any]
"""Something out of an answer; whatever stands in it may be missing or of another type."""

KIND = "x"


class Includes(Struct):
    """What came beside posts and messages: people by number, files by key."""

    users: dict[str, Fields] = field(default_factory=dict)
    media: dict[str, Fields] = field(default_factory=dict)

    def add(self, found: Fields) -> None:
        """Take in what came with one page."""
        beside = table(found, "includes")
        self.users |= {name: one for one in tables(beside, "users") if (name := string(one, "id"))}
        self.media |= {name: one for one in tables(beside, "media") if (name := string(one, "media_key"))}

    def person(self, number: str) -> Identity | None:
        """Somebody by their number, which stays when they change their name."""
        if not number:
            return None
        user = self.users.get(number, {})
        handle, name = string(user, "username"), string(user, "name")
        return Identity(KIND, number, f"{name} (@{handle})" if name and handle else f"@{handle}" if handle else number)

    def handle(self, number: str) -> str:
        """The name in somebody's addresses; "i" stands for whoever it is."""
        return string(self.users.get(number, {}), "username") or "i"


class File(Struct, frozen=True):
    """A picture or film: how it is called here, where it is, what it shows."""

    name: str
    url: str
    alt: str = ""


def order(name: str) -> tuple[int, str]:
    """Ids in the order in which they were given."""
    return len(name), name


def numbered(name: str) -> bool:
    """Whether this can be an id."""
    return name.isascii() and name.isdigit() and len(name) < 20


def versions(post: Fields) -> list[str]:
    """All ids of a post, the first version in front; its own alone where it was never edited."""
    found = post.get("edit_history_tweet_ids")
    named = [one for one in found if isinstance(one, str) and numbered(one)] if isinstance(found, list) else []
    return sorted({*named, string(post, "id")}, key=order)


def referenced(post: Fields, how: str) -> str:
    """The post that this one is an answer to (`replied_to`), quotes (`quoted`) or repeats (`retweeted`)."""
    return next((string(one, "id") for one in tables(post, "referenced_tweets") if string(one, "type") == how), "")


def text_of(post: Fields) -> str:
    """All that a post or a message says."""
    note = table(post, "note_tweet")
    source = note if string(note, "text") else post
    text = string(source, "text")
    for link in tables(table(source, "entities"), "urls"):
        short, whole = string(link, "url"), string(link, "expanded_url")
        if short and string(link, "media_key"):
            text = text.replace(short, "")
        elif short and whole.startswith(("https://", "http://")):
            text = text.replace(short, whole)
    return html.unescape(text).strip()


def files_of(post: Fields, includes: Includes) -> list[File]:
    """The files of a post or a message."""
    keys = table(post, "attachments").get("media_keys")
    found = []
    for key in keys if isinstance(keys, list) else ():
        one = includes.media.get(key, {}) if isinstance(key, str) else {}
        if url := _address(one):
            ending = urlsplit(url).path.rpartition("/")[2].rpartition(".")[2]
            kind = string(one, "type") or "file"
            name = f"{kind}-{key}.{ending}" if ending.isalnum() and len(ending) < 6 else f"{kind}-{key}"
            found.append(File(name, url, " ".join(string(one, "alt_text").split())))
        elif key:
            found.append(File("a file that X does not give", ""))
    return found


def _address(media: Fields) -> str:
    """Where a file is: a film in its best form."""
    films = [one for one in tables(media, "variants") if string(one, "content_type") == "video/mp4"]
    best = max(films, key=lambda one: number(one, "bit_rate") or 0, default={})
    url = string(best, "url") or string(media, "url") or string(media, "preview_image_url")
    try:
        urlsplit(url)
    except ValueError:
        return ""
    return url


__all__ = ["KIND", "Fields", "File", "Includes", "files_of", "numbered", "order", "referenced", "text_of", "versions"]
