"""The Graph API as Meta's documentation tells it: a page, its Instagram account, conversations, comments, refusals."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.servers.local_http import LocalHttp, Reply, Request

TOKEN = "canary-meta-51c2-not-to-be-seen"
PAGE, ACCOUNT = "100200", "178400"
DAY_MS = 86_400_000
PEOPLE = {
    "3001": ("Ann Lee", "ann"),
    "3002": ("Bob", "bob"),
    "4001": ("Ann Lee", "ann"),
    "4002": ("Bob", "bob"),
    PAGE: ("Desk", "desk"),
    ACCOUNT: ("Desk", "desk"),
}


class MetaServer(LocalHttp):
    """A page and its Instagram account; `write`, `post` and `comment` make others speak."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.chats: dict[str, dict[str, list[dict[str, Any]]]] = {"messenger": {}, "instagram": {}}
        self.posts: dict[str, dict[str, Any]] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.answered: set[str] = set()
        self.blocked: set[str] = set()
        self.human_agent = False
        self.usage: dict[str, str] = {}
        self.actions: list[tuple[str, str]] = []
        self.count = 0
        self.page = 25
        self.now = int(time.time() * 1000) - 120_000

    # -- what people do -------------------------------------------------------

    def write(
        self, text: str | None = "Hello", sender: str = "3001", platform: str = "messenger", to: str = "", **more: Any
    ) -> str:
        """Somebody sends a message; ours goes `to` somebody."""
        with self.lock:
            us = PAGE if platform == "messenger" else ACCOUNT
            sender, to = _there(sender, platform), _there(to, platform)
            name = more.pop("id", None) or f"m_{self._number()}"
            one = {
                "id": name, "created_time": _time(more.pop("at", self.now)), "message": text,
                "from": self._person(sender, platform), "to": {"data": [self._person(to or us, platform)]}, **more,
            }  # fmt: skip
            self.chats[platform].setdefault(to or sender, []).append(one)
            return name

    def age(self, days: float) -> None:
        """So much time goes by since all that was said."""
        for one in (m for chats in self.chats.values() for rows in chats.values() for m in rows):
            at = datetime.fromisoformat(one["created_time"]).timestamp() * 1000
            one["created_time"] = _time(int(at - days * DAY_MS))

    def post(self, text: str = "News", author: str = PAGE) -> str:
        """A post on the page."""
        with self.lock:
            name = f"{PAGE}_{self._number()}"
            self.posts[name] = {
                "id": name, "message": text, "created_time": _time(self.now), "updated_time": _time(self.now),
                "permalink_url": f"https://www.facebook.com/{name}", "from": self._person(author, "messenger"),
            }  # fmt: skip
            return name

    def photo(self) -> str:
        """A picture on Instagram."""
        with self.lock:
            name = str(self._number())
            self.media[name] = {
                "id": name, "permalink": f"https://www.instagram.com/p/{name}/", "timestamp": _time(self.now), "comments_count": 0,
            }  # fmt: skip
            return name

    def comment(self, post: str, text: str = "Nice", author: str = "3001", parent: str = "", **more: Any) -> str:
        """Somebody comments, or answers a comment."""
        with self.lock:
            name = str(self._number())
            on_instagram = post in self.media
            one: dict[str, Any] = {"id": name, "post": post, "above": parent}
            if on_instagram:
                author = _there(author, "instagram")
                handle = PEOPLE[author][1]
                one |= {
                    "text": text,
                    "timestamp": _time(self.now),
                    "username": handle,
                    "from": {"id": author, "username": handle},
                }
                one |= {"parent_id": parent} if parent else {}
                self.media[post]["comments_count"] += 1
            else:
                one |= {"message": text, "created_time": _time(self.now), "from": self._person(author, "messenger")}
                one |= {
                    "permalink_url": f"https://www.facebook.com/{name}",
                    **({"parent": {"id": parent}} if parent else {}),
                }
                self.posts[post]["updated_time"] = _time(self.now)
            self.comments[name] = {**one, **more}
            return name

    def file(self, data: bytes, name: str = "box.jpg", kind: str = "image/jpeg") -> dict[str, Any]:
        """A file that a message may carry."""
        path = f"/files/{name}"
        self.files[path] = data
        where = {"image_data": {"url": self.url + path}} if kind.startswith("image/") else {"file_url": self.url + path}
        return {"attachments": {"data": [{"id": "1", "mime_type": kind, "name": name, "size": len(data), **where}]}}

    def _number(self) -> int:
        self.now += 1_000
        self.count += 1
        return 10_000 + self.count

    def _person(self, number: str, platform: str) -> dict[str, str]:
        name, handle = PEOPLE.get(number, (number, number))
        return {"id": number, "name": name} if platform == "messenger" else {"id": number, "username": handle}

    # -- what the API says ----------------------------------------------------

    def answer(self, request: Request) -> Reply:
        if request.path in self.files:
            return Reply(200, self.files[request.path], {"content-type": "application/octet-stream"})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return error(190, "Error validating access token: Session has expired.", 463, status=401)
        path = request.path.removeprefix("/v25.0/")
        reply = self._wrote(request, path) if request.method == "POST" else self._asked(request, path)
        return Reply(reply.status, reply.content, {**reply.headers, **self.usage})

    def _asked(self, request: Request, path: str) -> Reply:
        if path == "me":
            return Reply(200, {"id": PAGE, "name": "Desk"})
        if path == ACCOUNT:
            return Reply(200, {"id": ACCOUNT, "username": "desk"})
        if path == f"{PAGE}/conversations":
            return self._conversations(request)
        if path == f"{PAGE}/feed":
            return self._listed(request, list(self.posts.values()), "created_time")
        if path == f"{ACCOUNT}/media":
            return self._listed(request, list(self.media.values()), "timestamp")
        if found := re.fullmatch(r"(\w+)/comments", path):
            return self._comments(request, found[1])
        return error(100, "Unsupported get request. Object does not exist", 33)

    def _conversations(self, request: Request) -> Reply:
        rows = []
        for other, messages in self.chats[request.one("platform")].items():
            newest = sorted(messages, key=lambda one: one["created_time"], reverse=True)
            row: dict[str, Any] = {"id": f"t_{other}", "updated_time": newest[0]["created_time"]}
            if "messages" in request.one("fields"):
                platform = request.one("platform")
                us = PAGE if platform == "messenger" else ACCOUNT
                row["participants"] = {"data": [self._person(other, platform), self._person(us, platform)]}
                row["messages"] = {"data": newest[:20]}
            rows.append(row)
        return self._listed(request, rows, "updated_time")

    def _comments(self, request: Request, post: str) -> Reply:
        if post not in self.posts and post not in self.media:
            return error(100, "Unsupported get request. Object does not exist", 33)
        since = int(request.one("since", "0")) * 1000
        rows = [one for one in self.comments.values() if one["post"] == post]
        if post in self.media:
            rows = [
                {**one, "replies": {"data": [r for r in rows if r["above"] == one["id"]]}}
                for one in rows
                if not one["above"]
            ]
            return self._listed(request, rows, "timestamp")
        rows = [one for one in rows if datetime.fromisoformat(one["created_time"]).timestamp() * 1000 >= since]
        return self._listed(request, rows, "created_time")

    def _listed(self, request: Request, rows: list[dict[str, Any]], by: str) -> Reply:
        rows = sorted(rows, key=lambda one: str(one.get(by)), reverse=True)
        begin, size = int(request.one("after", "0")), min(self.page, int(request.one("limit", "25")))
        paging: dict[str, Any] = {"cursors": {"before": str(begin), "after": str(begin + size)}}
        if begin + size < len(rows):
            paging["next"] = f"{self.url}/next?access_token={TOKEN}"
        return Reply(200, {"data": rows[begin : begin + size], "paging": paging})

    def _wrote(self, request: Request, path: str) -> Reply:
        said = request.fields
        if path == f"{PAGE}/messages":
            return self._message(said)
        if path == f"{PAGE}/message_attachments":
            name = str(self._number())
            self.uploads[name] = {
                **json.loads(said["message"]),
                "platform": said["platform"],
                "data": request.files[0].data,
            }
            return Reply(200, {"attachment_id": name})
        if found := re.fullmatch(r"(\w+)/(comments|replies)", path):
            above = self.comments.get(found[1])
            if above is None and found[1] not in self.posts:
                return error(100, "Object does not exist", 33)
            post = above["post"] if above else found[1]
            if (found[2] == "replies") != (post in self.media) or (found[2] == "replies" and above and above["above"]):
                return error(100, "Unsupported post request")
            us = ACCOUNT if post in self.media else PAGE
            return Reply(200, {"id": self.comment(post, said["message"], us, found[1] if above else "")})
        return error(100, "Unsupported post request")

    def _message(self, said: Mapping[str, Any]) -> Reply:
        to = said["recipient"]
        if "sender_action" in said:
            self.actions.append((to["id"], said["sender_action"]))
            return Reply(200, {"recipient_id": to["id"]})
        if "comment_id" in to:
            comment = self.comments.get(to["comment_id"])
            if comment is None:
                return error(100, "Object does not exist", 33)
            if to["comment_id"] in self.answered:
                return error(10900, "Activity already replied to")
            self.answered.add(to["comment_id"])
            other = comment["from"]["id"]
            platform = "instagram" if comment["post"] in self.media else "messenger"
            return Reply(200, {"recipient_id": other, "message_id": self._sent(other, platform, said)})
        other = to["id"]
        platform = next((p for p, chats in self.chats.items() if other in chats), "")
        if not platform:
            return error(100, "No matching user found", 2018001)
        if other in self.blocked:
            return error(551, "This person isn't available right now.", 1545041)
        limit = 2000 if platform == "messenger" else 1000
        text = said["message"].get("text", "")
        if (len(text) if platform == "messenger" else len(text.encode())) > limit:
            return error(100, f"Length of param message[text] must be less than or equal to {limit}")
        theirs = [m for m in self.chats[platform][other] if m["from"]["id"] == other]
        last = max((datetime.fromisoformat(m["created_time"]).timestamp() * 1000 for m in theirs), default=0.0)
        tagged = said["messaging_type"] == "MESSAGE_TAG" and said.get("tag") == "HUMAN_AGENT"
        if tagged and not self.human_agent:
            return error(100, "Tag: HUMAN_AGENT is not allowed")
        if time.time() * 1000 - last > (7 if tagged else 1) * DAY_MS:
            return error(
                10, "This message is sent outside of allowed window.", 2018278 if platform == "messenger" else 2534022
            )
        return Reply(200, {"recipient_id": other, "message_id": self._sent(other, platform, said)})

    def _sent(self, other: str, platform: str, said: Mapping[str, Any]) -> str:
        us = PAGE if platform == "messenger" else ACCOUNT
        more = {"sent": said["message"].get("attachment"), "how": said.get("tag") or said.get("messaging_type")}
        return self.write(said["message"].get("text", ""), us, platform, other, **more)


def error(code: int, message: str, subcode: int = 0, *, status: int = 400, **more: Any) -> Reply:
    """A refusal as Meta writes it."""
    told = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}
    return Reply(status, {"error": {**told, **({"error_subcode": subcode} if subcode else {})}})


def _there(number: str, platform: str) -> str:
    """The same person has another number on Instagram."""
    return f"4{number[1:]}" if platform == "instagram" and number.startswith("300") else number


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
