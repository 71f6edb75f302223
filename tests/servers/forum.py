"""A forum that behaves as Discourse's documentation and API say: numbers, pages, refusals, rates."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from tests.servers.local_http import LocalHttp, Reply, Request

PAGE = 50
TOPIC_PAGE = 20
INBOX_PAGE = 30
KEY = "canary-3f9c-not-to-be-seen"
REFUSED = {
    "errors": ["You are not permitted to view the requested resource. The API username or key is invalid."],
    "error_type": "invalid_access",
}
MISSING = {"errors": ["The requested URL or resource could not be found."], "error_type": "not_found"}


class DiscourseServer(LocalHttp):
    """A forum with the user `desk`; `write` makes others write. Times are given, ids count up.

    An `old` one pages by stretches of numbers, as forums did before 2024.
    """

    def __init__(self, *, old: bool = False) -> None:
        super().__init__()
        self.old = old
        self.key, self.user = KEY, "desk"
        self.posts: dict[int, dict[str, Any]] = {}
        self.topics: dict[int, dict[str, Any]] = {}
        self.uploads: dict[str, bytes] = {}
        self.likers: dict[int, list[str]] = {}
        self.approval = False
        self.file_limit = 4 * 1024 * 1024
        self.number = 100
        self.minute_limit: int | None = None
        self.now = datetime.now(UTC).timestamp()

    # -- what people do ------------------------------------------------------

    def topic(
        self,
        title: str,
        *,
        category: int = 5,
        tags: tuple[str, ...] = (),
        private: tuple[str, ...] = (),
        external: str = "",
    ) -> int:
        """Open a topic, without a post."""
        with self.lock:
            number = len(self.topics) + 1
            self.topics[number] = {
                "id": number, "title": title, "category_id": None if private else category, "tags": list(tags),
                "private": private, "closed": False, "archived": False, "highest_post_number": 0, "external_id": external,
                "bumped_at": self._time(), "deleted": False,
            }  # fmt: skip
            return number

    def write(
        self,
        topic: int,
        user: str = "ann",
        html: str = "<p>Hello</p>",
        *,
        raw: str = "",
        number: int | None = None,
        **more: Any,
    ) -> int:
        """A post; `number` makes one late."""
        with self.lock:
            if number is None:
                self.number += 1
            number = number or self.number
            place = self.topics[topic]["highest_post_number"] + 1
            self.topics[topic] |= {"highest_post_number": place, "bumped_at": self._time()}
            self.posts[number] = {
                "id": number, "topic_id": topic, "username": user, "name": user.title(), "user_id": 7, "post_number": place,
                "post_type": 1, "created_at": self._time(), "updated_at": self._time(), "cooked": html, "raw": raw or html,
                "version": 1, "reply_to_post_number": None, "actions_summary": [{"id": 2, "can_act": True}],
                "yours": user == self.user, "hidden": False, "deleted_at": None, "user_deleted": False, **more,
            }  # fmt: skip
            return number

    def edit(self, number: int, html: str) -> None:
        """Somebody changes what they wrote."""
        self.posts[number] |= {"cooked": html, "raw": html, "version": self.posts[number]["version"] + 1}

    def like(self, number: int, user: str) -> None:
        """Somebody likes a post."""
        who = self.likers.setdefault(number, [])
        who.append(user)
        self.posts[number]["actions_summary"] = [{"id": 2, "count": len(who)}]

    def delete(self, number: int) -> None:
        """A moderator deletes a post."""
        self.posts[number]["deleted_at"] = self._time()

    def _time(self) -> str:
        self.now += 0.001
        return datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # -- what the API says ---------------------------------------------------

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/uploads/"):
            data = self.uploads.get(request.path)
            return (
                Reply(404, MISSING) if data is None else Reply(200, data, {"content-type": "application/octet-stream"})
            )
        if request.headers.get("api-key") != self.key or request.headers.get("api-username") != self.user:
            return Reply(403, REFUSED)
        if self.minute_limit is not None:
            self.minute_limit -= 1
            if self.minute_limit < 0:
                words = "You've performed this action too many times, please try again in 27 seconds."
                extras = {"wait_seconds": 27, "time_left": "27 seconds"}
                return Reply(
                    429, {"errors": [words], "error_type": "rate_limit", "extras": extras}, {"retry-after": "27"}
                )
        path = request.path.removesuffix(".json").strip("/").split("/")
        match (request.method, *path):
            case ("GET", "posts"):
                return Reply(200, {"latest_posts": self._latest(int(request.one("before", "0")))})
            case ("GET", "posts", "by_number", topic, place):
                found = [p for p in self._shown(int(topic)) if p["post_number"] == int(place)]
                return Reply(200, found[0]) if found else Reply(404, MISSING)
            case ("GET", "posts", number):
                post = self.posts.get(int(number))
                return Reply(200, post) if post and not post["deleted_at"] else Reply(404, MISSING)
            case ("GET", "t", "external_id", mark):
                found = [t for t in self.topics.values() if t["external_id"] == mark]
                if not found:
                    return Reply(404, MISSING)
                return Reply(301, b"", {"location": f"{self.url}/t/a-title-2024/{found[0]['id']}.json"})
            case ("GET", "t", topic, *rest) if int(topic) in self.topics:
                return self._topic(int(topic), request, bool(rest))
            case ("GET", "topics", "private-messages", self.user):
                return self._inbox(request, self.user)
            case ("GET", "topics", "private-messages-group", self.user, group):
                return self._inbox(request, group)
            case ("GET", "post_action_users"):
                who = self.likers.get(int(request.one("id")), [])
                return Reply(200, {"post_action_users": [{"id": 1, "username": one, "name": ""} for one in who]})
            case ("GET", "categories"):
                children = [{"id": 6, "slug": "billing"}]
                return Reply(
                    200,
                    {
                        "category_list": {
                            "categories": [
                                {"id": 5, "slug": "support", "subcategory_list": children},
                                {"id": 9, "slug": "lounge"},
                            ]
                        }
                    },
                )
            case ("GET", "u", self.user):
                return Reply(200, {"user": {"id": 3, "username": self.user}})
            case ("POST", "uploads"):
                return self._upload(request)
            case ("POST", "posts"):
                return self._create(request)
        return Reply(404, MISSING)

    def _latest(self, before: int) -> list[dict[str, Any]]:
        shown = sorted(
            (p for n in self.topics for p in self._shown(n) if not self.topics[n]["private"]), key=lambda p: -p["id"]
        )
        if self.old:
            last = before or self.number
            shown = [p for p in shown if last - PAGE < p["id"] <= last]
        elif before:
            shown = [p for p in shown if p["id"] < before]
        extra = {"topic_title", "category_id"}
        return [
            {
                **p,
                **{
                    k: v
                    for k, v in {
                        "topic_title": self.topics[p["topic_id"]]["title"],
                        "category_id": self.topics[p["topic_id"]]["category_id"],
                    }.items()
                    if k in extra and k not in p
                },
            }
            for p in shown[:PAGE]
        ]

    def _shown(self, topic: int) -> list[dict[str, Any]]:
        if topic not in self.topics or self.topics[topic]["deleted"]:
            return []
        return sorted(
            (p for p in self.posts.values() if p["topic_id"] == topic and not p["deleted_at"]),
            key=lambda p: p["post_number"],
        )

    def _topic(self, number: int, request: Request, only_posts: bool) -> Reply:
        topic = self.topics[number]
        if topic["deleted"]:
            return Reply(410, MISSING)
        if topic["private"] and self.user not in topic["private"] and "helpers" not in topic["private"]:
            return Reply(
                403,
                {"errors": ["You are not permitted to view the requested resource."], "error_type": "invalid_access"},
            )
        shown = self._shown(number)
        wanted = [int(one) for one in request.query.get("post_ids[]", ())]
        posts = [p for p in shown if p["id"] in wanted] if wanted else shown[:TOPIC_PAGE]
        if request.one("include_raw") != "true":
            posts = [{k: v for k, v in p.items() if k != "raw"} for p in posts]
        if only_posts:
            return Reply(200, {"post_stream": {"posts": posts}, "id": number})
        details = {
            "created_by": {"username": shown[0]["username"] if shown else "ann", "name": ""},
            "allowed_users": [{"username": one, "name": ""} for one in topic["private"]],
            **({} if topic["closed"] else {"can_create_post": True}),
        }
        stream = {"posts": posts, "stream": [p["id"] for p in shown]}
        return Reply(
            200,
            {
                **{k: v for k, v in topic.items() if k not in ("private", "deleted")},
                "details": details,
                "post_stream": stream,
            },
        )

    def _inbox(self, request: Request, whose: str) -> Reply:
        page = int(request.one("page", "0"))
        found = sorted(
            (t for t in self.topics.values() if whose in t["private"]), key=lambda t: t["bumped_at"], reverse=True
        )
        keys = ("id", "title", "bumped_at", "highest_post_number")
        topics = [{k: t[k] for k in keys} for t in found[page * INBOX_PAGE : (page + 1) * INBOX_PAGE]]
        return Reply(200, {"topic_list": {"per_page": INBOX_PAGE, "topics": topics}})

    def _upload(self, request: Request) -> Reply:
        if request.fields.get("upload_type") != "composer" or not request.files:
            return Reply(422, {"errors": ["param is missing or the value is empty: upload_type"]})
        one = request.files[0]
        if one.name.endswith(".exe"):
            return Reply(
                422,
                {
                    "errors": [
                        "Sorry, the file you are trying to upload is not authorized (authorized extensions: jpg, jpeg, png, gif, pdf, txt)."
                    ]
                },
            )
        if len(one.data) > self.file_limit:
            return Reply(
                422, {"errors": ["Sorry, the file you are trying to upload is too big (maximum size is 4 MB)."]}
            )
        name = hashlib.sha1(one.data, usedforsecurity=False).hexdigest()
        ending = one.name.rpartition(".")[2]
        self.uploads[f"/uploads/default/{name}.{ending}"] = one.data
        size = {"width": 30, "height": 20} if one.content_type.startswith("image/") else {"width": None, "height": None}
        return Reply(
            200,
            {
                "id": 1,
                "url": f"/uploads/default/{name}.{ending}",
                "short_url": f"upload://{name}.{ending}",
                "original_filename": one.name,
                **size,
            },
        )

    def _create(self, request: Request) -> Reply:
        said, raw = request.fields, str(request.fields.get("raw") or "").rstrip()

        def refused(words: str) -> Reply:
            return Reply(422, {"action": "create_post", "errors": [words]})

        if len(raw) < 5:
            return refused("Body is too short (minimum is 5 characters)")
        if len(raw) > 32_000:
            return refused(f"Body is limited to 32000 characters; you entered {len(raw)}.")
        if any(
            p["raw"] == raw and p["username"] == self.user and said.get("topic_id") == p["topic_id"]
            for p in self.posts.values()
        ):
            return refused("Body is too similar to what you recently posted")
        if self.approval:
            return Reply(200, {"success": True, "action": "enqueued", "pending_post": {"id": 4}, "pending_count": 1})
        if topic := said.get("topic_id"):
            if self.topics[topic]["closed"]:
                return refused("Sorry, this topic is closed. New replies are no longer allowed.")
        elif said.get("archetype") == "private_message":
            if not said.get("title"):
                return refused("Title can't be blank")
            if any(t["external_id"] == said["external_id"] for t in self.topics.values()):
                return refused("External ID has already been taken")
            topic = self.topic(
                said["title"],
                private=(self.user, *said["target_recipients"].split(",")),
                external=said.get("external_id", ""),
            )
        else:
            return refused("Title can't be blank")
        number = self.write(
            topic, self.user, f"<p>{raw}</p>", raw=raw, reply_to_post_number=said.get("reply_to_post_number")
        )
        return Reply(200, self.posts[number])
