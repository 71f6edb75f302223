"""What an IMAP server answers, read into plain values.

A response is a list of byte strings: text, literal, text, literal, ..., text, without
the leading `* `. Nothing here trusts the other side; what does not parse is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from channels.email.names import decode
from desk.channel import RateLimited, Retry

Response = list[bytes]
Token = tuple[str, bytes]

_TOKEN = re.compile(
    rb"""\s*(?:
      (?P<paren>[()])
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<literal>~?\{\d+\+?\}$)
    | (?P<atom>[^\s()"]+)
    )""",
    re.VERBOSE,
)
_CODE = re.compile(rb"\[([A-Z0-9-]+)([^\]]*)\]\s*", re.IGNORECASE)
_STANDS = re.compile(rb"\b(UIDVALIDITY|UIDNEXT|MESSAGES) (\d+)(?=[^()]*\)$)", re.IGNORECASE)
_NUMBER = re.compile(rb"(\d+) EXISTS\b", re.IGNORECASE)


BUSY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED", "OVERQUOTA"})
"""Response codes (RFC 5530, and Gmail's and Exchange's own) that ask for patience with the whole account."""

TEMPORARY = frozenset({"SERVERBUG", "CONTACTADMIN"})
"""Further response codes that blame neither the command nor the password."""

REST_S = 60.0
"""How long a server is left alone that says we ask too much, but not for how long."""

_THROTTLED = re.compile(r"throttl|backoff time", re.IGNORECASE)
_TOO_MUCH = re.compile(r"throttl|too many|simultaneous|overquota|exceeded|\blimit", re.IGNORECASE)
_SUGGESTED = re.compile(r"backoff time: (\d{1,9}) milliseconds", re.IGNORECASE)
_PASSING = re.compile(r"too many|simultaneous|authenticated but not connected|try again|temporar", re.IGNORECASE)


class Refused(Exception):
    """The server answered a command with NO or BAD; the connection is as good as before."""

    def __init__(self, command: str, text: bytes) -> None:
        code = _CODE.match(text)
        self.command = command
        self.code = code[1].decode().upper() if code else ""
        self.words = words(text[code.end() :] if code else text)
        super().__init__(f"{command}: {self.words}")

    @property
    def busy(self) -> bool:
        """True when the server wants to be left alone for a while, whatever it was asked; Exchange says so without a code."""
        return self.code in BUSY or bool(_THROTTLED.search(self.words))

    @property
    def full(self) -> bool:
        """True when there is no room for what was to be kept (or, at Gmail, for more traffic)."""
        return self.code == "OVERQUOTA"

    @property
    def temporary(self) -> bool:
        """True when the server itself says that it is in trouble."""
        return self.busy or self.code in TEMPORARY

    @property
    def passing(self) -> bool:
        """True when a login was refused for another reason than the password.

        Gmail says so without a code ("[ALERT] Too many simultaneous connections"), and so
        does Exchange ("User is authenticated but not connected").
        """
        return self.temporary or bool(_PASSING.search(self.words))


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder as it stood when it was opened."""

    uidvalidity: int
    uidnext: int
    exists: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one FETCH response says about one message."""

    uid: int
    size: int = 0
    at: datetime | None = None
    body: bytes | None = None


def words(text: bytes, limit: int = 300) -> str:
    """What a server said, short enough to be shown to a person."""
    return text.decode(errors="replace").strip()[:limit]


def trouble(message: str, code: str = "") -> Retry:
    """Trouble of the server's own, with the time it wants to be left alone, where it wants that."""
    if suggested := _SUGGESTED.search(message):
        return RateLimited(message, int(suggested[1]) / 1000)
    if code in ("THROTTLED", "OVERQUOTA", "LIMIT") or _TOO_MUCH.search(message):
        return RateLimited(message, REST_S)
    return Retry(message)


def exists(responses: Iterable[Response]) -> int:
    """The number of messages that the last EXISTS names."""
    found = [_NUMBER.match(response[0]) for response in responses]
    return next((int(match[1]) for match in reversed(found) if match), 0)


def status(responses: Iterable[Response], code: str) -> int | None:
    """The number in a status code such as `[UIDNEXT 4392]`, None where nobody said it."""
    pattern = re.compile(rb"OK \[%s (\d+)\]" % code.encode(), re.IGNORECASE)
    for response in responses:
        if match := pattern.match(response[0]):
            return int(match[1])
    return None


def stands(responses: Iterable[Response]) -> Selected | None:
    """How a folder stands, by a STATUS response; None where that leaves something out."""
    for response in responses:
        if response[0][:7].upper() == b"STATUS ":
            found = {key.upper(): int(value) for key, value in _STANDS.findall(response[-1].rstrip())}
            if len(found) == 3:
                return Selected(found[b"UIDVALIDITY"], found[b"UIDNEXT"], found[b"MESSAGES"])
    return None


def numbers(responses: Iterable[Response]) -> list[int]:
    """The numbers of all SEARCH responses, ascending."""
    found: set[int] = set()
    for response in responses:
        word, _, rest = response[0].partition(b" ")
        if word.upper() == b"SEARCH":
            # RFC 7162 appends "(MODSEQ n)" in some sessions.
            found.update(int(number) for number in rest.partition(b"(")[0].split())
    return sorted(found)


def capabilities(responses: Iterable[Response]) -> frozenset[str]:
    """The words of the CAPABILITY responses, in upper case."""
    found: set[str] = set()
    for response in responses:
        word, _, rest = response[0].partition(b" ")
        if word.upper() == b"CAPABILITY":
            found.update(rest.decode(errors="replace").upper().split())
    return frozenset(found)


def folders(responses: Iterable[Response]) -> list[str]:
    """The names in LIST responses."""
    found = []
    for response in responses:
        if response[0][:5].upper() == b"LIST ":
            # The name comes last and can be an atom, a quoted string or a literal.
            *_, (_, name) = _tokens(response)
            found.append(decode(name))
    return found


def fetched(response: Response) -> Fetched | None:
    """What a FETCH response says; None for any other response."""
    head = re.match(rb"\d+ FETCH \(", response[0], re.IGNORECASE)
    if head is None:
        return None
    items: dict[bytes, bytes | None] = {}
    tokens = _tokens([response[0][head.end() :], *response[1:]])
    for kind, key in tokens:
        if kind == "paren":
            break
        items[key.upper()] = _value(tokens)
    if b"UID" not in items:
        return None  # news about flags, which nobody asked for
    body = next((value for key, value in items.items() if key.startswith(b"BODY[")), None)
    return Fetched(int(items[b"UID"] or b""), int(items.get(b"RFC822.SIZE") or b"0"), _moment(items), body)


def _moment(items: dict[bytes, bytes | None]) -> datetime | None:
    # " 1-Feb-2026 10:00:00 +0000"; not strptime, whose months follow the locale.
    text = (items.get(b"INTERNALDATE") or b"").decode(errors="replace")
    try:
        at = parsedate_to_datetime(text.replace("-", " ", 2))
        at.timestamp()  # not every year and every zone that can be written down has one
    except (ValueError, OverflowError):
        return None
    return at


def _value(tokens: Iterator[Token]) -> bytes | None:
    """The next value: None for NIL, and for a list, which is passed over."""
    kind, value = next(tokens, ("paren", b")"))
    if kind != "paren":
        # Only the bare word is NIL; a message whose whole text is "NIL" comes as a literal.
        return None if kind == "atom" and value.upper() == b"NIL" else value
    depth = 1 if value == b"(" else 0
    while depth:
        kind, value = next(tokens, ("end", b""))
        if kind == "end":
            raise ValueError("a list without an end")
        if kind == "paren":
            depth += 1 if value == b"(" else -1
    return None


def _tokens(response: Response) -> Iterator[Token]:
    """Parentheses, atoms, strings and literals, one by one."""
    for index in range(0, len(response), 2):
        text, at = response[index].rstrip(), 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"cannot read {text[at : at + 40]!r}")
            at = match.end()
            kind = match.lastgroup or ""
            if kind == "literal":
                if index + 1 == len(response):
                    raise ValueError("a literal that never came")
                yield kind, response[index + 1]
            elif kind == "quoted":
                yield kind, re.sub(rb"\\(.)", rb"\1", match[kind])
            else:
                yield kind, match[kind]
