"""What the sender wrote this time: a mail's text without quotes and signature.

One linear pass over lines. Lines are looked at up to 400 characters and 600 lines deep;
of what lies beyond, only lines that are marked as quotes go. Nothing is deleted from the
mail: screens fold the difference between `text` and `visible`.
"""

from __future__ import annotations

import re

from channels.kit.mail import quotewords as words

LINES = 600
LINE_CHARACTERS = 400
_SIGNATURE_LINES = 20
_ATTRIBUTION_LINES = 4
_ATTRIBUTION_CHARACTERS = 500
_BLOCK_LINES = 8
_LABELS_NEEDED = 3
_FOOTER_LINES = 12
_SCRAPS = " *_\xa0"
_HYPHENS = "-\u2010\u2011"
_TURNS = "\u200e\u200f\u202a-\u202e\u2066-\u2069"
_DIRECTIONS = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

_WROTE = re.compile(rf"(?:(?<![^\W\d_])(?:{words.WROTE})(?![^\W\d_]))")
_WROTE_LAST = re.compile(r"(?:写道|寫道|님이 작성|のメール|書きました)")
_OPENS = re.compile(rf"(?:{words.OPENS})[\s.,]|\d{{4}}[-/年.]|\d{{1,2}}[./ ]")
_ADDRESS = r"[<(\[][^<>()\[\]@\s]{1,100}@[^<>()\[\]@\s]{1,200}"
_STAMPED = re.compile(rf"\d{{1,2}}[:.]\d{{2}}(?!\d)|{_ADDRESS}|\d{{4}}")
_DATED = re.compile(rf"\d{{1,4}}.*\d|{_ADDRESS}")
_DATE_FIRST = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[ ,T]")
_ZONED = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)[+-]\d{1,2}:\d\d \S")
_MAILED = re.compile(rf"(?=.*(?<!\d)\d{{1,2}}[:.]\d{{2}}(?!\d))(?=.*(?<!\d)\d{{4}}(?!\d)).*{_ADDRESS}[>)\]] ?[:：]$")
_BARE_WROTE = re.compile(rf"(?=.*\d{{4}}).*{_ADDRESS}.*\bwrote$")
_MIDDLE = re.compile(r"(?<=[^\s>]) ?-{0,6} ?\bOn (?=[A-Z0-9][^\n]{8,200} wrote:$)")
_DASHED = re.compile(rf"-{{2,}}+(?!$).{{0,200}}(?:{words.WROTE}).{{0,100}}-{{2,}}\s*:?")
_ORIGINAL = re.compile(rf"[*_]*+[{_HYPHENS}]{{2,}}+\s*+(?:{words.ORIGINAL})\s*[{_HYPHENS}]{{2,}}[*_]*")
_FORWARD = re.compile(rf"(?:[{_HYPHENS}]{{2,}}\s*(?:{words.FORWARDED})|{words.FORWARDED_APPLE})")
_FROM = re.compile(rf"[ *_]*(?:{words.FROM})\s?[*_]*\s?[:：]")
_DATE = re.compile(rf"[ *_]*(?:{words.DATED})\s?[*_]*\s?[:：].{{0,300}}\d")
_LABEL = re.compile(rf"[ *_]*(?:{words.FROM}|{words.DATED}|{words.OTHERS})\s?[*_]*\s?[:：]")
_RULE = re.compile(r"\s*(?:[_-]{3,}|(?:\* ?){3,}|[=─—–]{4,})\s*")
_FOOTER = re.compile(r"_{20,}\s*")
_REPLY_ABOVE = re.compile(
    r"\W*(?:please )?(?:type|write|reply)?[\w ]{0,20}\b(?:reply|type|write)[\w ]{0,20} above this line\b", re.IGNORECASE
)
_PHONE = re.compile("|".join(words.PHONE))
_NAME = re.compile(r"[-–—~] ?[^\W\d_][^\W\d]*\.?(?: [^\W\d_][^\W\d]*\.?){0,2}")

_RULERS = frozenset("_*=" + _HYPHENS)
_EDGES = frozenset(">＞|–—~:：") | _RULERS
_COLONS = (":", "：")
_QUOTE = (">", "＞", "|>", " >", "  >")
_PHONE_HEADS = "|".join(dict.fromkeys(re.split(r"\W", phrase)[0] for phrase in words.PHONE))
_PHONE_SCRAPS = " *_[]().<>\t\xa0"
_LABEL_CHARACTERS = 40
# One look at a line: how it begins, a label's colon, a date, an address, a telephone's words.
_MARK = re.compile(
    r"[\s>＞|–—~_*=:：-]|[^:：]{0,39}+[:：]|(?![a-z])[^0-9]{0,39}+[0-9]|[a-z]{2,3}[.,]? [0-9]|[^@]{0,399}+@"
    rf"|[\[(<{_TURNS}]*+(?:{'|'.join(f'[{head[0]}{head[0].upper()}]{head[1:]}' for head in _PHONE_HEADS.split('|'))})"
)


def visible(text: str) -> str:
    """`text` without quotes and signature; `text` itself if there are none, or if nothing would remain."""
    lines = text.split("\n")
    kept = _kept(lines[:LINES]) + [line for line in lines[LINES:] if not line.startswith(_QUOTE)]
    if len(kept) == len(lines) and kept[: LINES + 1] == lines[: LINES + 1]:
        return text
    while kept and (not kept[-1].strip() or _RULE.fullmatch(kept[-1])):
        kept.pop()  # the ruler above what was cut off
    shown = "\n".join(_squeezed(kept)).strip("\n")
    return shown if shown.strip() else text


def _kept(lines: list[str]) -> list[str]:
    """The lines of their own. A cut that reaches to the end leaves everything below it out."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or not _may_mark(line):
            kept.append(line)
            at += 1
            continue
        if (line[0] in _HYPHENS or line[-1] in _COLONS) and _FORWARD.match(line.lower()):
            return kept + lines[at:]  # what was forwarded is what they want to show
        if not _has_words(kept) and (shown := _header_on_top(lines, at)):
            kept += lines[at : at + shown]
            at += shown
            continue
        skip = 1 if line[0] == ">" else _skip(lines, at, kept)
        if not skip:
            kept.append(_unshared(lines, at))
        at += skip or 1
    return kept


def _may_mark(line: str) -> bool:
    """False for lines that can be nobody's mark: most lines end here."""
    return (
        line[-1] in _EDGES or _MARK.match(line) is not None or (not line.isascii() and line.endswith(words.PHONE_LAST))
    )


def _is_phone(line: str) -> bool:
    """True for "Sent from my phone"."""
    bare = _bare(line).strip(_PHONE_SCRAPS).lower()
    return _PHONE.fullmatch(bare) is not None or (len(bare) < 60 and bare.endswith(words.PHONE_LAST))


def _skip(lines: list[str], at: int, kept: list[str]) -> int:
    """How many lines from `at` on are not the sender's own words now; 0 if this one is."""
    line = lines[at][:LINE_CHARACTERS]
    if line.isspace():
        return 0
    if line.startswith(_QUOTE):
        return 1
    if line.rstrip() in ("--", "—", "- --"):
        return _signature(lines, at, kept)
    if (line[0] in _RULERS or line[-1] in _RULERS) and (cut := _separator(lines, at, line, kept)):
        return cut
    if _shared(lines, at):
        return 0
    if (count := _attribution(lines, at)) and (quoted := _quoted_below(lines, at + count, kept)):
        return count + quoted
    head = line[:_LABEL_CHARACTERS]
    if (":" in head or "：" in head) and _begins_header(line):
        return _header_block(lines, at, kept)
    return _small(lines, at, line, kept)


def _has_words(kept: list[str]) -> bool:
    return any(line and not line.isspace() for line in kept)


# -- signatures ----------------------------------------------------------------


def _signature(lines: list[str], at: int, kept: list[str]) -> int:
    """From the line "-- " down to a quote or the end, if that is no longer than a signature."""
    if not _has_words(kept):
        return 0
    filled = 0
    for number in range(at + 1, len(lines)):
        line = lines[number][:LINE_CHARACTERS]
        if line and _may_mark(line) and _ends_signature(lines, number, line):
            return number - at
        filled += bool(line.strip())
        if filled > _SIGNATURE_LINES:
            return 0
    return len(lines) - at


def _ends_signature(lines: list[str], at: int, line: str) -> bool:
    if line.startswith(_QUOTE) or _attribution(lines, at):
        return True
    low = line.strip().lower()
    return _ORIGINAL.match(low) is not None or _FROM.match(low) is not None


def _small(lines: list[str], at: int, line: str, kept: list[str]) -> int:
    """The last line of a telephone's mail, "-Max" at the end, and our own "reply above this line"."""
    if "above this line" in line and _REPLY_ABOVE.match(line):
        return len(lines) - at if _has_words(kept) else 1
    if len(line) >= 160 or not _has_words(kept):
        return 0
    if _is_phone(line) and _ends_here(lines, at + 1):
        return 1
    signed = line[0] in "-–—~" and not kept[-1].strip() and _NAME.fullmatch(line.rstrip()) is not None
    return 1 if signed and _ends_here(lines, at + 1) else 0


def _ends_here(lines: list[str], at: int) -> bool:
    """True if only a quote or more of a signature follows, or nothing."""
    below = _next_filled(lines, at)
    if below == len(lines) or _attribution(lines, below):
        return True
    line = lines[below][:LINE_CHARACTERS]
    return line.startswith((*_QUOTE, "--", "__")) or _FROM.match(line.lower()) is not None or _is_phone(line)


# -- copied mails --------------------------------------------------------------


def _header_on_top(lines: list[str], at: int) -> int:
    """How many lines the title and header of a copied mail take, above which they wrote nothing."""
    title = _ORIGINAL.match(lines[at][:LINE_CHARACTERS].strip().lower()) is not None
    below = _next_filled(lines, at + 1) if title else at
    if below == len(lines) or not (_is_label(lines[below]) and _is_header(lines, below)):
        return int(title)
    window = range(below, min(len(lines), below + 2 * _BLOCK_LINES))
    return 1 + max(number for number in window if _is_label(lines[number])) - at


def _separator(lines: list[str], at: int, line: str, kept: list[str]) -> int:
    """ "-----Original Message-----", a ruler above a block of From, Sent, To, or a list's footer."""
    low = line.strip().lower()
    if not _has_words(kept):
        return 1 if _DASHED.fullmatch(low) and _quote_follows(lines, at + 1) else 0
    if _ORIGINAL.match(low) or _DASHED.fullmatch(low):
        return len(lines) - at
    below = _next_filled(lines, at + 1)
    if below == len(lines) or not _RULE.fullmatch(line):
        return 0
    if _begins_header(lines[below][:LINE_CHARACTERS]):
        cut = _header_block(lines, below, kept)
        return below - at + cut if cut else 0
    return _footer(lines, at, line)


def _footer(lines: list[str], at: int, line: str) -> int:
    """What a mailing list writes below every mail."""
    rest = lines[at + 1 : at + 3]
    if _FOOTER.fullmatch(line) and len(lines) - at <= _FOOTER_LINES and any("list" in low.lower() for low in rest):
        return len(lines) - at
    return 0


def _begins_header(line: str) -> bool:
    low = _bare(line).lower()
    return _FROM.match(low) is not None or _DATE.match(low) is not None


def _header_block(lines: list[str], at: int, kept: list[str]) -> int:
    """A copied header: all below it is the mail that was answered."""
    return len(lines) - at if _has_words(kept) and _is_header(lines, at) else 0


def _is_label(line: str) -> bool:
    return _LABEL.match(_bare(line).lower()) is not None


def _is_header(lines: list[str], at: int) -> bool:
    """True for From, Sent, To and Subject under each other."""
    block = [_bare(line).lower() for line in lines[at : at + 2 * _BLOCK_LINES] if line.strip()][:_BLOCK_LINES]
    labels = sum(_LABEL.match(line) is not None for line in block)
    dated = any(_DATE.match(line) for line in block[:2])
    return labels >= (2 if dated and "@" in "".join(block[:3]) else _LABELS_NEEDED)


# -- attributions ----------------------------------------------------------------


def _attribution(lines: list[str], at: int) -> int:
    """How many lines "On ... wrote:" takes from here, 0 if it does not stand here."""
    line = _bare(lines[at])
    if not line:
        return 0
    if _ends(line):
        return 1 if _is_attribution(line) or (_STAMPED.search(line) and _quote_follows(lines, at + 1)) else 0
    if line.endswith("wrote") and _BARE_WROTE.match(line):
        return 1
    if "0" <= line[0] <= "9" and (
        _ZONED.match(line) or (_DATE_FIRST.match(line) and "@" in line and _quote_follows(lines, at + 1))
    ):
        return 1
    return _broken_attribution(lines, at, line)


def _broken_attribution(lines: list[str], at: int, line: str) -> int:
    """An attribution over several lines; before "<" also over empty ones."""
    if not any(more.rstrip(_SCRAPS).endswith(_COLONS) for more in lines[at + 1 : at + 3 + _ATTRIBUTION_LINES]):
        return 0
    opens = _OPENS.match(line.lower()) is not None
    if not opens and line[0] not in "<\"'" and not _DATED.search(line):
        return 0
    below = at + 1
    for _ in range(_ATTRIBUTION_LINES):
        if below < len(lines) and not lines[below].strip() and "<" in lines[min(below + 1, len(lines) - 1)][:2]:
            below += 1
        if below >= len(lines) or not (more := _bare(lines[below])):
            return 0
        if not opens and _OPENS.match(more.lower()):
            return 0  # it begins there
        line = f"{line} {more}"
        below += 1
        if _ends(line):
            return below - at if len(line) <= _ATTRIBUTION_CHARACTERS and _is_attribution(line) else 0
    return 0


def _bare(line: str) -> str:
    """The line without emphasis, and without the marks that turn the direction of writing."""
    line = line[:LINE_CHARACTERS]
    return (line if line.isascii() else line.translate(_DIRECTIONS)).strip(_SCRAPS)


def _ends(line: str) -> bool:
    return line.endswith(_COLONS) or (line[-1] > "\x7f" and _WROTE_LAST.search(line[-6:]) is not None)


def _is_attribution(line: str) -> bool:
    """True for words that name a writer and a date, an address or a verb that says so."""
    low = line.lower()
    if _WROTE.search(low):
        return _OPENS.match(low) is not None or _DATED.search(line) is not None or len(line) < 60
    return (_DATE_FIRST.match(line) is not None and "@" in line) or _MAILED.match(line) is not None


def _quoted_below(lines: list[str], at: int, kept: list[str]) -> int:
    """How many lines below an attribution it covers; 0 means that it is no attribution.

    With quote marks below, only the gap down to them: an answer may follow the quote.
    Without marks (some programs set none) everything below, if words stand above.
    """
    below = _next_filled(lines, at)
    if below == len(lines):
        return max(1, below - at)
    if lines[below].startswith(_QUOTE):
        return below - at + 1
    if _is_barred(lines[below]):
        while below < len(lines) and lines[below].startswith("|"):
            below += 1
        return below - at
    dated = _DATED.search(" ".join(lines[max(0, at - _ATTRIBUTION_LINES) : at])[:_ATTRIBUTION_CHARACTERS])
    return len(lines) - at if dated and _has_words(kept) else 0


def _unshared(lines: list[str], at: int) -> str:
    """The line without an attribution that some program put behind its last word."""
    return lines[at][: _shared(lines, at) or None]


def _shared(lines: list[str], at: int) -> int:
    """Where on the line such an attribution begins, 0 if there is none."""
    line = lines[at]
    if not line.endswith("wrote:") or len(line) > LINE_CHARACTERS or not _quote_follows(lines, at + 1):
        return 0
    found = _MIDDLE.search(line)
    return found.start() if found and not _DATED.search(line[: found.start()]) else 0


def _quote_follows(lines: list[str], at: int) -> bool:
    below = _next_filled(lines, at)
    return below < len(lines) and (lines[below].startswith(_QUOTE) or _is_barred(lines[below]))


def _is_barred(line: str) -> bool:
    """True for a quote marked by bars; the row of a table ends with one."""
    return line.startswith("| ") and not line.rstrip().endswith("|")


def _next_filled(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _squeezed(lines: list[str]) -> list[str]:
    """At most one empty line in a row, now that pieces are missing."""
    return [line for number, line in enumerate(lines) if line.strip() or number == 0 or lines[number - 1].strip()]
