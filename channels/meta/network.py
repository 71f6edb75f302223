"""What sets Messenger and Instagram apart: names, lengths, files, and how their comments are asked for."""

from __future__ import annotations

from msgspec import Struct

from channels.meta.settings import MIB
from desk.lengths import BYTES, CHARACTERS

FACEBOOK, INSTAGRAM = "facebook", "instagram"


class Network(Struct, frozen=True):
    """One of Meta's networks.

    `me` is the account by its number; `posts_path` and `posts_fields` list the newest posts,
    `comment_fields` what is asked of a comment, `replies` the edge on which one is answered.
    `pictures` is the largest picture.
    """

    kind: str
    name: str
    platform: str
    me: str
    text_limit: int
    unit: str
    pictures: int
    types: tuple[str, ...]
    posts_path: str
    posts_fields: str
    comments: str
    replies: str


def facebook(page: str) -> Network:
    """Messenger, and the comments on a page."""
    return Network(
        kind=FACEBOOK,
        name="Facebook",
        platform="messenger",
        me=page,
        text_limit=2_000,
        unit=CHARACTERS,
        pictures=25 * MIB,
        types=(),
        posts_path=f"{page}/feed",
        posts_fields="id,message,created_time,updated_time,permalink_url,from",
        comments="id,message,created_time,from,parent{id},permalink_url,attachment",
        replies="comments",
    )


def instagram(account: str) -> Network:
    """Messages and comments of an Instagram account."""
    fields = "id,text,timestamp,username,from,parent_id"
    return Network(
        kind=INSTAGRAM,
        name="Instagram",
        platform="instagram",
        me=account,
        text_limit=1_000,
        unit=BYTES,
        pictures=8 * MIB,
        types=("image/png", "image/jpeg", "image/gif", "audio/*", "video/*", "application/pdf"),
        posts_path=f"{account}/media",
        posts_fields="id,permalink,timestamp,comments_count",
        comments=f"{fields},replies.limit(50){{{fields}}}",
        replies="replies",
    )


__all__ = ["FACEBOOK", "INSTAGRAM", "Network", "facebook", "instagram"]
