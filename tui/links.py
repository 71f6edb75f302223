"""Links in messages: where each really leads, and a letter to call it by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from desk.model import Kind, Message

_PLAIN = re.compile(r"(?:https?|ftp)://[^\s<>\"“”‘’«»|\\^`{}\x00-\x1f\x7f-\x9f]{1,2000}")
_LISTED = re.compile(r"\[(\d{1,4})\] ((?:https?|mailto|tel|ftp):\S+)", re.IGNORECASE)
_NUMBERED = re.compile(r" \[(\d{1,4})\]")
_TRAILING = ".,;:!?'*_…"
_PAIRS = {")": "(", "]": "[", ">": "<"}
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,8}([a-z]{2,24})")
_FILES = frozenset(["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "txt", "log", "csv", "html", "htm", "png", "jpg", "jpeg", "gif", "svg", "zip", "gz", "tar", "exe", "js", "py", "md", "json", "xml", "yaml", "eml"])  # fmt: skip
_WORDS = 160


class Link(Struct, frozen=True):
    """Where something leads; `letter` names it on the screen, `doubt` says what is wrong with how it is shown."""

    letter: str
    target: str
    doubt: str = ""


class Item(Struct, frozen=True):
    """A message with what is numbered through its ticket: `first` is the number of its first attachment."""

    message: Message
    first: int = 1
    links: tuple[Link, ...] = ()


def items(thread: Sequence[Message]) -> list[Item]:
    """The messages of a conversation; a target that comes again keeps its letter."""
    letters: dict[str, str] = {}
    found, number = [], 1
    for message in thread:
        links = []
        for target, doubt in _targets(message):
            letter = letters.setdefault(target, letter_of(len(letters)))
            links.append(Link(letter, target, doubt))
        found.append(Item(message, number, tuple(links)))
        number += sum(not attachment.inline for attachment in message.attachments)
    return found


def letter_of(number: int) -> str:
    """`a` to `z`, then `aa`, `ab`, ..."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def shown(item: Item, text: str) -> tuple[str, list[Link]]:
    """`text` of the message as it is to be read, and the links that it shows."""
    if not item.links:
        return text, []
    by_target = {link.target: link for link in item.links}
    place = _place(item.message)
    if not item.message.html:
        targets = dict.fromkeys([*_plain(text), *place])
        return text, [by_target[target] for target in targets if target in by_target]
    body, listed = _unlisted(text)
    body = _NUMBERED.sub(lambda hit: f" [{by_target[listed[hit[1]]].letter}]" if hit[1] in listed else hit[0], body)
    targets = dict.fromkeys([*listed.values(), *_plain(body), *place])
    return body, [link for link in item.links if link.target in targets]


def host(target: str) -> str:
    """The host that a target leads to; "" where it has none."""
    try:
        return (urlsplit(target).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _targets(message: Message) -> Iterator[tuple[str, str]]:
    """Each target in a message once, with what is to be said against it."""
    if message.kind is Kind.SYSTEM and not message.html:
        return
    text, listed = _unlisted(message.text) if message.html else (message.text, {})
    seen: set[str] = set()
    if listed:
        before = _words_before(text)
        for number, target in listed.items():
            if target not in seen:
                seen.add(target)
                yield target, _odd(target, before.get(number, ""))
    for target in _plain(text):
        if target not in seen:
            seen.add(target)
            yield target, _odd(target, "")
    for target in _place(message):
        if target not in seen:
            yield target, _odd(target, "")


def _place(message: Message) -> tuple[str, ...]:
    """Where the message itself stands for everybody to read: the address of a post."""
    return (message.link,) if message.link and _PLAIN.fullmatch(message.link) else ()


def _plain(text: str) -> Iterator[str]:
    """The addresses that stand in a text as such, without the point or bracket behind them."""
    if "://" not in text:
        return
    for hit in _PLAIN.finditer(text):
        target = hit[0]
        while target[-1] in _TRAILING or (
            target[-1] in _PAIRS and target.count(_PAIRS[target[-1]]) < target.count(target[-1])
        ):
            target = target[:-1]
        if not target.endswith("/" * 2):
            yield target


def _unlisted(text: str) -> tuple[str, dict[str, str]]:
    """A text that was HTML without the list of targets below it, and the list: numbers as written, with their targets."""
    if "\n[" not in text and not text.startswith("["):
        return text, {}
    lines = text.split("\n")
    end = len(lines)
    while end and not _LISTED.fullmatch(lines[end - 1]):
        end -= 1
    begin = end
    while begin and _LISTED.fullmatch(lines[begin - 1]):
        begin -= 1
    if begin == end:
        return text, {}
    listed: dict[str, str] = {}
    for line in lines[begin:end]:
        if hit := _LISTED.fullmatch(line):
            listed[hit[1]] = hit[2]
    return "\n".join((*lines[:begin], *lines[end:])).strip("\n"), listed


def _words_before(text: str) -> dict[str, str]:
    """What stands on its line before the first mention of each number, back to the number before it."""
    found: dict[str, str] = {}
    after = 0
    for hit in _NUMBERED.finditer(text):
        begin = max(after, hit.start() - _WORDS, text.rfind("\n", max(0, hit.start() - _WORDS), hit.start()) + 1)
        found.setdefault(hit[1], text[begin : hit.start()])
        after = hit.end()
    return found


def _odd(target: str, words: str) -> str:
    """What is wrong with a link: that its words name another host, or that its host only looks like one."""
    really = host(target)
    if not really:
        return ""
    if (named := _named(words)) and not _same(named, really):
        return f"goes to {really}, not to {named}"
    if not really.isascii():
        try:
            return f"is {really.encode('idna').decode()}"
        except UnicodeError:
            return "has a host that cannot be"
    if "xn--" in really:
        return f"is written in other letters ({really})"
    if "@" in urlsplit(target).netloc:
        return f"goes to {really}, whatever stands before the @"
    return ""


def _named(words: str) -> str:
    """The host that the words of a link name, if they do."""
    pieces = words.replace("*", " ").replace("`", " ").split()[-3:]
    for place, piece in enumerate(reversed(pieces)):
        piece = piece.strip("()[]<>«»\"'.,;:!").lower()
        certain = "://" in piece or piece.startswith("www.")
        # Where the words of a link begin is not known: what stands farther off has to look like a host.
        if place and not piece.startswith("www."):
            continue
        name = host(piece if "://" in piece else f"http://{piece}")
        if (hit := _DOMAIN.fullmatch(name)) and "@" not in piece and (certain or hit[1] not in _FILES):
            return name
    return ""


def _same(named: str, really: str) -> bool:
    """Whether one is the other, or a part of it."""
    named, really = named.removeprefix("www."), really.lower().removeprefix("www.")
    return named == really or really.endswith(f".{named}") or named.endswith(f".{really}")
