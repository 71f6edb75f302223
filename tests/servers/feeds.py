"""A web server with feeds: conditional GET (RFC 9110, 13), gzip, and redirects."""

from __future__ import annotations

import gzip
import hashlib

from tests.servers.small_http import Asked, Said, SmallHttp


class FeedServer(SmallHttp):
    """Publishes what is in `pages`; `gone` maps a path to (status, where it is now)."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, bytes] = {}
        self.gone: dict[str, tuple[int, str]] = {}
        self.modified = "Sun, 22 Nov 2026 08:00:00 GMT"

    def publish(self, text: str | bytes, path: str = "/feed") -> None:
        """Put a document at `path`."""
        self.pages[path] = text if isinstance(text, bytes) else text.encode()

    def answer(self, asked: Asked) -> Said:
        if asked.path in self.gone:
            status, where = self.gone[asked.path]
            return Said(status, b"", {"Location": where})
        page = self.pages.get(asked.path)
        if page is None:
            return Said(404, b"not here")
        tag = f'"{hashlib.sha256(page).hexdigest()[:12]}"'
        told = {"ETag": tag, "Last-Modified": self.modified}
        if asked.headers.get("if-none-match") == tag:
            return Said(304, b"", told)
        if "gzip" in asked.headers.get("accept-encoding", ""):
            return Said(200, gzip.compress(page), {**told, "Content-Encoding": "gzip"})
        return Said(200, page, told)


def rss(*items: str, title: str = "A forum", head: str = "") -> str:
    """A feed of RSS 2.0 with these items, each its inner XML."""
    inner = "".join(f"<item>{item}</item>" for item in items)
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:thr="http://purl.org/syndication/thread/1.0">'
        f"{head}<channel><title>{title}</title><link>https://forum.example.com/</link>{inner}</channel></rss>"
    )


def item(number: int, text: str = "Text", **more: str) -> str:
    """An item with an id, a title and a date that grows with its number."""
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    return (
        f"<guid>id-{number}</guid><title>Question {number}</title><link>https://forum.example.com/t/{number}</link>"
        f"<pubDate>Sun, 22 Nov 2026 08:{number:02}:00 +0000</pubDate><description>{text}</description>{inner}"
    )
