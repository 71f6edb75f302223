"""An agent's Markdown as the few HTML tags that Telegram reads ("Formatting options"), in messages that it takes.

Quotations do not nest there, and `code` and `pre` hold nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser

from channels.kit.texts import html_of_markdown
from desk.lengths import UTF16, length, split

_TAGS = {"strong": "b", "em": "i", "del": "s", "s": "s", "code": "code"}
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))


def messages(text: str, limit: int) -> list[str]:
    """An agent's Markdown as the HTML of the messages it takes, none longer than `limit` when it is read."""
    room = limit
    while True:
        written = [html_of(piece) for piece in split(text, room, UTF16)]
        if all(units <= limit for _, units in written) or room < 64:
            return [html for html, _ in written]
        # Marks of lists and empty lines between blocks can make a piece longer than its source.
        room = room * 7 // 8


def html_of(text: str) -> tuple[str, int]:
    """Markdown as Telegram's HTML, and how many UTF-16 units are left of it when the tags are read."""
    writer = _Writer()
    writer.feed(html_of_markdown(text))
    writer.close()
    return "".join(writer.html), writer.units


class _Writer(HTMLParser):
    """Tidy HTML in, Telegram's few tags out; what has no tag there is said with characters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.html: list[str] = []
        self.units = 0
        self._gap = 0
        self._begun = False
        self._lists: list[int | None] = []
        self._quotes = 0
        self._pre = False
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        match tag:
            case "table":
                self._rows = []
            case "tr" if self._rows is not None:
                self._rows.append([])
            case "td" | "th" if self._rows:
                self._rows[-1].append("")
            case _ if self._rows is not None:
                pass
            case "p" | "hr":
                self._apart(1 if self._lists else 2)
                if tag == "hr":
                    self._write("———")
                    self._apart(2)
            case "br":
                self._write("\n")
            case "ul" | "ol":
                self._apart(1 if self._lists else 2)
                first = given.get("start") or "1"
                self._lists.append(int(first) if tag == "ol" and first.isdecimal() else 1 if tag == "ol" else None)
            case "li":
                self._apart(1)
                self._write("  " * (len(self._lists) - 1) + self._mark())
                self._begun = True
            case "blockquote":
                self._apart(2)
                self._quotes += 1
                if self._quotes == 1:
                    self._tag("<blockquote>")
                    self._begun = True
            case "pre":
                self._apart(2)
                self._tag("<pre>")
                self._pre = True
            case "a":
                self._tag(f'<a href="{escape(given.get("href") or "")}">')
            case _ if tag in _HEADINGS:
                self._apart(2)
                self._tag("<b>")
            case _ if tag in _TAGS and not (tag == "code" and self._pre):
                self._tag(f"<{_TAGS[tag]}>")

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "table":
                rows, self._rows = self._rows or [], None
                self._apart(2)
                self._tag("<pre>")
                self._write("\n".join(" | ".join(row) for row in rows))
                self.html.append("</pre>")
                self._apart(2)
            case _ if self._rows is not None:
                pass
            case "p":
                self._apart(1 if self._lists else 2)
            case "ul" | "ol":
                self._lists = self._lists[:-1]
                self._apart(1 if self._lists else 2)
            case "blockquote":
                self._quotes -= 1
                if not self._quotes:
                    self.html.append("</blockquote>")
                self._apart(2)
            case "pre":
                self._pre = False
                self.html.append("</pre>")
                self._apart(2)
            case "a":
                self.html.append("</a>")
            case _ if tag in _HEADINGS:
                self.html.append("</b>")
                self._apart(2)
            case _ if tag in _TAGS and not (tag == "code" and self._pre):
                self.html.append(f"</{_TAGS[tag]}>")

    def handle_data(self, data: str) -> None:
        if self._rows is not None:
            if self._rows and self._rows[-1]:
                self._rows[-1][-1] += data.replace("\n", " ").strip()
        elif self._pre:
            self._write(data.removesuffix("\n"))
        else:
            # A line break is a tag by now; what is left of them only makes the source readable.
            self._write(data.replace("\n", ""))

    def _mark(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "• "
        self._lists[-1] += 1
        return f"{self._lists[-1] - 1}. "

    def _apart(self, lines: int) -> None:
        """What follows begins on a line of its own, unless it is the first in its item or quotation."""
        if self.units and not self._begun:
            self._gap = max(self._gap, lines)

    def _tag(self, tag: str) -> None:
        self._fill()
        self.html.append(tag)

    def _write(self, text: str) -> None:
        if text:
            self._fill()
            self.html.append(escape(text, quote=False))
            self.units += length(text, UTF16)

    def _fill(self) -> None:
        self._begun = False
        if self._gap:
            self.html.append("\n" * self._gap)
            self.units += self._gap
            self._gap = 0


__all__ = ["html_of", "messages"]
