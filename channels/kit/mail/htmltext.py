"""HTML as text that reads well in a terminal, with its links numbered.

A fast converter does the work; where it gives up (some thousand nested elements, huge
input) a plain reading of the tree takes over, so that nothing readable is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any, cast

from channels.kit.mail.charsets import storable

if TYPE_CHECKING:
    from html_to_markdown import ConversionOptions

INPUT_CHARACTERS = 2 * 1024 * 1024
DEPTH = 900
TREE_DEPTH = 8_000
ELEMENTS = 150_000
QUOTES_CHARACTERS = 512 * 1024  # beyond so much HTML a mail is not converted a second time
LINKS = 1_000
TARGET_CHARACTERS = 2_000

PICTURES = ("svg",)  # drawn in the page itself, they would become a line of code
_QUOTE_CLASSES = (
    "gmail_attr",
    "gmail_signature",
    "moz-cite-prefix",
    "moz-signature",
    "yahoo_quoted",
    "protonmail_quote",
    "protonmail_signature_block",
    "tutanota_quote",
    "zmail_extra",
    "OutlookMessageHeader",
)
_QUOTE_IDS = (
    "isReplyContent",
    "Signature",
    "ms-outlook-mobile-signature",
    "AppleMailSignature",
    "ymail_android_signature",
)
_QUOTE_NAMES = ("messageReplySection", "messageSignatureSection", "quote")
QUOTES = (
    'blockquote[type="cite"]',
    "blockquote.gmail_quote",  # not its <div>, which also holds what was answered in between
    *(f".{name}" for name in _QUOTE_CLASSES),
    *(f"#{name}" for name in _QUOTE_IDS),
    *(f'div[name="{name}"]' for name in _QUOTE_NAMES),
)
_QUOTE_WORDS = ("cite", "gmail_quote", *_QUOTE_CLASSES, *_QUOTE_IDS, *_QUOTE_NAMES)

# Marks where a line has to begin; the converter alone would put an empty line around each <div>.
_EDGE = "\ue000"
_BLOCK = re.compile(r"<(/?)(div|table|tbody|thead|tfoot|tr|td|th|h[1-6]|ul|ol)\b([^<>]*)>", re.IGNORECASE)
_ANY = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
_OPENING = re.compile(r"<[a-zA-Z][a-zA-Z0-9:]*(?=[\s/])[^<>]*>")
_SHOWN_WORDS = ("max-height", "opacity", "mso-hide")
_UNSEEN = re.compile(
    r"(?<![\w-])(?:(?:max-height|opacity)\s*:\s*0(?:px|em|%|\.0+)?\s*[;!\"'>]|mso-hide\s*:\s*all)", re.IGNORECASE
)
_CLASSES = re.compile(r"""\sclass\s*=\s*(?:"([^"]*)|'([^']*)|([\w-]+))""", re.IGNORECASE)
_SHEET = re.compile(r"<style\b", re.IGNORECASE)
_SHEET_END = re.compile(r"</style\b", re.IGNORECASE)
_BRACE = re.compile(r"([{}])")
_ONE_CLASS = re.compile(r"[a-zA-Z]*\.([\w-]+)")
_NOT_DISPLAYED = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_VOID = frozenset(
    (
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "li",
        "link",
        "meta",
        "option",
        "p",
        "td",
        "th",
        "tr",
        "wbr",
    )
)
_PREFIX = re.compile(r"(?:> ?)*(?: *(?:[-*+]|\d{1,9}\.) )?")
# The converter's guards against marks at the beginning of a line; nobody reads this as Markdown.
_GUARD = re.compile(r"((?:> ?)* {0,8})(?:\\(?=[#+\->=])|(\d{1,9})\\(?=[.)]))")
_TARGET = re.compile(r"(?:https?|mailto|tel|ftp):", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_TAG = re.compile(r"<[^<>]*>")
_CELL_CHARACTERS = 400


class Links:
    """The targets of one mail's links, each with its number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, target: str) -> int | None:
        """The number of `target`; None beyond the cap."""
        if target not in self.numbers and len(self.numbers) >= LINKS:
            return None
        return self.numbers.setdefault(target, len(self.numbers) + 1)

    def listing(self, text: str = "") -> str:
        """The targets line by line; only those that `text` shows, if it is given."""
        shown = [(number, target) for target, number in self.numbers.items() if not text or f"[{number}]" in text]
        return "\n".join(f"[{number}] {target}" for number, target in shown)


def html_text(source: str, links: Links, *, quotes: bool = True) -> str:
    """The readable text of a page; without the containers of quotes and signatures unless `quotes`."""
    source = source[:INPUT_CHARACTERS].replace(_EDGE, "")
    if source.count("<") > ELEMENTS:
        return storable(_stripped(source)) if quotes else ""
    depth = _depth(source)
    text = (
        _converted(_lined(_hidden(source)), links, PICTURES if quotes else PICTURES + QUOTES) if depth <= DEPTH else ""
    )
    if quotes and not text.strip():
        text = _tree_text(source) if depth <= TREE_DEPTH else _stripped(source)
    return storable(_tidied(text))


def holds_quotes(source: str) -> bool:
    """True if the page may hold one of the known containers of quotes or signatures."""
    return any(word in source for word in _QUOTE_WORDS)


# -- the converter -----------------------------------------------------------


def _converted(source: str, links: Links, exclude: tuple[str, ...]) -> str:
    import html_to_markdown

    try:
        return html_to_markdown.convert(source, _options(exclude), cast("Any", _Visitor(links))).content or ""
    except (html_to_markdown.ConversionError, ValueError, RuntimeError):
        return ""


def _options(exclude: tuple[str, ...]) -> ConversionOptions:
    from html_to_markdown import ConversionOptions

    return ConversionOptions(
        autolinks=False,
        bullets="-",
        compact_tables=True,
        exclude_selectors=list(exclude),
        extract_metadata=False,
        newline_style="spaces",
    )


class _Visitor:
    """Writes links as `text [1]` and pictures as their description."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def visit_link(self, _ctx: Any, href: str, text: str, _title: str) -> dict[str, str]:
        words = text.strip()
        target = _SPACE.sub("", href or "")[:TARGET_CHARACTERS]
        target = f"https:{target}" if target.startswith("//") else target
        plain = target.removeprefix("mailto:").removeprefix("tel:")
        if not words.replace(_EDGE, "") or words in (target, plain) or not _TARGET.match(target):
            return {"type": "custom", "output": text}
        number = self._links.number(target)
        return {"type": "custom", "output": text if number is None else f"{text} [{number}]"}

    def visit_image(self, _ctx: Any, _src: str, alt: str, _title: str) -> dict[str, str]:
        return {"type": "custom", "output": f"[{alt}]" if alt and alt.strip() else ""}


# -- the source --------------------------------------------------------------


def _depth(source: str) -> int:
    """How deep elements may nest, counted only as far as it matters."""
    if source.count("<") <= DEPTH:
        return 0
    depth = deepest = 0
    for closing, name in _ANY.findall(source):
        if name.lower() not in _VOID:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _hidden(source: str) -> str:
    """`source` with the attribute `hidden` wherever its style hides an element in a way that the converter misses."""
    classes = _hidden_classes(source)
    if not classes and not any(word in source for word in _SHOWN_WORDS):
        return source

    def mark(match: re.Match[str]) -> str:
        tag = match[0]
        own = _CLASSES.search(tag) if classes and "display" not in tag else None
        if _UNSEEN.search(tag) or (own and not classes.isdisjoint((own[1] or own[2] or own[3] or "").split())):
            return tag[: -2 if tag.endswith("/>") else -1] + " hidden>"
        return tag

    return _OPENING.sub(mark, source)


def _hidden_classes(source: str) -> set[str]:
    """The classes that the page's style sheets do not display, on whatever screen."""
    found: set[str] = set()
    for sheet in _sheets(source):
        depth, selectors = 0, ""
        pieces = iter(_BRACE.split(sheet))
        for words, brace in zip(pieces, pieces, strict=False):
            if brace == "{":
                selectors = selectors if depth else words
                depth += 1
                continue
            if depth == 1 and _NOT_DISPLAYED.search(words):
                names = (_ONE_CLASS.fullmatch(one.strip()) for one in selectors.rpartition("*/")[2].split(","))
                found.update(name[1] for name in names if name)
            depth = max(0, depth - 1)
    return found


def _sheets(source: str) -> Iterator[str]:
    """The style sheets of a page; what stands in comments is for one program only."""
    at, begin = 0, _SHEET.search(source)
    while begin:
        comment = source.find("<!--", at, begin.start())
        if comment >= 0:
            close = source.find("-->", comment + 2)  # <!--> is a whole comment
            at = close + 3 if close >= 0 else len(source)
        else:
            end = _SHEET_END.search(source, begin.end())
            at = end.start() if end else len(source)
            yield source[begin.end() : at].partition(">")[2]
        if at > begin.start():
            begin = _SHEET.search(source, at)


def _lined(source: str) -> str:
    """`source` with its <div>s, and tables that only lay out the page, as lines of text."""
    layout = _layout(source)

    def line(match: re.Match[str]) -> str:
        closing, name, rest = match[1], match[2].lower(), match[3]
        if name == "div" or (match.start() in layout and name in ("table", "tr", "td", "th")):
            return f"</span>{_EDGE}" if closing else f"{_EDGE}<span{rest}>"
        return "" if match.start() in layout else match[0]

    return _BLOCK.sub(line, source)


@dataclass(slots=True)
class _Table:
    """One open table: where its tags stand, how many of each, and whether it only lays out the page."""

    lays_out: bool
    tags: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def _layout(source: str) -> set[int]:
    """Where the tags stand of tables that hold no data: nested ones, single columns, long cells."""
    layout: set[int] = set()
    opened: list[_Table] = []
    for match in _BLOCK.finditer(source):
        closing, name = match[1], match[2].lower()
        if name == "table" and not closing:
            if opened:
                opened[-1].lays_out = True
            opened.append(_Table("presentation" in match[3]))
        if not opened or name == "div":
            continue
        table = opened[-1]
        if name.startswith("t"):
            table.tags.append(match.start())
        if not closing:
            table.counts[name if name.startswith("t") else "block"] += 1
        elif name == "table":
            opened.pop()
            if table.lays_out or not _is_data(table.counts, match.end() - table.tags[0]):
                layout.update(table.tags)
    return layout.union(*(table.tags for table in opened))


def _is_data(counts: Counter[str], characters: int) -> bool:
    """A table of at least two rows and columns with short cells and no blocks inside."""
    rows, cells = counts["tr"], counts["td"] + counts["th"]
    return rows >= 2 and cells >= 2 * rows and not counts["block"] and characters < cells * _CELL_CHARACTERS


# -- the text ----------------------------------------------------------------


def _tidied(text: str) -> str:
    """Lines broken at the marks, no spaces at their ends, at most one empty line in a row."""
    out: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip()
        if "\\" in line and (guard := _GUARD.match(line)):
            line = guard[1] + (guard[2] or "") + line[guard.end() :]
        for piece in _pieces(line) if _EDGE in line else (line,):
            if piece.strip("> ") or not out or out[-1].strip("> "):
                out.append(piece)
            elif len(piece) < len(out[-1]):
                out[-1] = piece  # the end of a quote and the gap behind it are one gap
    while out and not out[-1].strip("> "):
        out.pop()
    return "\n".join(out).strip("\n")


def _pieces(line: str) -> list[str]:
    """The lines that one line with marks stands for."""
    if line.startswith("|"):
        return [_SPACE.sub(" ", line.replace(_EDGE, " "))]
    prefix = _PREFIX.match(line)
    head = prefix[0] if prefix else ""
    quote = head[: head.rfind(">") + 1]
    words = [piece.strip() for piece in line[len(head) :].split(_EDGE)]
    full = [piece for piece in words if piece]
    indent = head if quote.strip() == head.strip() else quote + " " * (len(head) - len(quote))
    lines = [(head if number == 0 else indent) + piece for number, piece in enumerate(full)]
    # A mark at the end means that the line break behind it stood on a line of its own.
    return lines if words[-1] else [*lines, quote]


# -- where the converter gives up --------------------------------------------


def _tree_text(source: str) -> str:
    """The text of the page's tree, a line for each element."""
    from selectolax.lexbor import LexborHTMLParser

    try:
        tree = LexborHTMLParser(source)
        tree.strip_tags(["script", "style", "head", "template", "noscript"])
        return tree.body.text(separator="\n", strip=True) if tree.body else ""
    except (ValueError, RuntimeError, UnicodeError):
        return _stripped(source)


def _stripped(source: str) -> str:
    """The page with its tags taken out: for nesting on which a tree would take minutes."""
    lines = (_SPACE.sub(" ", line).strip() for line in _TAG.sub("\n", source).split("\n"))
    return unescape("\n".join(line for line in lines if line))
