"""A post as people read it: the warning first, the text with its links whole, the poll, what pictures show."""

from __future__ import annotations

import re

from channels.kit.fields import string, table, tables
from channels.kit.texts import text_of_html
from channels.mastodon.server import Fields

WARNING = "CW: "
"""How the first line begins that warns of the rest, on both ways."""

ELEMENTS = 5_000

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\((\S+?)\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^ {0,3}#{1,6} +")
_INSIDE = re.compile(r"<(?=[a-zA-Z])")
_WARNED = re.compile(r"\ACW: *(\S[^\n]*)(?:\n+|\Z)")


def text_of(status: Fields) -> str:
    """All that a post says."""
    warning = " ".join(string(status, "spoiler_text").split())
    options = [f"- {string(one, 'title')}" for one in tables(table(status, "poll"), "options")]
    parts = [f"{WARNING}{warning}" if warning else "", content(status), "\n".join(options)]
    return "\n\n".join(part for part in parts if part)


def content(status: Fields) -> str:
    """The text of a post, people in it with their servers."""
    html = string(status, "content")
    if len(_INSIDE.findall(html)) > ELEMENTS:
        return text_of_html(html)
    from selectolax.lexbor import LexborHTMLParser

    people = {string(one, "url"): string(one, "acct") for one in tables(status, "mentions")}
    try:
        tree = LexborHTMLParser(f"<body>{html}</body>")
        for link in tree.css("a.mention, a.hashtag"):
            name = people.get(link.attributes.get("href") or "")
            link.replace_with(f"@{name}" if name else link.text())
        return text_of_html((tree.body.inner_html if tree.body else "") or "")
    except (ValueError, RuntimeError, UnicodeError):
        return text_of_html(html)


def warned(text: str) -> tuple[str, str]:
    """A warning in the first line of what an agent wrote, and the rest."""
    found = _WARNED.match(text)
    return (found[1].strip(), text[found.end() :]) if found else ("", text)


def plain(markdown: str) -> str:
    """An agent's Markdown as text that is shown as it is; code stays as it was written."""
    lines: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        edge = _FENCE.match(line)
        if edge and (not fence or edge[1].startswith(fence)):
            fence = "" if fence else edge[1]
        elif fence:
            lines.append(line)
        else:
            line = _LINK.sub(lambda m: m[2] if m[1] == m[2] else f"{m[1]} ({m[2]})", _HEADING.sub("", line))
            lines.append(_STRONG.sub(r"\2", line))
    return "\n".join(lines).strip("\n")


__all__ = ["WARNING", "content", "plain", "text_of", "warned"]
