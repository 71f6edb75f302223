"""Text of messages as lines: Markdown where there is some, plain text as it is.

What somebody typed keeps all its signs, and they are only drawn as what they mean: a `*` may belong to
a log. What was HTML has no signs but those of the conversion, which go. Each line is looked at
once, and nothing is looked for further than a line, but the end of a block of code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells

from tui.draw import breaks, cut, neat, pad

Parts = tuple[tuple[str, str], ...]
"""A line: pieces of text, each with the style that lies over that of the message ("" for none)."""

_LONGEST = 2_000
"""Characters of a line beyond which nobody stressed anything by hand."""
_ROWS, _COLUMNS = 200, 12

_FENCE = re.compile(r" {0,3}(`{3,9}|~{3,9}) *([\w+#.-]{0,20})")
_LEAD = re.compile(r"\s*(?:(?:[-*+\u2022\u2013\u00b7]|\(?\d{1,3}[.)])\s+(?=\S))?")
_QUOTE = re.compile(r"\s{0,3}(?:> ?)+")
_HEADING = re.compile(r"#{1,6} +(?=\S)")
_RULED = re.compile(r"(?:---+|\*\*\*+|___+)")
_COLUMN = re.compile(r"\s*:?-+:?\s*")
_CELL = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[^\w]{0,3}\d[\d.,: ]*[^\w]{0,3}")
_STRESS = re.compile(
    r"(?P<code>(?<![\w`])(?P<c>`{1,2})(?!`)[^`]{1,300}(?P=c)(?![\w`]))"
    r"|(?P<strong>(?<![\w*\\])(?P<s>\*{2,3})(?![\s*])[^*]{1,300}(?<!\s)(?P=s)(?![\w*]))"
    r"|(?P<emphasis>(?<![\w*/.\\])\*(?![\s*.])[^*]{1,300}(?<!\s)\*(?![\w*/.])|(?<![\w_/.\\])_(?![\s_])[^_]{1,300}(?<!\s)_(?![\w_/]))"
)


def read(text: str, width: int, *, typed: bool = True) -> Iterator[Parts]:
    """The lines of `text`, none wider than `width` cells; `typed` is False for what was HTML."""
    width = max(8, width)
    lines = list(neat(text))
    at, barren = 0, {"`": 10, "~": 10}
    while at < len(lines):
        line = lines[at]
        if not line:
            yield ()
        elif (end := _code_end(lines, at, barren)) is not None:
            yield from _code(lines[at + 1 : end], width)
            at = end
        elif line[0] == "|" and _is_table(lines, at):
            end = next((i for i in range(at, len(lines)) if not lines[i].startswith("|")), len(lines))
            yield from _table(lines[at:end], width, typed)
            at = end - 1
        else:
            alone = (not at or not lines[at - 1]) and (at + 1 == len(lines) or not lines[at + 1])
            yield from _line(line, width, typed, alone)
        at += 1


# -- lines ------------------------------------------------------------------------


def _line(line: str, width: int, typed: bool, alone: bool) -> Iterator[Parts]:
    if line[0] not in "> #-*_" and not _stressed(line) and (len(line) * 2 <= width or cell_len(line) <= width):
        yield ((line, ""),)
        return
    if line[0] in "> " and (quote := _QUOTE.match(line)):
        yield from _hung(line, width, quote[0], (), "quoted")
        return
    if line[0] == "#" and (sign := _HEADING.match(line)) and (alone or not typed):
        if not typed:
            line, _ = _stresses(line[sign.end() :].rstrip("# "), typed)
        yield from _hung(line, width, "", (), "strong")
        return
    if not typed and _RULED.fullmatch(line):
        yield (("─" * min(width, 40), "rule"),)
        return
    lead = _LEAD.match(line)
    hang = lead.end() if lead else 0
    if hang > width // 2:
        hang = 0
    bare, stresses = _stresses(line, typed)
    yield from _hung(bare, width, " " * cell_len(bare[:hang]), stresses, "")


def _hung(line: str, width: int, lead: str, stresses: Sequence[tuple[int, int, str]], style: str) -> Iterator[Parts]:
    """`line` in as many lines as it takes; those after the first begin with `lead`."""
    if cell_len(lead) > width // 2:
        lead = lead[:2]
    first = True
    for start, end in breaks(line, width, width - cell_len(lead)):
        parts = tuple(_styled(line, start, end, stresses, style))
        yield parts if first or not lead else ((lead, style), *parts)
        first = False


def _styled(
    line: str, start: int, end: int, stresses: Sequence[tuple[int, int, str]], style: str
) -> Iterator[tuple[str, str]]:
    for begin, until, stress in stresses:
        if until <= start or begin >= end:
            continue
        if begin > start:
            yield line[start:begin], style
        yield line[max(begin, start) : min(until, end)], stress
        start = min(until, end)
    if start < end:
        yield line[start:end], style


def _stressed(line: str) -> bool:
    return "*" in line or "_" in line or "`" in line


def _stresses(line: str, typed: bool) -> tuple[str, list[tuple[int, int, str]]]:
    """`line`, without signs unless they were `typed`, and where in it something is stressed."""
    if not _stressed(line) or len(line) > _LONGEST:
        return line, []
    found: list[tuple[int, int, str]] = []
    bare, after = "", 0
    for hit in _STRESS.finditer(line):
        style = hit.lastgroup or ""
        # The signs of code stay: where there are no colours nothing else tells it.
        sign = 0 if typed or style == "code" else len(hit["s"]) if style == "strong" else 1
        bare += line[after : hit.start()]
        inside = line[hit.start() + sign : hit.end() - sign]
        found.append((len(bare), len(bare) + len(inside), style))
        bare, after = bare + inside, hit.end()
    return bare + line[after:], found


# -- code ---------------------------------------------------------------------------


def _code_end(lines: Sequence[str], at: int, barren: dict[str, int]) -> int | None:
    """Where the block of code that begins `at` ends; None where none does.

    `barren` remembers for each sign how long a beginning was that had no end, so that the rest of a
    text is not looked through again and again.
    """
    line = lines[at]
    if ("```" not in line and "~~~" not in line) or not (fence := _FENCE.fullmatch(line)):
        return None
    sign = fence[1]
    if len(sign) >= barren[sign[0]]:
        return None
    for end in range(at + 1, len(lines)):
        line = lines[end].strip()
        if line.startswith(sign) and not line.strip(sign[0]):
            return end
    barren[sign[0]] = len(sign)
    return None


def _code(lines: Sequence[str], width: int) -> Iterator[Parts]:
    """Code, never broken between words: what goes on has a broken rule before it."""
    room = width - 2
    for line in lines:
        for number, piece in enumerate(chop_cells(line, room) or [""]):
            yield (("┆ " if number else "│ ", "rule"), (pad(piece, room) if piece else " " * room, "code"))


# -- tables -------------------------------------------------------------------------


def _is_table(lines: Sequence[str], at: int) -> bool:
    """Whether a table begins there: a line of titles, and one of dashes."""
    if at + 1 >= len(lines) or "-" not in lines[at + 1]:
        return False
    dashes = _cells(lines[at + 1])
    return len(dashes) > 1 and len(dashes) <= _COLUMNS and all(_COLUMN.fullmatch(cell) for cell in dashes)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().strip("|"), _COLUMNS)]


def _table(lines: Sequence[str], width: int, typed: bool) -> Iterator[Parts]:
    """A table in columns; one that is too wide as its rows, with the titles before what stands under them."""
    rows = [[_stresses(cell, typed)[0] for cell in _cells(line)] for line in (lines[0], *lines[2:_ROWS])]
    count = max(map(len, rows))
    rows = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(count)]
    if sum(widths) + 3 * (count - 1) <= width:
        right = [all(_NUMBER.fullmatch(row[i]) for row in rows[1:] if row[i]) and len(rows) > 1 for i in range(count)]
        # A page that has no titles has a row of data in their place.
        titled = any(rows[0]) and not any(_NUMBER.fullmatch(cell) for cell in rows[0])
        for number, row in enumerate(rows):
            if number or any(row):
                cells = [pad(cell, size, right=r) for cell, size, r in zip(row, widths, right, strict=True)]
                yield tuple(_joined(cells, "strong" if titled and not number else ""))
            if titled and not number:
                yield (("─┼─".join("─" * size for size in widths), "rule"),)
    else:
        titles = [cut(title, width // 3) for title in rows[0]]
        for number, row in enumerate(rows[1:]):
            if number:
                yield ()
            for title, cell in zip(titles, row, strict=True):
                if cell:
                    lead = f"{title}: " if title else ""
                    yield from _hung(lead + cell, width, "  ", [(0, len(lead), "strong")], "")
    for line in lines[_ROWS:]:
        yield from _line(line, width, typed, alone=False)


def _joined(cells: Sequence[str], style: str) -> Iterator[tuple[str, str]]:
    for number, cell in enumerate(cells):
        if number:
            yield " │ ", "rule"
        yield cell, style
