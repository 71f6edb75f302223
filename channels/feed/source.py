"""Where a feed lies: asked for only what changed, followed where it went, or read from a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from channels.kit.http import Answer, Http, Service, loopback
from desk.channel import ChannelError, Permanent

LIMIT_BYTES = 8 * 1024 * 1024
HOPS = 5
_FOR_EVER = (301, 308)
_ELSEWHERE = (*_FOR_EVER, 302, 303, 307)
_WANTED = "application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.8, application/xml;q=0.8, */*;q=0.5"


class Fetched(Struct, frozen=True):
    """A document as it was found. `data` is None when it is still what `tag` and `modified` name; `moved` is where it is for good."""

    data: bytes | None
    url: str
    tag: str = ""
    modified: str = ""
    moved: str = ""


class Source:
    """One feed's place."""

    def __init__(self, ca_file: str, timeout_s: float) -> None:
        self._ca_file, self._timeout_s = ca_file, timeout_s
        self._https: dict[str, Http] = {}

    async def fetch(self, url: str, tag: str, modified: str) -> Fetched:
        """What is at `url` now, unless it is still what was read before (RFC 9110, 13)."""
        if (path := path_of(url)) is not None:
            return await asyncio.to_thread(_file, path, url, tag)
        at, moved = url, ""
        for_ever = True
        for _ in range(HOPS + 1):
            headers = {"Accept": _WANTED}
            # What we know is of the place that answered it, wherever that is.
            headers |= {"If-None-Match": tag} if tag else {}
            headers |= {"If-Modified-Since": modified} if modified else {}
            answer = await self._http(at).ask("GET", at, headers=headers, accept=(304, *_ELSEWHERE), limit=LIMIT_BYTES)
            if answer.status not in _ELSEWHERE:
                break
            at_next = _next(at, answer)
            for_ever = for_ever and answer.status in _FOR_EVER
            moved = at_next if for_ever else moved
            at = at_next
        else:
            raise Permanent(f"the feed sends us from one place to the next, {HOPS} times: mend its url")
        if answer.status == 304:
            return Fetched(None, at, tag, modified, moved)
        told = answer.headers
        return Fetched(answer.data, at, told.get("etag", ""), told.get("last-modified", ""), moved)

    def _http(self, url: str) -> Http:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._https:
            # Anybody may read a feed, so http:// gives nothing away.
            service = Service(url=origin, insecure=True, ca_file=self._ca_file, timeout_s=self._timeout_s)
            self._https[origin] = Http(service, login=dict, judge=_judge)
        return self._https[origin]

    async def close(self) -> None:
        """Hang up."""
        https, self._https = self._https, {}
        for http in https.values():
            await http.close()


def path_of(url: str) -> Path | None:
    """The file that `url` means; None where it is on the web."""
    if url.startswith("file://"):
        return Path(urlsplit(url).path)
    return None if "://" in url else Path(url).expanduser()


def shown(url: str) -> str:
    """An address for people, without what may be a key in it."""
    return url.partition("?")[0]


def _file(path: Path, url: str, tag: str) -> Fetched:
    try:
        status = path.stat()
        own = f"{status.st_mtime_ns}-{status.st_size}"
        if own == tag:
            return Fetched(None, url, tag)
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as exc:
        raise Permanent(f"{path} cannot be read: {exc.strerror}") from None
    if len(data) > LIMIT_BYTES:
        raise Permanent(f"{path} has more than {LIMIT_BYTES:,} bytes")
    return Fetched(data, url, own)


def _next(at: str, answer: Answer) -> str:
    """Where a redirect leads, if that is a place to go to."""
    found = urljoin(at, answer.headers.get("location", ""))
    here, there = urlsplit(at), urlsplit(found)
    if there.scheme not in ("http", "https") or not there.hostname or "@" in there.netloc:
        raise Permanent(f"{here.hostname} sends us to something that is no feed's address: mend the url")
    if here.scheme == "https" and there.scheme == "http":
        raise Permanent(
            f"{here.hostname} sends us from https to http, where anybody can change it: ask for the right url"
        )
    if loopback(there.hostname) and not loopback(here.hostname or ""):
        raise Permanent(f"{here.hostname} sends us to this machine itself: that is no feed of theirs")
    return found


def _judge(answer: Answer) -> ChannelError | None:
    match answer.status:
        case 404:
            return Permanent("there is no feed at this address (any more): look for it on the site and mend url")
        case 410:
            return Permanent("the feed is gone for good: take this account away")
        case 401 | 403:
            return Permanent("the feed is not open to everybody, and only such feeds are read")
    return None


__all__ = ["Fetched", "Source", "path_of", "shown"]
