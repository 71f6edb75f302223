"""A server that behaves as Mastodon's documentation says: ids, pages with Link headers, keys, rates, media."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

from tests.servers.local_http import LocalHttp, Reply, Request

TOKEN = "canary-8d1a-not-to-be-seen"
PLACE = "social.example"
GONE = {"error": "Record not found"}


class MastodonServer(LocalHttp):
    """A server with the account `support`; `post` makes others write. `versions` before 4.3 know no lists of posts."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.accounts: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, str] = {}
        self.notifications: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.blocking: set[str] = set()
        self.lists = True
        self.searches = True
        self.processing = 0
        self.remaining = 300
        self.characters = 500
        self.number = 1000
        self.now = datetime.now(UTC).timestamp()
        self.account("support")

    # -- what people do --------------------------------------------------------

    def account(self, acct: str) -> dict[str, Any]:
        """Somebody, made when first named."""
        if acct not in self.accounts:
            name = acct.partition("@")[0]
            self.accounts[acct] = {
                "id": str(len(self.accounts) + 1), "acct": acct, "username": name, "display_name": name.title(),
                "avatar": f"{self.url}/system/avatar.png", "url": f"https://{PLACE}/@{acct}",
            }  # fmt: skip
        return self.accounts[acct]

    def post(
        self, acct: str = "ann@far.example", text: str = "Hello", *, answers: str | None = None, visibility: str = "public",
        name: str | None = None, told: bool = True, content: str | None = None, **more: Any,
    ) -> str:  # fmt: skip
        """A post; where it names us, or answers us, we are told."""
        with self.lock:
            if name is None:
                self.number += 1
            name = name or str(self.number)
            mentions = [self.account(m) for m in re.findall(r"@([\w.]+(?:@[\w.]+)?)", text) if m.split("@")[0]]
            mentions = [self.accounts["support"] if m["acct"] == f"support@{PLACE}" else m for m in mentions]
            self.statuses[name] = {
                "id": name, "created_at": self.time(), "edited_at": None, "in_reply_to_id": answers,
                "account": self.account(acct), "content": content or f"<p>{html.escape(text)}</p>", "spoiler_text": "",
                "visibility": visibility, "url": f"https://{PLACE}/@{acct}/{name}", "uri": f"https://{PLACE}/{name}",
                "mentions": [{k: m[k] for k in ("id", "acct", "username", "url")} for m in mentions],
                "media_attachments": [], "reblog": None, "poll": None, **more,
            }  # fmt: skip
            self.sources[name] = text
            if told and acct != "support" and "support" in {m["acct"] for m in mentions}:
                self.notify("mention", acct, name)
            return name

    def notify(self, kind: str, acct: str, status: str | None, number: int | None = None) -> None:
        """Tell our account something."""
        with self.lock:
            number = number or len(self.notifications) * 2 + 100
            one = {"id": str(number), "type": kind, "created_at": self.time(), "account": self.account(acct)}
            if status is not None:
                one["status"] = self.statuses[status]
            self.notifications.append(one)

    def time(self) -> str:
        self.now += 0.001
        return datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # -- what the API says -----------------------------------------------------

    def answer(self, request: Request) -> Reply:
        if request.path in self.files:
            return Reply(200, self.files[request.path], {"content-type": "application/octet-stream"})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"error": "The access token is invalid"})
        until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 120, UTC).isoformat().replace("+00:00", "Z")
        rates = {"x-ratelimit-limit": "300", "x-ratelimit-reset": until}
        if self.remaining <= 0:
            return Reply(429, {"error": "Too many requests"}, {**rates, "x-ratelimit-remaining": "0"})
        self.remaining -= 1
        reply = self._said(request)
        return Reply(
            reply.status, reply.content, {**rates, "x-ratelimit-remaining": str(self.remaining), **reply.headers}
        )

    def _said(self, request: Request) -> Reply:
        match (request.method, *request.path.removeprefix("/api/").split("/")):
            case ("GET", "v1", "accounts", "verify_credentials"):
                return Reply(200, self.accounts["support"])
            case ("GET", "v1", "accounts", "relationships"):
                return Reply(200, [{"id": one, "blocked_by": one in self.blocking} for one in request.query["id[]"]])
            case ("GET", "v1", "accounts", number, "statuses"):
                return self._page(
                    request, [s for s in self.statuses.values() if (s["account"] or {}).get("id") == number], 20, 40
                )
            case ("GET", "v1", "accounts", number):
                found = [a for a in self.accounts.values() if a["id"] == number]
                return Reply(200, found[0]) if found else Reply(404, GONE)
            case ("GET", "v2", "instance"):
                return Reply(200, {"domain": PLACE, "configuration": {
                    "statuses": {"max_characters": self.characters, "max_media_attachments": 4, "characters_reserved_per_url": 23},
                    "media_attachments": {"supported_mime_types": ["image/png", "image/jpeg", "video/mp4"], "image_size_limit": 1000, "video_size_limit": 5000},
                }})  # fmt: skip
            case ("GET", "v1", "notifications"):
                return self._page(request, self.notifications, 40, 80)
            case ("GET", "v1", "timelines", "tag", tag):
                word = re.compile(rf"#{re.escape(tag)}\b", re.I)
                found = [
                    s for n, s in self.statuses.items() if word.search(self.sources[n]) and s["visibility"] == "public"
                ]
                return self._page(request, found, 20, 40)
            case ("GET", "v2", "search"):
                words = request.one("q").lower()
                found = (
                    [s for n, s in self.statuses.items() if words in self.sources[n].lower()] if self.searches else []
                )
                begin = int(request.one("offset", "0"))
                newest = sorted(found, key=lambda s: -int(s["id"]))[begin : begin + int(request.one("limit", "20"))]
                return Reply(200, {"accounts": [], "statuses": newest, "hashtags": []})
            case ("GET", "v1", "statuses"):
                if not self.lists:
                    return Reply(404, {"error": "Not Found"})
                return Reply(200, [self.statuses[n] for n in request.query["id[]"][:20] if n in self.statuses])
            case ("GET", "v1", "statuses", name) if name in self.statuses:
                return Reply(200, self.statuses[name])
            case ("GET", "v1", "statuses", name, "source") if name in self.statuses:
                return Reply(200, {"id": name, "text": self.sources[name], "spoiler_text": ""})
            case ("GET", "v1", "statuses", name, "context") if name in self.statuses:
                above: list[dict[str, Any]] = []
                parent = self.statuses[name]["in_reply_to_id"]
                while parent in self.statuses:
                    above.insert(0, self.statuses[parent])
                    parent = self.statuses[parent]["in_reply_to_id"]
                return Reply(200, {"ancestors": above, "descendants": []})
            case ("POST", "v2", "media"):
                return self._upload(request)
            case ("GET", "v1", "media", name):
                self.processing -= 1
                return Reply(206 if self.processing > 0 else 200, {"id": name})
            case ("POST", "v1", "statuses"):
                return self._create(request)
        return Reply(404, GONE)

    def _page(self, request: Request, found: list[dict[str, Any]], usual: int, most: int) -> Reply:
        limit = min(most, int(request.one("limit", str(usual))))
        low, high = request.one("min_id") or request.one("since_id"), request.one("max_id")
        chosen = sorted(
            (
                one
                for one in found
                if (not low or int(one["id"]) > int(low)) and (not high or int(one["id"]) < int(high))
            ),
            key=lambda one: int(one["id"]),
        )
        # min_id goes on from where it is; without it, the newest come.
        page = (chosen[:limit] if request.one("min_id") else chosen[-limit:])[::-1]
        if not page:
            return Reply(200, [])
        here = f"{self.url}{request.path}?limit={limit}"
        return Reply(
            200,
            page,
            {"link": f'<{here}&max_id={page[-1]["id"]}>; rel="next", <{here}&min_id={page[0]["id"]}>; rel="prev"'},
        )

    def _upload(self, request: Request) -> Reply:
        if not request.files or request.files[0].data.startswith(b"BROKEN"):
            return Reply(422, {"error": "Validation failed: File content type is invalid, File is invalid"})
        name = str(len(self.media) + 7)
        self.media[name] = {"id": name, "description": request.fields.get("description"), "data": request.files[0].data}
        return Reply(202 if self.processing else 200, {"id": name, "type": "image", "url": None})

    def _create(self, request: Request) -> Reply:
        said = request.fields
        if (key := request.headers.get("idempotency-key", "")) in self.keys:
            return Reply(200, self.statuses[self.keys[key]])
        text, answers = str(said.get("status") or ""), said.get("in_reply_to_id")
        if answers and answers not in self.statuses:
            return Reply(404, GONE)
        if not text and not said.get("media_ids"):
            return Reply(422, {"error": "Validation failed: Text can't be blank"})
        counted = re.sub(r"(@\w+)@[\w.]+", r"\1", re.sub(r"https?://\S+", "x" * 23, text)) + str(
            said.get("spoiler_text") or ""
        )
        if len(counted) > self.characters:
            return Reply(422, {"error": f"Validation failed: Text character limit of {self.characters} exceeded"})
        name = self.post("support", text, answers=answers, visibility=said.get("visibility", "public"))
        self.statuses[name] |= {"spoiler_text": said.get("spoiler_text", ""), "media_ids": said.get("media_ids", [])}
        if key:
            self.keys[key] = name
        return Reply(200, self.statuses[name])
