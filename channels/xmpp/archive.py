"""What a server keeps of our messages (XEP-0313): what we missed, and whether something of ours went out."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from channels.xmpp import xml
from channels.xmpp.cursor import Since
from channels.xmpp.names import bare
from channels.xmpp.rooms import moment
from desk.channel import Permanent
from desk.model import Millis

if TYPE_CHECKING:
    from channels.xmpp.stream import Stream

PAGE = 100

OVERLAP_MS = 60 * 60_000
"""How far before the last message one looks where the archive has forgotten it."""


class Archive:
    """Asks archives: our own is "", that of a room is its address."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, list[Element]]] = {}

    def heard(self, stanza: Element, own: str) -> bool:
        """Whether a stanza is an archive's answer; only the archive that was asked is believed."""
        result = xml.find(stanza, "result", xml.MAM)
        if result is None:
            return False
        archive, found = self._asked.get(result.get("queryid") or "", ("", None))
        if found is not None and bare(stanza.get("from") or own) == (archive or own):
            found.append(result)
        return True

    async def after(self, stream: Stream, archive: str, since: Since) -> AsyncIterator[tuple[list[Element], str]]:
        """All that came behind `since`, in pages, with the id of the last."""
        id, start = since.id, None if since.id else since.at
        while True:
            try:
                found, last, complete = await self._page(stream, archive, id, start)
            except Permanent:
                if not id:
                    raise
                # The archive has forgotten the place where we stood: what is seen twice does no harm.
                id, start = "", since.at - OVERLAP_MS
                continue
            if last:
                id = last
            if found:
                yield found, id
            if complete or not found or not last:
                return

    async def until(self, stream: Stream, archive: str, at: Millis) -> list[Element]:
        """The last messages up to a time."""
        rsm = xml.element("set", xml.RSM, xml.element("max", xml.RSM, text="50"), xml.element("before", xml.RSM))
        found, _ = await self._ask(stream, archive, xml.form(xml.MAM, end=moment(at + 1000)), rsm)
        return found

    async def since(self, stream: Stream, archive: str, with_: str, at: Millis) -> list[Element]:
        """What was said with somebody since then, the newest."""
        rsm = xml.element("set", xml.RSM, xml.element("max", xml.RSM, text=str(PAGE)), xml.element("before", xml.RSM))
        fields = {"start": moment(at)} | ({} if archive else {"with": with_})
        found, _ = await self._ask(stream, archive, xml.form(xml.MAM, **fields), rsm)
        return found

    async def _page(
        self, stream: Stream, archive: str, id: str, start: Millis | None
    ) -> tuple[list[Element], str, bool]:
        behind = [xml.element("after", xml.RSM, text=id)] if id else []
        rsm = xml.element("set", xml.RSM, xml.element("max", xml.RSM, text=str(PAGE)), *behind)
        filters = [xml.form(xml.MAM, start=moment(start))] if start is not None and not id else []
        found, fin = await self._ask(stream, archive, *filters, rsm)
        paged = xml.find(fin, "set", xml.RSM)
        last = xml.words(paged, "last", xml.RSM) if paged is not None else ""
        return found, last, fin.get("complete") == "true"

    async def _ask(self, stream: Stream, archive: str, *inner: Element) -> tuple[list[Element], Element]:
        number = uuid.uuid4().hex
        found: list[Element] = []
        self._asked[number] = archive, found
        try:
            answer = await stream.ask("set", xml.element("query", xml.MAM, *inner, queryid=number), archive or None)
        finally:
            del self._asked[number]
        fin = xml.find(answer, "fin", xml.MAM)
        return found, fin if fin is not None else xml.element("fin", xml.MAM, complete="true")


__all__ = ["Archive"]
