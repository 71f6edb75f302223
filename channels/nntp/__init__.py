"""Newsgroups: articles that everybody can read, answered where they were asked.

Importing this costs next to nothing; the parser is loaded by the first article. Reading goes by
the numbers of articles in a group, threads by References as they do in mail, and what is posted
twice under one Message-ID is posted once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from channels.nntp.settings import MIB, Settings, group_name
from desk.capabilities import Capabilities
from desk.channel import (
    Batch,
    ChannelError,
    Inbound,
    Item,
    Outgoing,
    Part,
    Permanent,
    Phase,
    Retry,
    Sent,
    Unknown,
)
from desk.lengths import BYTES
from desk.model import Identity, Millis

if TYPE_CHECKING:
    from channels.nntp.reading import Group
    from channels.nntp.wire import News, Reply
    from desk.channel import Raw

MOST_BYTES = 256 * 1024
"""Servers take articles of about a megabyte; nobody reads a fourth of that."""


class Nntp:
    """Some groups on one server: poller and sender. Each look and each article has a connection of its own."""

    def __init__(self, name: str, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        self._told = ""

    @property
    def capabilities(self) -> Capabilities:
        """What an article can carry."""
        return Capabilities(
            kinds=("news",), subject=True, threads=True, public=True, text_limit=MOST_BYTES, unit=BYTES,
            deletes=True, idempotent=True,
        )  # fmt: skip

    @property
    def addresses(self) -> Sequence[Identity]:
        """The address we post as."""
        return (Identity("news", self._settings.address.lower(), self._settings.name),)

    # -- in ---------------------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """What is new in every group; a group that is gone holds up no other."""
        from channels.nntp import reading

        read = reading.places(cursor)
        news = await self._connected()
        troubles: dict[str, str] = {}
        seen: set[str] = set()
        try:
            look = reading.Reading(news, self._settings, self._now())
            names = [*self._settings.groups, *([reading.CONTROL] if self._settings.cancels else [])]
            for name in names:
                group = await reading.enter(news, name)
                if group is None:
                    troubles[name] = f"{news.host} has no group {name}: mend groups, or ask its operators"
                    continue
                async for items, place in look.group(group, read.get(name)):
                    read[name] = place
                    yield Batch(_once(items, seen), reading.cursor(read))
        finally:
            await news.close()
        told = "; ".join(troubles.values())
        if told != self._told:
            # Whoever confirms hears of it, also where nothing is new.
            self._told = told
            yield Batch((), reading.cursor(read))

    async def confirm(self, batch: Batch) -> None:
        """News servers keep no mark of who has read what; says which groups are not there."""
        if self._told:
            raise Permanent(f"not everything is read: {self._told}")

    def _now(self) -> Millis:
        return round(self._clock() * 1000)

    async def _connected(self) -> News:
        from channels.nntp.wire import News

        settings = self._settings
        secret = await asyncio.to_thread(settings.resolve, settings.login) if settings.given else None
        return await News(settings).open(secret)

    # -- out --------------------------------------------------------------------

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The article to post; its groups are those of the article it answers, and are found when it is sent."""
        from channels.kit.texts import check_files, pieces
        from channels.nntp.articles import post

        check_files(draft, self.capabilities)
        pieces(draft, self.capabilities)
        if draft.automatic:
            raise Permanent("nobody wants automatic answers in a newsgroup: it was not posted")
        if draft.private:
            raise Permanent("a newsgroup has no private answers: write a mail to the address of whoever asked")
        sender = Identity("news", self._settings.address, draft.sender.display or self._settings.name)
        article = post(replace(draft, sender=sender))
        return (Part(article.data(), tuple(person.value for person in draft.to)),)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Post the article, once: whether an earlier attempt has arrived is asked first, and after a loss."""
        from channels.nntp.articles import Post, with_groups
        from channels.nntp.wire import dotted

        article = Post.of(part.data)
        news = await self._connected()
        moderated = False
        try:
            if await _has(news, article.name):
                return Sent(article.name)
            if not news.may_post:
                raise Permanent(f"{news.host} does not let us post: ask its operators, or set user and a password")
            groups, root = await self._where(news, article.answers)
            moderated = await _moderated(news, groups)
            reply = await news.ask("POST")
            if reply.code == 440:
                raise Permanent(f"{news.host} does not let us post: {reply}; ask its operators")
            if reply.code != 340:
                raise news.trouble(reply)
            await phase("data")
            try:
                news.say(dotted(with_groups(article.article, groups)))
                reply = await news.reply()
            except ChannelError as lost:
                return await self._lost(article.name, root, moderated, lost)
            if reply.code == 240:
                return Sent(article.name, conversation=root)
            if await _has(news, article.name):
                return Sent(article.name, conversation=root)  # 441: it had come by another way
            raise self._refused(news, reply, groups)
        finally:
            await news.close()

    async def _lost(self, name: str, root: str, moderated: bool, lost: ChannelError) -> Sent:
        """The connection broke in the middle: ask on another one whether the article is there."""
        try:
            news = await self._connected()
            try:
                arrived = await _has(news, name)
            finally:
                await news.close()
        except ChannelError:
            arrived = False
        if arrived:
            return Sent(name, conversation=root)
        if moderated:
            raise Unknown(f"the connection broke off while it was posted ({lost}); the moderator may have it") from None
        # No server takes two articles of one Message-ID: posting again is harmless.
        raise Retry(f"the connection broke off while it was posted ({lost}); it is not there yet") from None

    async def _where(self, news: News, answers: Sequence[str]) -> tuple[list[str], str]:
        """The groups that the answered article names for answers, and the first article of its thread."""
        from channels.nntp.reading import field, names

        for name in answers:
            reply = await news.ask(f"HEAD <{name}>")
            if reply.code != 221:
                continue
            head = await news.text(MIB)
            followup = field(head, b"followup-to").decode("utf-8", "replace").strip()
            if followup.lower() == "poster":
                raise Permanent("whoever asked wants answers by mail, not in the group: write to their address")
            told = followup or field(head, b"newsgroups").decode("utf-8", "replace")
            groups = [group for group in (one.strip() for one in told.split(",")) if group_name(group)]
            if groups:
                return groups, next(iter(names(field(head, b"references"))), name)
        raise Permanent(
            f"{news.host} has none of the articles of this thread any more, so nobody knows to which groups: answer by mail"
        )

    def _refused(self, news: News, reply: Reply, groups: Sequence[str]) -> ChannelError:
        words = reply.words.lower()
        where = ", ".join(groups)
        if reply.code != 441:
            return news.trouble(reply)
        if "too large" in words or "too long" in words or "bytes" in words:
            return Permanent(f"{news.host} takes no article as long as this one: shorten it ({reply})")
        if "moderat" in words:
            return Permanent(f"{where} is moderated, and the article could not be handed to the moderator ({reply})")
        if "not allowed" in words or "not permitted" in words or "may not post" in words:
            return Permanent(f"{news.host} allows no posting to {where}: {reply}; ask its operators")
        if "try again" in words or "temporar" in words or "later" in words or "load" in words:
            return Retry(f"{news.host} cannot take it now: {reply}", 60.0)
        return Permanent(f"{news.host} did not take the article for {where}: {reply}")

    async def archive(self, part: Part) -> None:
        """What is posted is there for everybody."""

    # -- the rest ---------------------------------------------------------------

    async def check(self) -> Sequence[str]:
        """Log in, look at every group, and say what was found."""
        from channels.nntp import reading

        news = await self._connected()
        try:
            settings = self._settings
            who = f", logged in as {settings.login}" if settings.given else ""
            post = "" if news.may_post else "; it does not let us post"
            said = [f"{settings.host}: ready{who}{post}"]
            for name in settings.groups:
                group = await reading.enter(news, name)
                said.append(_standing(name, group, await _status(news, name) if group else ""))
            if settings.cancels and await reading.enter(news, reading.CONTROL) is None:
                said.append(f"there is no {reading.CONTROL}: cancels are not seen")
            return said
        finally:
            await news.close()

    async def close(self) -> None:
        """No connection outlives its use."""


def _once(items: Sequence[Item], seen: set[str]) -> tuple[Item, ...]:
    """What was not handed out a moment ago: an article stands in several groups."""
    fresh = [item for item in items if getattr(item, "external_id", "") not in seen]
    seen.update(getattr(item, "external_id", "") for item in fresh)
    return tuple(fresh)


async def _has(news: News, name: str) -> bool:
    return (await news.ask(f"STAT <{name}>")).code == 223


async def _status(news: News, group: str) -> str:
    """What LIST ACTIVE says of posting: "y", "m" for moderated, "n"."""
    reply = await news.ask(f"LIST ACTIVE {group}")
    if reply.code != 215:
        return ""
    lines = [line.decode("utf-8", "replace").split() for line in await news.text()]
    return next((words[3] for words in lines if len(words) >= 4 and words[0] == group), "")


async def _moderated(news: News, groups: Sequence[str]) -> bool:
    return "m" in [await _status(news, group) for group in groups]


def _standing(name: str, group: Group | None, status: str) -> str:
    if group is None:
        return f"{name}: there is no such group"
    kinds = {"m": "; moderated: answers go to its moderator first", "n": "; posting is not allowed there"}
    return f"{name}: articles {group.low} to {group.high}{kinds.get(status, '')}"


def open(name: str, settings: Settings) -> Nntp:
    """The account `name`, not yet connected."""
    return Nntp(name, settings)


def parse(raw: Raw) -> Inbound:
    """Read an article: a mail that everybody can read. What it supersedes it follows."""
    from channels.kit.mail.parser import parse as read
    from channels.nntp.reading import field, head_of, names

    inbound = read(raw)
    old = names(field(head_of(raw.data), b"supersedes"))
    # The id of the article is its name for ever, however odd; a mail's would be made readable.
    name = inbound.message_id or raw.external_id
    references = inbound.references or inbound.in_reply_to or old
    return replace(
        inbound,
        sender=_person(inbound.sender) if inbound.sender else None,
        reply_to=tuple(map(_person, inbound.reply_to)),
        to=(),
        cc=(),
        message_id=name,
        in_reply_to=tuple(dict.fromkeys((*inbound.in_reply_to, *old))),
        conversation=references[0] if references else name,
        answers=references[-1] if references else None,
        public=True,
        link=f"news:{raw.external_id}",
        automatic=None if inbound.automatic == "list" else inbound.automatic,
    )


def _person(identity: Identity) -> Identity:
    return Identity("news", identity.value.lower(), identity.display)


__all__ = ["Nntp", "Settings", "open", "parse"]
