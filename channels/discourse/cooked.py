"""A post as Discourse shows it (its "cooked" HTML) as people read it: quotes aside, files found, links whole."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from channels.kit.texts import text_of_html

ELEMENTS = 5_000
"""HTML with more elements than a post can have is read without looking for quotes and files."""

_INSIDE = re.compile(r"<(?=[a-zA-Z])")


class Named(Struct, frozen=True):
    """A file that a post names: what it is called there, and where it is."""

    name: str
    url: str


class Cooked(Struct, frozen=True):
    """What a post says, what of it is new (without the quotes), and the files in it."""

    text: str
    visible: str
    files: tuple[Named, ...] = ()


def read(html: str, base: str) -> Cooked:
    """`html` understood; `base` is the forum's address, for links that do not say it."""
    if len(_INSIDE.findall(html)) > ELEMENTS:
        text = text_of_html(html)
        return Cooked(text, text)
    from selectolax.lexbor import LexborHTMLParser

    try:
        tree = LexborHTMLParser(f"<body>{html}</body>")
        files = _tidied(tree, base)
        whole = _body(tree)
        quotes = tree.css("aside.quote")
        for quote in quotes:
            quote.decompose()
        text = text_of_html(whole)
        visible = text_of_html(_body(tree)) if quotes else text
    except (ValueError, RuntimeError, UnicodeError):
        text = text_of_html(html)
        return Cooked(text, text)
    return Cooked(text, visible or text, files)


def _body(tree: Any) -> str:
    return (tree.body.inner_html if tree.body else "") or ""


def _tidied(tree: Any, base: str) -> tuple[Named, ...]:
    """Take away what only decorates, write links in full, and say which files there are."""
    files: dict[str, Named] = {}
    for picture in tree.css("img.emoji"):
        picture.replace_with(_attribute(picture, "alt") or _attribute(picture, "title"))
    for person in tree.css("a.mention, a.mention-group, a.hashtag, a.hashtag-cooked"):
        person.unwrap()
    for box in tree.css("div.lightbox-wrapper"):
        link = box.css_first("a.lightbox")
        if link is None:
            continue
        found = _named(link, _attribute(link, "title"), base)
        files[found.url] = found
        box.replace_with(f"[{found.name}]")
    for link in tree.css("a.attachment"):
        found = _named(link, link.text(strip=True), base)
        files[found.url] = found
        link.replace_with(f"[{found.name}]")
    for picture in tree.css("img"):
        target = _attribute(picture, "src")
        if "/uploads/" in target and not _classes(picture) & {"avatar", "thumbnail", "site-icon"}:
            found = _named(picture, _attribute(picture, "alt"), base, "src")
            files[found.url] = found
    for one in tree.css("div.quote-controls, img.avatar, img.site-icon, svg"):
        one.decompose()
    for link in tree.css("a[href]"):
        link.attrs["href"] = _whole(_attribute(link, "href"), base)
    return tuple(files.values())


def _named(node: Any, name: str, base: str, attribute: str = "href") -> Named:
    url = _whole(_attribute(node, attribute), base)
    last = _path(url).rpartition("/")[2]
    name = name.strip() or last or "file"
    # A picture is called by its description, which says nothing of its type.
    ending = last.rpartition(".")[2] if "." in last else ""
    return Named(name if "." in name or not ending else f"{name}.{ending}", url)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # brackets that are no IPv6 address
        return ""


def _whole(url: str, base: str) -> str:
    try:
        return urljoin(f"{base.rstrip('/')}/", url)
    except ValueError:  # brackets that are no IPv6 address
        return url


def _attribute(node: Any, name: str) -> str:
    return str(node.attributes.get(name) or "")


def _classes(node: Any) -> set[str]:
    return set(_attribute(node, "class").split())


__all__ = ["Cooked", "Named", "read"]
