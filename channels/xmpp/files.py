"""Files: put on our server's shelf (XEP-0363) and sent as a link; fetched from where a customer's server keeps theirs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from channels.kit.http import FILES_BYTES, Http, Service
from channels.kit.texts import file
from channels.xmpp import xml
from channels.xmpp.names import bare
from channels.xmpp.reading import Read
from channels.xmpp.rooms import features
from channels.xmpp.settings import MIB, Settings
from desk.blobs import Blob
from desk.channel import ChannelError, Inbound, Permanent, Retry
from desk.model import Attachment

if TYPE_CHECKING:
    from channels.xmpp.stream import Stream

HOSTS = 16
"""Connections to the shelves of so many servers are kept: anybody can name any number of them."""

AT_ONCE = 4

HEADERS = {"authorization", "cookie", "expires"}
"""What a slot may ask us to send along; anything else is left out (XEP-0363, 6)."""


class Shelf(Struct, frozen=True):
    """Where our server keeps files, and how large one may be (0: it does not say)."""

    address: str
    limit: int


class Files:
    """Uploads and downloads of one account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts: OrderedDict[str, Http] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._fetched_bytes = 0
        self._shelf: Shelf | None = None
        self._ours: set[str] = set()

    async def shelf(self, stream: Stream) -> Shelf | None:
        """Where files can be put, None where our server has no place for any."""
        if self._shelf is None:
            items = await stream.ask("get", xml.element("query", xml.DISCO_ITEMS), self._settings.domain)
            named = items.iterfind(f"{{{xml.DISCO_ITEMS}}}query/{{{xml.DISCO_ITEMS}}}item")
            for address in [self._settings.domain, *(e.get("jid") or "" for e in named)][:50]:
                try:
                    answer = await stream.ask("get", xml.element("query", xml.DISCO_INFO), address)
                except (Permanent, Retry):
                    continue
                if xml.UPLOAD in features(answer):
                    limit = answer.find(f".//{{{xml.DATA}}}field[@var='max-file-size']/{{{xml.DATA}}}value")
                    said = (limit.text or "") if limit is not None else ""
                    self._shelf = Shelf(address, int(said) if said.isdecimal() and len(said) < 16 else 0)
                    break
        return self._shelf

    async def put(self, stream: Stream, name: str, content_type: str, data: bytes) -> str:
        """Upload a file; the address from which everybody who has it can fetch it."""
        shelf = await self.shelf(stream)
        if shelf is None:
            raise Permanent(f"{self._settings.domain} keeps no files: send a link, or answer by mail")
        if shelf.limit and len(data) > shelf.limit:
            raise Permanent(f"{name} has {len(data):,} bytes, and {shelf.address} takes at most {shelf.limit:,}")
        asked = {"filename": name, "size": str(len(data)), "content-type": content_type}
        answer = await stream.ask("get", xml.element("request", xml.UPLOAD, **asked), shelf.address)
        put = answer.find(f"{{{xml.UPLOAD}}}slot/{{{xml.UPLOAD}}}put")
        get = answer.find(f"{{{xml.UPLOAD}}}slot/{{{xml.UPLOAD}}}get")
        where, found = (put.get("url") or "", get.get("url") or "") if put is not None and get is not None else ("", "")
        if put is None or not _safe(where) or not _safe(found):
            raise Permanent(f"{shelf.address} offers no place with https: a file is not sent in clear")
        headers = {
            e.get("name", ""): (e.text or "").replace("\n", "").replace("\r", "")
            for e in put.iterfind(f"{{{xml.UPLOAD}}}header")
            if e.get("name", "").lower() in HEADERS
        }
        await (await self._http(where)).ask(
            "PUT", where, content=data, headers={"Content-Type": content_type, **headers}
        )
        self._ours.add(urlsplit(found).hostname or "")
        return found

    def settled(self) -> None:
        """What was fetched is handed out: there is room for more."""
        self._fetched_bytes = 0

    async def fetched(self, read: Read) -> Read:
        """A message with the files that it names; one that is not fetched becomes a line of the text."""
        message = read.told[0] if read.told and isinstance(read.told[0], Inbound) else None
        if message is None or not read.files:
            return read
        # What colleagues sent is fetched, too: it is part of what was said.
        people = (message.conversation or "", message.sender.value if message.sender else "")
        domains = {bare(address).partition("@")[2] for address in people}
        taken: list[tuple[Attachment, Blob]] = []
        text, visible = message.text, message.visible
        for number, url in enumerate(read.files, 1):
            parts = _parts(url)
            name = (unquote(parts.path.rpartition("/")[2]) if parts is not None else "") or "file"
            try:
                taken.append(file(name, "", await self._get(url, domains), number))
            except ChannelError as error:
                line = f"[{name} is not fetched: {error}. It is at {url}]"
                text, visible = (f"{said}\n\n{line}" if said != url else line for said in (text, visible))
            else:
                text, visible = (said if said != url else name for said in (text, visible))
        whole = replace(
            message,
            text=text,
            visible=visible,
            attachments=tuple(attachment for attachment, _ in taken),
            blobs=tuple(blob for _, blob in taken),
        )
        return Read((whole, *read.told[1:]), read.place, read.files, read.receipt)

    async def _get(self, url: str, domains: set[str]) -> bytes:
        parts = _parts(url)
        host = (parts.hostname or "") if parts is not None else ""
        known = {*domains, self._settings.domain, *self._settings.file_hosts, *self._ours}
        if parts is None or parts.scheme != "https":
            raise Permanent("only files behind https are fetched")
        if not any(name and (host == name or host.endswith(f".{name}")) for name in known):
            raise Permanent(f"{host or 'it'} is no server of theirs or ours (file_hosts allows more)")
        if not self._settings.max_file_mb:
            raise Permanent("no files are fetched (max_file_mb = 0)")
        async with self._turns:
            if self._fetched_bytes >= FILES_BYTES:
                raise Permanent("too many files came at once")
            data = await (await self._http(url)).download(url, self._settings.max_file_mb * MIB)
            self._fetched_bytes += len(data)
            return data

    async def _http(self, url: str) -> Http:
        parts = urlsplit(url)
        key = f"{parts.scheme}://{parts.netloc}"
        if key not in self._hosts:
            service = Service(url=key, ca_file=self._settings.ca_file, timeout_s=self._settings.timeout_s)
            self._hosts[key] = Http(service, login=dict)
        self._hosts.move_to_end(key)
        http = self._hosts[key]
        http.settled()  # of all hosts together is counted here
        if len(self._hosts) > HOSTS:
            await self._hosts.popitem(last=False)[1].close()
        return http

    async def close(self) -> None:
        """Hang up."""
        await asyncio.gather(*(http.close() for http in self._hosts.values()), return_exceptions=True)
        self._hosts.clear()


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _safe(url: str) -> bool:
    parts = _parts(url)
    return parts is not None and parts.scheme == "https" and bool(parts.hostname)


__all__ = ["Files", "Shelf"]
