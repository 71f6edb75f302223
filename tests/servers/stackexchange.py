"""The API of Stack Exchange as documented: wrapper, quota, backoff, paging, compressed answers, errors as 400."""

from __future__ import annotations

import re
from typing import Any

from tests.servers.small_http import Asked, Said, SmallHttp, as_json

ANN = {"user_id": 11, "account_id": 9011, "display_name": "Ann &amp; Co", "link": "https://stackoverflow.com/users/11"}
BEN = {"user_id": 12, "account_id": 9012, "display_name": "Ben"}
GONE = {"user_type": "does_not_exist", "display_name": "user99"}


class StackServer(SmallHttp):
    """One site, its posts, and how many requests are left. `now` is its clock in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000
        self.quota = 300
        self.keys = {"KEY"}
        self.backoff: dict[str, int] = {}
        self.questions: dict[int, dict[str, Any]] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self._id = 500

    # -- what people do -----------------------------------------------------------

    def ask(
        self,
        title: str = "How?",
        body: str = "<p>It <b>fails</b></p>",
        tags: tuple[str, ...] = ("python",),
        owner: Any = ANN,
    ) -> int:
        """Somebody asks; the question's number."""
        own = self._next()
        self.questions[own] = {
            "question_id": own, "title": title, "body": body, "tags": list(tags), "owner": owner, "creation_date": self.now,
            "last_activity_date": self.now, "link": f"https://stackoverflow.com/questions/{own}/how", "answer_count": 0,
        }  # fmt: skip
        return own

    def reply(self, question: int, body: str = "<p>So</p>", owner: Any = BEN) -> int:
        """Somebody answers."""
        own = self._next()
        self.answers[own] = {
            "answer_id": own, "question_id": question, "body": body, "owner": owner, "creation_date": self.now
        }  # fmt: skip
        asked = self.questions[question]
        asked["last_activity_date"], asked["answer_count"] = self.now, asked["answer_count"] + 1
        return own

    def remark(self, post: int, body: str = "Really?", owner: Any = ANN) -> int:
        """Somebody comments on a post; the question does not tell of it."""
        own = self._next()
        self.comments[own] = {
            "comment_id": own, "post_id": post, "body": body, "owner": owner, "creation_date": self.now, "edited": False
        }  # fmt: skip
        return own

    def edit(self, post: int, body: str) -> None:
        """Somebody changes a post."""
        found = self.questions.get(post) or self.answers.get(post)
        assert found is not None
        found |= {"body": body, "last_edit_date": self.now}
        self.questions[found["question_id"]]["last_activity_date"] = self.now

    def _next(self) -> int:
        self._id += 1
        return self._id

    # -- the API ------------------------------------------------------------------

    def answer(self, asked: Asked) -> Said:
        path, given = asked.path, asked.params
        assert "gzip" in asked.headers.get("accept-encoding", ""), "it answers in nothing else"
        if given.get("site") != "stackoverflow":
            return self._error(400, "bad_parameter", f"No site found for name `{given.get('site')}`")
        if "key" in given and given["key"] not in self.keys:
            return self._error(400, "bad_parameter", "`key` doesn't match a known application")
        if self.quota <= 0:
            return self._error(
                502, "throttle_violation", "too many requests from this IP, more requests available in 4711 seconds"
            )
        self.quota -= 1
        if path == "/info":
            return self._wrapped("/info", [{"total_questions": len(self.questions)}], given)
        if path == "/questions":
            tags = given["tagged"].split(";")
            found = [q for q in self.questions.values() if set(tags) <= set(q["tags"])]
            found = [q for q in found if q["creation_date"] >= int(given["fromdate"])]
            found = [q for q in found if q["last_activity_date"] >= int(given["min"])]
            return self._wrapped(path, sorted(found, key=lambda q: (q["last_activity_date"], q["question_id"])), given)
        if ids := re.fullmatch(r"/questions/([\d;]+)/answers", path):
            below = set(map(int, ids[1].split(";")))
            assert len(below) <= 100
            return self._wrapped("answers", [a for a in self.answers.values() if a["question_id"] in below], given)
        if ids := re.fullmatch(r"/posts/([\d;]+)/comments", path):
            below = set(map(int, ids[1].split(";")))
            found = [c for c in self.comments.values() if c["post_id"] in below]
            return self._wrapped("comments", [c for c in found if c["creation_date"] >= int(given["fromdate"])], given)
        return self._error(404, "no_method", "this method does not exist")

    def _wrapped(self, method: str, items: list[Any], given: Any) -> Said:
        size, page = int(given.get("pagesize", 30)), int(given.get("page", 1))
        assert given.get("filter") == "withbody" or method == "/info"
        found = {
            "items": items[(page - 1) * size : page * size], "has_more": len(items) > page * size,
            "quota_max": 10_000 if "key" in given else 300, "quota_remaining": self.quota,
        }  # fmt: skip
        if seconds := self.backoff.pop(method, 0):
            found["backoff"] = seconds
        return as_json(found, packed=True)

    def _error(self, number: int, name: str, message: str) -> Said:
        return as_json({"error_id": number, "error_name": name, "error_message": message}, 400, packed=True)
