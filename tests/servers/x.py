"""X as its documentation tells it: numbers that are moments, pages with the newest in front, prices, limits, refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from tests.servers.local_http import LocalHttp, Reply, Request

TOKEN = "canary-x-7d41-not-to-be-seen"
REFRESH = "canary-refresh-0"
OAUTH1 = ("key-canary", "key-secret-canary", "token-canary", "token-secret-canary")
ME = "9000"
PEOPLE = {ME: ("desk", "Desk"), "2001": ("ann", "Ann Lee"), "2002": ("bob", "Bob"), "2003": ("eve", "Eve")}
EPOCH = 1_288_834_974_657


class XServer(LocalHttp):
    """The account @desk; `post` and `write` make others speak."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {TOKEN}
        self.refresh, self.turns, self.client_secret = REFRESH, 0, ""
        self.posts: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.hidden: set[str] = set()
        self.closed: set[str] = set()
        self.uploads: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.left: dict[str, int] = {}
        self.page = 100
        self.work = 0
        self.now = int(time.time() * 1000) - 60_000

    # -- what people do -------------------------------------------------------

    def post(self, text: str = "@desk hello", author: str = "2001", **more: Any) -> str:
        """Somebody posts."""
        with self.lock:
            name = more.pop("id", None) or self._number()
            above = more.pop("answers", None)
            one = {
                "id": name, "text": text, "author_id": author, "created_at": _time(self.now),
                "conversation_id": self.posts[above]["conversation_id"] if above in self.posts else name,
                "edit_history_tweet_ids": [name], **more,
            }  # fmt: skip
            if above:
                one["referenced_tweets"] = [{"type": "replied_to", "id": above}]
            self.posts[name] = one
            return name

    def edit(self, name: str, text: str) -> str:
        """The author edits a post: the new version is a post of its own."""
        with self.lock:
            old, new = self.posts[name], self._number()
            history = [*old["edit_history_tweet_ids"], new]
            for one in history[:-1]:
                self.posts[one]["edit_history_tweet_ids"] = history
            self.posts[new] = {**old, "id": new, "text": text, "edit_history_tweet_ids": history}
            return new

    def write(
        self, text: str = "Hello", sender: str = "2001", to: str = ME, conversation: str = "", **more: Any
    ) -> str:
        """Somebody sends a message."""
        with self.lock:
            name = self._number()
            pair = conversation or "-".join(sorted((sender, to), key=int))
            self.events[name] = {
                "id": name, "event_type": "MessageCreate", "text": text, "sender_id": sender, "dm_conversation_id": pair,
                "created_at": _time(self.now), **more,
            }  # fmt: skip
            return name

    def file(self, data: bytes, key: str = "3_1", **more: Any) -> dict[str, Any]:
        """A file that a post may name."""
        path = f"/media/{key}.jpg"
        self.files[path] = data
        self.media[key] = {"media_key": key, "type": "photo", "url": self.url + path, **more}
        return {"attachments": {"media_keys": [key]}}

    def _number(self) -> str:
        self.now += 1_000
        return str((self.now - EPOCH) << 22)

    # -- what the API says ----------------------------------------------------

    def answer(self, request: Request) -> Reply:
        if request.path in self.files:
            return Reply(200, self.files[request.path], {"content-type": "image/jpeg"})
        if request.path == "/2/oauth2/token":
            return self._token(request)
        if not self._known(request):
            return _problem(401, "Unauthorized", "Unauthorized")
        for beginning in self.left:
            if f"{request.method} {request.path}".startswith(beginning):
                if self.left[beginning] == 0:
                    return _problem(429, "Too Many Requests", "Too Many Requests", headers=self._window(0))
                self.left[beginning] -= 1
                reply = self._said(request)
                return Reply(reply.status, reply.content, {**reply.headers, **self._window(self.left[beginning])})
        return self._said(request)

    def _window(self, left: int) -> dict[str, str]:
        return {"x-rate-limit-remaining": str(left), "x-rate-limit-reset": str(int(time.time()) + 600)}

    def _known(self, request: Request) -> bool:
        proof = request.headers.get("authorization", "")
        if proof.startswith("OAuth "):
            return self._signed(request, dict(re.findall(r'(\w+)="([^"]*)"', proof)))
        return proof.removeprefix("Bearer ") in self.tokens

    def _signed(self, request: Request, said: dict[str, str]) -> bool:
        """RFC 5849, 3.4.1: the base string is method, address and all sorted parameters."""
        key, key_secret, token, token_secret = OAUTH1
        signature = unquote(said.pop("oauth_signature", ""))
        pairs = [(name, unquote(value)) for name, value in said.items()]
        pairs += [(name, value) for name, values in request.query.items() for value in values]
        line = "&".join(f"{_q(a)}={_q(b)}" for a, b in sorted(pairs, key=lambda pair: (_q(pair[0]), _q(pair[1]))))
        base = f"{request.method}&{_q(self.url + request.path)}&{_q(line)}"
        digest = hmac.new(f"{key_secret}&{token_secret}".encode(), base.encode(), hashlib.sha1).digest()
        mine = (unquote(said["oauth_consumer_key"]), unquote(said["oauth_token"])) == (key, token)
        return mine and base64.b64encode(digest).decode() == signature

    def _token(self, request: Request) -> Reply:
        said = dict(parse_qsl(request.body.decode()))
        if self.client_secret:
            wanted = base64.b64encode(f"app:{self.client_secret}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {wanted}":
                return Reply(
                    401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
                )
        if said.get("refresh_token") != self.refresh or said.get("client_id") != "app":
            return Reply(
                400, {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
            )
        self.turns += 1
        self.refresh = f"canary-refresh-{self.turns}"
        access = f"canary-access-{self.turns}"
        self.tokens = {access}
        return Reply(
            200, {"token_type": "bearer", "expires_in": 7200, "access_token": access, "refresh_token": self.refresh}
        )

    def _said(self, request: Request) -> Reply:
        path = request.path
        if path == "/2/users/me":
            return Reply(200, {"data": {"id": ME, "username": "desk", "name": "Desk"}})
        if path == f"/2/users/{ME}/mentions":
            return self._timeline(request, lambda one: "@desk" in one["text"] and one["author_id"] != ME)
        if path == f"/2/users/{ME}/tweets":
            return self._timeline(request, lambda one: one["author_id"] == ME)
        if path == "/2/tweets":
            return self._create(request) if request.method == "POST" else self._lookup(request)
        if path == "/2/dm_events":
            return self._page(request, list(self.events.values()))
        if found := re.fullmatch(r"/2/dm_conversations/(with/)?([\d-]+)/messages", path):
            return self._send(request, found[2], began=bool(found[1]))
        if path.startswith("/2/media/upload"):
            return self._upload(request)
        return _problem(404, "Not Found", "Not Found")

    def _timeline(self, request: Request, holds: Any) -> Reply:
        since = int(request.one("since_id", "0"))
        start = request.one("start_time")
        rows = [
            one for one in self.posts.values()
            if holds(one) and int(one["id"]) > since and (not start or one["created_at"] >= start)
            and one["id"] not in self.deleted
        ]  # fmt: skip
        return self._page(request, rows)

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Reply:
        rows = sorted(rows, key=lambda one: int(one["id"]), reverse=True)
        begin, size = (
            int(request.one("pagination_token", "0") or 0),
            min(self.page, int(request.one("max_results", "10"))),
        )
        page = rows[begin : begin + size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if begin + size < len(rows):
            meta["next_token"] = str(begin + size)
        return Reply(200, {**({"data": page} if page else {}), "includes": self._includes(page), "meta": meta})

    def _includes(self, page: list[dict[str, Any]]) -> dict[str, Any]:
        people = {str(one.get("author_id") or one.get("sender_id")) for one in page}
        people |= {who for one in page for who in one.get("participant_ids", [])}
        keys = [key for one in page for key in one.get("attachments", {}).get("media_keys", [])]
        return {
            "users": [
                {"id": who, "username": PEOPLE[who][0], "name": PEOPLE[who][1]} for who in sorted(people & set(PEOPLE))
            ],
            "media": [self.media[key] for key in keys if key in self.media],
        }

    def _lookup(self, request: Request) -> Reply:
        names = request.one("ids").split(",")
        found = [self.posts[n] for n in names if n in self.posts and n not in self.deleted | self.hidden]
        errors = [
            {
                "resource_id": name, "value": name, "parameter": "ids", "title": "Not Found Error",
                "type": "https://api.twitter.com/2/problems/"
                + ("not-authorized-for-resource" if name in self.hidden else "resource-not-found"),
            }
            for name in names if name in self.deleted | self.hidden
        ]  # fmt: skip
        return Reply(200, {"data": found, "includes": self._includes(found), **({"errors": errors} if errors else {})})

    def _create(self, request: Request) -> Reply:
        said = request.fields
        above = said.get("reply", {}).get("in_reply_to_tweet_id")
        if any(one["author_id"] == ME and one["text"] == said.get("text") for one in self.posts.values()):
            return _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        if (
            above
            and above in self.posts
            and "@desk" not in self.posts[above]["text"]
            and self.posts[above]["author_id"] != ME
        ):
            return _problem(
                403, "Forbidden", "Reply to this conversation is not allowed because you have not been mentioned"
            )
        if any(one not in self.uploads for one in said.get("media", {}).get("media_ids", [])):
            return _problem(400, "Invalid Request", "Your media IDs are invalid.")
        more = {"media_ids": said["media"]["media_ids"]} if "media" in said else {}
        name = self.post(said.get("text", ""), ME, answers=above, **more)
        return Reply(201, {"data": {"id": name, "text": said.get("text", ""), "edit_history_tweet_ids": [name]}})

    def _send(self, request: Request, to: str, *, began: bool) -> Reply:
        said = request.fields
        if to in self.closed or (not began and any(one in self.closed for one in to.split("-"))):
            return _problem(403, "Forbidden", "You do not have permission to DM one or more participants.")
        if not said.get("text") and not said.get("attachments"):
            return _problem(400, "Invalid Request", "One or more parameters to your request was invalid.")
        more = {"sent": said.get("attachments")}
        name = self.write(said.get("text", ""), ME, to if began else ME, "" if began else to, **more)
        return Reply(
            201, {"data": {"dm_event_id": name, "dm_conversation_id": self.events[name]["dm_conversation_id"]}}
        )

    def _upload(self, request: Request) -> Reply:
        parts = request.path.split("/")
        if parts[-1] == "initialize":
            name = self._number()
            self.uploads[name] = {**request.fields, "data": b"", "asked": 0}
            return Reply(200, {"data": {"id": name, "media_key": f"3_{name}", "expires_after_secs": 86_400}})
        if parts[-1] == "append":
            self.uploads[parts[-2]]["data"] += request.files[0].data
            return Reply(204, b"")
        name = request.one("media_id") or parts[-2]
        upload = self.uploads[name]
        if len(upload["data"]) != upload["total_bytes"]:
            return _problem(400, "Invalid Request", "Segments do not add up to provided total file size.")
        if upload["media_category"].endswith(("video", "gif")) and upload["asked"] < self.work:
            upload["asked"] += 1
            return Reply(
                200, {"data": {"id": name, "processing_info": {"state": "in_progress", "check_after_secs": 1}}}
            )
        return Reply(200, {"data": {"id": name, "processing_info": {"state": "succeeded"}}})


def _problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"title": title, "detail": detail, "type": "about:blank", "status": status}, headers or {})


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _q(text: str) -> str:
    return quote(text, safe="-._~")
