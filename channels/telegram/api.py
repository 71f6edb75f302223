"""The Bot API: methods by name, and its refusals as the errors of the protocol.

The token stands in every address ("Authorizing your bot"), so no address goes into an error or a log.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from channels.kit.fields import number, string, table
from channels.kit.http import PATIENCE_S, Answer, Http
from channels.kit.secrets import Secret
from channels.telegram.settings import Settings
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, RateLimited, Retry, Unknown

_TOKEN = re.compile(r"(\d{1,20}):[\w-]{5,200}")
_BUSY_S = 30.0


class Moved(Permanent):
    """A group became a supergroup and has another number now."""

    def __init__(self, chat: str) -> None:
        super().__init__("the group has another number now: send it again")
        self.chat = chat


class BotApi:
    """One bot's way to Telegram."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = Http(settings, login=dict, words=self._words, judge=_judge)
        self._secret: Secret | None = None
        self.bot: str = ""

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        file: tuple[str, tuple[str, bytes, str]] | None = None,
        phase: Phase | None = None,
        wait_s: float = 0.0,
    ) -> Any:
        """The result of a method. `wait_s` is how long Telegram itself may take to answer."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        body: dict[str, Any] = {"json": given}
        if file is not None:
            # Beside a file each parameter is a field of a form, objects among them as JSON ("Making requests").
            body = {"form": {name: _field(value) for name, value in given.items()}, "files": {file[0]: file[1]}}
        path = await self._path(method)
        timeout_s = self._settings.timeout_s + wait_s
        try:
            answer = await self._http.ask("POST", path, phase=phase, timeout_s=timeout_s, **body)
        except AuthRequired:
            self._secret = None  # it may be another one by now
            raise
        try:
            found = answer.fields
        except Retry:
            if phase is None:
                raise
            raise Unknown(f"{self._http.host} took it and answered with something strange") from None
        return found.get("result")

    async def file(self, path: str, limit: int) -> bytes:
        """The bytes of a file by the path that getFile gave."""
        place = self._settings.url.rstrip("/") + (await self._path(quote(path), "file/"))
        return await self._http.download(place, limit)

    def settled(self) -> None:
        """The files that were fetched are safe, or forgotten."""
        self._http.settled()

    async def _path(self, method: str, before: str = "") -> str:
        if self._secret is None:
            found = await asyncio.to_thread(self._settings.secret)
            if (named := _TOKEN.fullmatch(found.reveal())) is None:
                raise AuthRequired("the token has not the form that @BotFather gives (123456:ABC...): copy it again")
            self._secret, self.bot = found, named[1]
        return f"/{before}bot{self._secret.reveal()}/{method}"

    def _words(self, answer: Answer) -> str:
        said = " ".join(string(_told(answer), "description").split())[:300]
        return said.replace(self._secret.reveal(), "***") if self._secret else said

    async def close(self) -> None:
        """Hang up."""
        await self._http.close()


def _field(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        found = answer.fields
    except Retry:
        return {}
    return found


def _judge(answer: Answer) -> ChannelError | None:
    """What a refusal means ("Making requests", "ResponseParameters"); None where the status tells it all."""
    told = _told(answer)
    said = string(told, "description")
    more = table(told, "parameters")
    if answer.status in (401, 404):
        # A token that never was is answered with 404, one that was taken back with 401.
        return AuthRequired("Telegram does not know this token (any more): ask @BotFather for it (/token) and set it")
    if (chat := number(more, "migrate_to_chat_id")) is not None:
        return Moved(str(chat))
    if answer.status == 429:
        return RateLimited("Telegram asks for patience: too many messages", number(more, "retry_after") or PATIENCE_S)
    if answer.status == 409 and "webhook" in said:
        return Permanent("this bot has a webhook, so it cannot be asked for news: take that away (deleteWebhook)")
    if answer.status == 409:
        return Retry("another program asks for the news of this bot: end it, or take a new token for ours", _BUSY_S)
    if answer.status == 403:
        return Permanent(_forbidden(said))
    return None


def _forbidden(said: str) -> str:
    if "blocked by the user" in said:
        return "the customer has blocked the bot: write to them on another way"
    if "deactivated" in said:
        return "the customer's Telegram account is closed: write to them on another way"
    if "can't initiate" in said:
        return "a bot may not write first: the customer has to begin the chat with it"
    if "kicked" in said or "not a member" in said:
        return "the bot is no member of this group any more: ask for it to be added again"
    return f"Telegram forbids it: {said[:300] or 'no reason given'}"


__all__ = ["BotApi", "Moved"]
