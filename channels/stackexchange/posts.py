"""Questions, answers and comments as messages: pure, and content with whatever is missing."""

from __future__ import annotations

from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from channels.kit.fields import number, seconds, string, table
from channels.kit.texts import text_of_html
from desk.channel import Edit, Inbound
from desk.model import Identity, Millis

Post = Mapping[str, Any]


def question(post: Post, now: Millis, site: str, us: int) -> Inbound:
    """A question; it begins a conversation."""
    own = f"q{number(post, 'question_id')}"
    tags = post.get("tags")
    words = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    text = said(post)
    return _message(post, now, site, us, own, own, None, string(post, "link"),
                    f"{text}\n\n[tags: {', '.join(words)}]" if words else text, unescape(string(post, "title")))  # fmt: skip


def answer(post: Post, now: Millis, site: str, us: int, link: str) -> Inbound:
    """An answer to a question whose page is `link`."""
    asked = f"q{number(post, 'question_id')}"
    own = number(post, "answer_id")
    return _message(post, now, site, us, f"a{own}", asked, asked, _at(link, f"/a/{own}"), said(post))


def comment(post: Post, now: Millis, site: str, us: int, asked: int, on: str, link: str) -> Inbound:
    """A comment on the post `on`, which belongs to the question `asked`."""
    own, below = number(post, "comment_id"), number(post, "post_id")
    place = _at(link, f"/q/{below}#comment{own}_{below}")
    return _message(post, now, site, us, f"c{own}", f"q{asked}", on, place, said(post))


def edit(target: str, mark: object, post: Post, now: Millis) -> Edit:
    """What a post says now; `mark` tells this edit from others of the same."""
    return Edit(f"{target}/edit/{mark}", now, target, said(post))


def said(post: Post) -> str:
    """What a post says to a person."""
    return text_of_html(string(post, "body")) or unescape(string(post, "title")) or "(an empty post)"


def mark(post: Post) -> str:
    """Tells what a post says from what it said before."""
    import hashlib

    body = f"{string(post, 'title')}\0{string(post, 'body')}"
    return hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:12]


def author(post: Post, site: str) -> Identity:
    """Who wrote it; an account that is gone has only a name."""
    owner = table(post, "owner")
    name = unescape(string(owner, "display_name"))
    own = number(owner, "user_id")
    return Identity("stackexchange", f"{own if own is not None else name.casefold() or 'nobody'}@{site}", name)


def _message(
    post: Post, now: Millis, site: str, us: int, own: str, conversation: str,
    answers: str | None, link: str, text: str, subject: str = "",
) -> Inbound:  # fmt: skip
    return Inbound(
        own, now, author(post, site), text, subject=subject, at=seconds(post, "creation_date"),
        conversation=conversation, answers=answers, link=link if link.startswith("https://") else "",
        public=True, ours=bool(us) and number(table(post, "owner"), "user_id") == us,
    )  # fmt: skip


def _at(link: str, path: str) -> str:
    """A place on the site that `link` is on."""
    host = urlsplit(link).netloc
    return f"https://{host}{path}" if host else ""


__all__ = ["Post", "answer", "comment", "edit", "mark", "question"]
