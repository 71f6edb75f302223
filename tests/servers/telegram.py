"""A Bot API that behaves as documented: updates until they are forgotten, limits, refusals, one who asks at a time.

From "Making requests", "getUpdates", "sendMessage", "sendDocument", "getFile" and "ResponseParameters".
"""

from __future__ import annotations

import json
import re
import threading
import time
from email import message_from_bytes
from email.policy import HTTP
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from tests.servers.small_http import Asked, Said, SmallHttp, as_json

TOKEN = "4711:CANARY-never_in_any_log_0123456789"
BOT = {"id": 4711, "is_bot": True, "first_name": "Desk", "username": "desk_bot"}
ANN = {"id": 1001, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "annlee"}
BEN = {"id": 1002, "is_bot": False, "first_name": "Ben"}
TAGS = {"b", "strong", "i", "em", "u", "s", "del", "code", "pre", "a", "blockquote", "tg-spoiler"}


class _Reading(HTMLParser):
    """A text with parse_mode HTML as Telegram reads it: known tags, all closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open, self.wrong = "", [], ""
        self.feed(text)
        self.close()
        if self.open:
            self.wrong = "can't find end tag"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in TAGS or (tag == "blockquote" and tag in self.open):
            self.wrong = f'unsupported start tag "{tag}"'
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong = "unexpected end tag"

    def handle_data(self, data: str) -> None:
        self.text += data


class TelegramServer(SmallHttp):
    """One bot's Bot API. `say` lets people write, `sent` is what the bot said."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.updates: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.blocked: set[str] = set()
        self.moved: dict[str, int] = {}
        self.webhook = ""
        self.flood_s = 0
        self.last_update = 100
        self.polls = 0
        self.news = threading.Condition()
        self._ids: dict[str, int] = {}

    # -- what people do -----------------------------------------------------------

    def update(self, **what: Any) -> dict[str, Any]:
        """Something happens."""
        with self.news:
            self.last_update += 1
            update = {"update_id": self.last_update, **what}
            self.updates.append(update)
            self.news.notify_all()
        return update

    def say(self, text: str = "", sender: Any = ANN, chat: Any = None, **more: Any) -> dict[str, Any]:
        """Somebody writes to the bot; the message."""
        chat = chat or {"id": sender["id"], "type": "private", "first_name": sender["first_name"]}
        message = {"message_id": self._id(chat["id"]), "from": sender, "chat": chat, "date": int(time.time()) - 60}
        message |= {"text": text} if text else {}
        message |= more
        self.update(message=message)
        return message

    def file(self, data: bytes, name: str) -> str:
        """Keep a file; its id."""
        key = f"id-{name}"
        self.files[key] = data
        return key

    def _id(self, chat: object) -> int:
        self._ids[str(chat)] = self._ids.get(str(chat), 0) + 1
        return self._ids[str(chat)]

    # -- the API ------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said | None:
        path = unquote(asked.path)
        if found := re.fullmatch(r"/file/bot([^/]+)/(.+)", path):
            data = self.files.get(found[2].replace("files/", "id-"))
            known = found[1] == self.token and data is not None
            return Said(200, data or b"") if known else _refused(404, "Not Found")
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", path)
        if found is None or not re.fullmatch(r"\d+:[\w-]+", found[1]):
            return _refused(404, "Not Found")
        if found[1] != self.token:
            return _refused(401, "Unauthorized")
        method = getattr(self, f"do_{found[2]}", None)
        given = _given(asked)
        return method(given) if method else _refused(404, "Not Found: method not found")

    def do_getMe(self, given: dict[str, Any]) -> Said:
        return _result({**BOT, "can_read_all_group_messages": False})

    def do_getWebhookInfo(self, given: dict[str, Any]) -> Said:
        return _result({"url": self.webhook, "pending_update_count": len(self.updates)})

    def do_getUpdates(self, given: dict[str, Any]) -> Said:
        if self.webhook:
            return _refused(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook")
        with self.news:
            self.polls += 1
            mine = self.polls
            offset = given.get("offset")
            if offset is not None:
                self.updates = [u for u in self.updates if u["update_id"] >= offset]
            self.news.notify_all()
            deadline = time.monotonic() + min(given.get("timeout", 0), 50)
            while not self._allowed(given) and time.monotonic() < deadline:
                self.news.wait(0.02)
                if self.polls != mine:
                    return _refused(409, "Conflict: terminated by other getUpdates request; one bot at a time")
                if self.stopping.is_set():
                    return _refused(502, "Bad Gateway")
            return _result(self._allowed(given)[: given.get("limit", 100)])

    def _allowed(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        allowed = given.get("allowed_updates")
        return [u for u in self.updates if not allowed or any(k in u for k in allowed) or len(u) < 2]

    def do_getFile(self, given: dict[str, Any]) -> Said:
        data = self.files.get(given.get("file_id", ""))
        if data is None:
            return _refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(data) > 20_000_000:
            return _refused(400, "Bad Request: file is too big")
        path = given["file_id"].replace("id-", "files/")
        return _result({"file_id": given["file_id"], "file_size": len(data), "file_path": path})

    def do_sendMessage(self, given: dict[str, Any]) -> Said:
        return self._sent("text", 4096, given)

    def do_sendDocument(self, given: dict[str, Any]) -> Said:
        return self._sent("caption", 1024, given)

    def do_sendPhoto(self, given: dict[str, Any]) -> Said:
        if given["file"][1].startswith(b"TOO WIDE"):
            return _refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        return self._sent("caption", 1024, given)

    def do_sendChatAction(self, given: dict[str, Any]) -> Said:
        self.sent.append({"action": given["action"], "chat": given["chat_id"]})
        return _result(True)

    def _sent(self, name: str, limit: int, given: dict[str, Any]) -> Said:
        chat = str(given.get("chat_id"))
        if self.flood_s:
            seconds, self.flood_s = self.flood_s, 0
            more = {"parameters": {"retry_after": seconds}}
            return _refused(429, f"Too Many Requests: retry after {seconds}", **more)
        if chat in self.moved:
            more = {"parameters": {"migrate_to_chat_id": self.moved[chat]}}
            return _refused(400, "Bad Request: group chat was upgraded to a supergroup chat", **more)
        if chat in self.blocked:
            return _refused(403, "Forbidden: bot was blocked by the user")
        reading = _Reading(given.get(name, ""))
        if reading.wrong:
            return _refused(400, f"Bad Request: can't parse entities: {reading.wrong}")
        if len(reading.text.encode("utf-16-le")) // 2 > limit:
            return _refused(400, f"Bad Request: message {name} is too long")
        if name == "text" and not reading.text.strip():
            return _refused(400, "Bad Request: message text is empty")
        message = {"message_id": self._id(chat), "from": BOT, "chat": {"id": int(chat)}, "date": int(time.time())}
        self.sent.append({**given, "read": reading.text, "message": message})
        return _result(message)


def _result(value: Any) -> Said:
    return as_json({"ok": True, "result": value})


def _refused(status: int, description: str, **more: Any) -> Said:
    return as_json({"ok": False, "error_code": status, "description": description, **more}, status)


def _given(asked: Asked) -> dict[str, Any]:
    kind = asked.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return json.loads(asked.body or b"{}")
    given: dict[str, Any] = {}
    form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + asked.body, policy=HTTP)
    for part in form.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if part.get_filename():
            given["file"] = (part.get_filename(), data, part.get_content_type())
        else:
            given[name] = data.decode()
    return given
