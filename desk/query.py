"""The search language: `is:open assignee:me due:<2h "refund"`.

`parse` turns the text into a small tree in which every name and time is resolved.
`matches` answers it for one ticket; a store compiles the same tree to SQL. Both are
driven by `FIELDS`, so that they cannot disagree.

Terms side by side must all hold; `or` between them, `-` before one and parentheses do
what they say. Words and "phrases" are looked for in the subject and in every message;
`word*` finds beginnings. Spam, trash and merged tickets stay out unless the query names
them (`is:spam`, `is:trash`, `is:merged`, `id:`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import NoReturn

from msgspec import Struct, field

from desk.errors import Invalid
from desk.errors import suggest as suggest
from desk.model import Bin, Customer, Millis, Priority, Status, Ticket
from desk.text import contains, phrase, words
from desk.when import Range, span_range

# -- the tree ---------------------------------------------------------------


class All(Struct, frozen=True):
    """Every part holds; with no parts, always."""

    parts: tuple[Node, ...]


class Any(Struct, frozen=True):
    """At least one part holds; with no parts, never."""

    parts: tuple[Node, ...]


class Not(Struct, frozen=True):
    """The part does not hold."""

    part: Node


class Is(Struct, frozen=True):
    """The ticket's `column` is one of `values` (None: it has none)."""

    column: str
    values: tuple[str | int | bool | None, ...]


class Has(Struct, frozen=True):
    """The ticket's set `column` holds `value` (None: it is empty)."""

    column: str
    value: str | None


class Between(Struct, frozen=True):
    """The ticket's number `column` lies between `low` and `high`, both included; None is open."""

    column: str
    low: int | None
    high: int | None


class Within(Struct, frozen=True):
    """The ticket's time `column` lies in `range`."""

    column: str
    range: Range


class Words(Struct, frozen=True):
    """`where` ("text", "subject", "requester" or "organisation") holds the token line `needle` as a phrase."""

    where: str
    needle: str
    prefix: bool


class Snoozed(Struct, frozen=True):
    """The ticket sleeps at `at`."""

    at: Millis


class Unread(Struct, frozen=True):
    """`agent` has not seen the newest message."""

    agent: str | None


class Attached(Struct, frozen=True):
    """Some message of the ticket carries a file."""


class Of(Struct, frozen=True):
    """The part holds of another case: of what the ticket "was", or of the new "message"; only rules ask."""

    other: str
    part: Node


Node = All | Any | Not | Is | Has | Between | Within | Words | Snoozed | Unread | Attached | Of

EVERYTHING = All(())


class Env(Struct, frozen=True):
    """Who asks, when and where: what `me`, `2h` and `today` mean; `fields` are those that only they have."""

    at: Millis
    me: str | None = None
    teams: tuple[str, ...] = ()
    zone: tzinfo = UTC
    fields: Mapping[str, Field] = {}


class Case(Struct, frozen=True):
    """One ticket with all that a query can ask about it; `texts` are token lines, `others` cases for `Of`."""

    ticket: Ticket
    customer: Customer
    texts: Sequence[str] = ()
    seen: int = 0
    attached: bool = False
    others: Mapping[str, Case] = {}


class QueryError(Invalid):
    """A query that cannot be understood; `at` is the place in the text, counted from 0."""

    def __init__(self, message: str, text: str, at: int) -> None:
        self.text, self.at = text, at
        super().__init__(f"{message}\n  {text}\n  {' ' * at}^")


# -- the fields -------------------------------------------------------------


class Field(Struct, frozen=True):
    """One `name:` of the language: how its value becomes a node, and what may stand there."""

    read: Callable[[str, Env], Node]
    help: str
    choices: tuple[str, ...] = ()


def _one_of(column: str, names: Sequence[str], value_of: Callable[[str], str | int]) -> Callable[[str, Env], Node]:
    def read(text: str, env: Env) -> Node:
        values: list[str | int | bool | None] = []
        for name in text.lower().split(","):
            if name not in names:
                raise Invalid(f'there is no {column} "{name}"{suggest(name, names)}')
            values.append(value_of(name))
        return Is(column, tuple(values))

    return read


def _priority(text: str, env: Env) -> Node:
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            level = _priority_of(text[len(sign) :])
            if sign[0] == ">":
                return Between("priority", level + (sign == ">"), None)
            return Between("priority", None, level - (sign == "<"))
    return Is("priority", tuple(_priority_of(name) for name in text.split(",")))


def _priority_of(name: str) -> int:
    names = [str(p) for p in Priority]
    if name.lower() not in names:
        raise Invalid(f'there is no priority "{name}"{suggest(name, names)}')
    return int(Priority.parse(name))


def _named(column: str) -> Callable[[str, Env], Node]:
    def read(text: str, env: Env) -> Node:
        values: list[str | int | bool | None] = []
        for name in text.split(","):
            if name == "none":
                values.append(None)
            elif name == "me" and column == "assignee":
                values.append(env.me or "\x00")
            elif name in ("me", "mine") and column == "team":
                values.extend(env.teams or ("\x00",))
            else:
                values.append(name.lower())
        return Is(column, tuple(values))

    return read


def _channel(text: str, env: Env) -> Node:
    names = tuple(text.lower().split(","))
    return Any((Is("channel", names), Is("account", names)))


def _tag(text: str, env: Env) -> Node:
    if text == "none":
        return Has("tags", None)
    parts = tuple(Has("tags", tag.lower()) for tag in text.split(","))
    return parts[0] if len(parts) == 1 else Any(parts)


def _time(column: str, *, ahead: bool = False) -> Callable[[str, Env], Node]:
    def read(text: str, env: Env) -> Node:
        if text == "none":
            return Not(Within(column, Range(None, None)))
        return Within(column, span_range(text, env.at, env.zone, ahead=ahead))

    return read


def _words(where: str) -> Callable[[str, Env], Node]:
    return lambda text, env: word(text, where)


def _customer(text: str, env: Env) -> Node:
    number = re.fullmatch(r"#?(\d{1,15})", text)
    return Is("requester", (int(number[1]),)) if number else word(text, "requester")


#: At most 15 digits: a store's integers end at 19.
_NUMBERS = re.compile(r"#?(\d{1,15})(?:(?:-|\.\.)#?(\d{1,15}))?|#?(\d{1,15})\.\.|\.\.#?(\d{1,15})")


def _number(text: str, env: Env) -> Node:
    parts: list[Node] = []
    for item in text.split(","):
        found = _NUMBERS.fullmatch(item)
        if not found:
            raise Invalid(f'"{item}" is not a ticket number; write 12, 12,15 or 12..20')
        one, last, first_open, last_open = (int(g) if g else None for g in found.groups())
        if first_open is not None or last_open is not None:
            parts.append(Between("id", first_open, last_open))
        else:
            parts.append(Between("id", one, last if last is not None else one))
    return parts[0] if len(parts) == 1 else Any(tuple(parts))


def _attached(text: str, env: Env) -> Node:
    if text not in ("attachment", "attachments", "file"):
        raise Invalid(f'"has:{text}" means nothing; write has:attachment')
    return Attached()


LIVE = Is("status", tuple(s.value for s in Status if s.live))
VISIBLE = All((Is("bin", (Bin.NONE.value,)), Is("merged_into", (None,))))

_STATES: dict[str, Callable[[Env], Node]] = {
    "open": lambda env: All((LIVE, Not(Snoozed(env.at)))),
    "unassigned": lambda env: Is("assignee", (None,)),
    "unread": lambda env: Unread(env.me),
    "mine": lambda env: Is("assignee", (env.me or "\x00",)),
    "watched": lambda env: Has("watchers", env.me or "\x00"),
    "snoozed": lambda env: All((LIVE, Snoozed(env.at))),
    "overdue": lambda env: All((Within("due_at", Range(None, env.at)), Is("paused", (False,)))),
    "breached": lambda env: All((LIVE, Is("breached", (True,)))),
    "paused": lambda env: All((LIVE, Is("paused", (True,)))),
    "waiting": lambda env: All((LIVE, Within("waiting_since", Range(None, None)))),
    "live": lambda env: LIVE,
    "new": lambda env: Is("status", ("new",)),
    "pending": lambda env: Is("status", ("pending",)),
    "solved": lambda env: Is("status", ("solved", "closed")),
    "closed": lambda env: Is("status", ("closed",)),
    "spam": lambda env: All((Is("bin", ("spam",)), Is("merged_into", (None,)))),
    "trash": lambda env: All((Is("bin", ("trash",)), Is("merged_into", (None,)))),
    "suspended": lambda env: All((Is("bin", ("suspended",)), Is("merged_into", (None,)))),
    "merged": lambda env: Not(Is("merged_into", (None,))),
}
_HIDDEN = {"spam", "trash", "suspended", "merged"}


def _state(text: str, env: Env) -> Node:
    parts: list[Node] = []
    for name in text.lower().split(","):
        if name not in _STATES:
            raise Invalid(f'"is:{name}" means nothing{suggest(name, tuple(_STATES))}')
        parts.append(_STATES[name](env))
    return parts[0] if len(parts) == 1 else Any(tuple(parts))


_STATUSES = tuple(s.value for s in Status)

FIELDS: dict[str, Field] = {
    "is": Field(_state, "open, unassigned, unread, mine, snoozed, overdue, ...", tuple(_STATES)),
    "status": Field(_one_of("status", _STATUSES, str), "new, open, pending, on-hold, solved or closed", _STATUSES),
    "priority": Field(_priority, "low, normal, high, urgent; >normal", tuple(str(p) for p in Priority)),
    "assignee": Field(_named("assignee"), "an agent, me or none"),
    "team": Field(_named("team"), "a team, mine or none"),
    "tag": Field(_tag, "a tag, or none"),
    "type": Field(_named("type"), "a type of ticket, or none"),
    "channel": Field(_channel, "a channel (email) or an account (support)"),
    "from": Field(_words("requester"), "words of the requester's name or address"),
    "customer": Field(_customer, "a customer's number, name or address"),
    "org": Field(_words("organisation"), "words of the organisation's name"),
    "subject": Field(_words("subject"), "words of the subject"),
    "has": Field(_attached, "attachment", ("attachment",)),
    "created": Field(_time("created_at"), "when it was opened: >2h, <2026-01-31, 1w.., today"),
    "updated": Field(_time("updated_at"), "when anything last happened"),
    "solved": Field(_time("solved_at"), "when it was solved"),
    "waiting": Field(_time("waiting_since"), "how long the customer has been waiting: >2h"),
    "due": Field(_time("due_at", ahead=True), "when the next answer is due: <2h, today"),
    "id": Field(_number, "ticket numbers: 12, 12,15, 12..20"),
}


def word(text: str, where: str = "text") -> Node:
    """What is looked for when somebody types `text` (perhaps with a `*` at its end)."""
    needle, prefix = phrase(text.rstrip("*"), prefix=text.endswith("*"))
    # Punctuation alone asks for nothing, as in any search box.
    return Words(where, needle, prefix) if needle else EVERYTHING


# -- reading ----------------------------------------------------------------

_TERM = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))
    |(?P<minus>-)(?=[^\s-])
    |(?P<name>[A-Za-z]+):(?:"(?P<quoted>[^"]*)"?|(?P<value>[^\s()"]+(?:\([^\s()]*\)[^\s()"]*)*))?
    |"(?P<phrase>[^"]*)"?(?P<star>\*)?
    |(?P<word>[^\s()"]+))""",
    re.VERBOSE,
)
_DEEPEST = 100


class _Reader(Struct):
    text: str
    env: Env
    place: int = 0
    names_hidden: bool = False
    depth: int = 0
    terms: list[re.Match[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.terms = list(_TERM.finditer(self.text))

    def peek(self) -> re.Match[str] | None:
        return self.terms[self.place] if self.place < len(self.terms) else None

    def either(self) -> Node:
        parts = [self.both()]
        while (term := self.peek()) and _is_or(term):
            self.place += 1
            if not self.follows():
                self.fail('there is nothing after "or"', term.start("word"))
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def follows(self) -> bool:
        term = self.peek()
        return term is not None and not term["close"] and not _is_or(term)

    def both(self) -> Node:
        if (term := self.peek()) and _is_or(term):
            self.fail('there is nothing before "or"', term.start("word"))
        parts: list[Node] = []
        while self.follows():
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self) -> Node:
        term = self.peek()
        assert term is not None
        self.place += 1
        if term["open"]:
            return self.group(term.start("open"))
        if term["minus"] or (term["word"] or "").lower() == "not":
            if not self.follows():
                self.fail("there is nothing to exclude here", term.end() - 1)
            self.deeper(term.start())
            hidden = self.names_hidden
            part = Not(self.one())
            # To exclude a bin is not to ask for the others.
            self.names_hidden = hidden
            self.depth -= 1
            return part
        if term["name"]:
            return self.named(term)
        if term["word"] is not None:
            return word(term["word"])
        return word(term["phrase"] + (term["star"] or ""))

    def deeper(self, at: int) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail("this is nested too deeply", at)

    def group(self, at: int) -> Node:
        self.deeper(at)
        part = self.either()
        term = self.peek()
        if term is None or not term["close"]:
            self.fail("this parenthesis is never closed", at)
        self.place += 1
        self.depth -= 1
        return part

    def named(self, term: re.Match[str]) -> Node:
        name = term["name"].lower()
        value = term["quoted"] if term["quoted"] is not None else term["value"]
        known = {**FIELDS, **self.env.fields}
        if name not in known:
            # Colons are common in what people look for ("Error: 12"); only a near miss is a mistake.
            if difflib.get_close_matches(name, list(known), 1, 0.72):
                self.fail(f'there is no field "{name}:"{suggest(name, list(known))}', term.start("name"))
            return word(term.group().strip())
        if value is None or value == "":
            self.fail(f"{name}: needs a value: {known[name].help}", term.end() - 1)
        if name == "id" or (name == "is" and _HIDDEN & set(value.lower().split(","))):
            self.names_hidden = True
        try:
            return known[name].read(value, self.env)
        except QueryError:
            raise
        except Invalid as error:
            self.fail(str(error), term.start("quoted" if term["quoted"] is not None else "value"))

    def fail(self, message: str, at: int) -> NoReturn:
        raise QueryError(message, self.text, max(0, at))


def _is_or(term: re.Match[str]) -> bool:
    return (term["word"] or "") in ("or", "OR")


def parse(text: str, env: Env) -> Node:
    """The tree of `text`; QueryError tells where it goes wrong and what was probably meant."""
    reader = _Reader(text.replace("\n", " "), env)
    node = reader.either()
    left = reader.peek()
    if left is not None:
        reader.fail("this parenthesis was never opened", left.start("close"))
    return node if reader.names_hidden else All((VISIBLE, node))


# -- answering --------------------------------------------------------------


def matches(node: Node, case: Case) -> bool:
    """Whether the ticket of `case` is one that `node` asks for."""
    match node:
        case All(parts):
            return all(matches(part, case) for part in parts)
        case Any(parts):
            return any(matches(part, case) for part in parts)
        case Not(part):
            return not matches(part, case)
        case Is(column, values):
            return getattr(case.ticket, column) in values
        case Has(column, value):
            held = getattr(case.ticket, column)
            return value in held if value is not None else not held
        case Between(column, low, high):
            number = int(getattr(case.ticket, column))
            return (low is None or number >= low) and (high is None or number <= high)
        case Within(column, wanted):
            return wanted.holds(getattr(case.ticket, column))
        case Words(where, needle, prefix):
            return any(contains(line, needle, prefix) for line in _lines(case, where))
        case Snoozed(at):
            return case.ticket.snoozed(at)
        case Unread(agent):
            return agent is not None and case.ticket.heard > case.seen
        case Attached():
            return case.attached
        case Of(other, part):
            return other in case.others and matches(part, case.others[other])


def _lines(case: Case, where: str) -> Iterator[str]:
    if where == "text":
        yield from case.texts
    elif where == "subject":
        yield words(case.ticket.subject)
    elif where == "requester":
        yield words(case.customer.name, case.customer.address)
    else:
        yield words(case.customer.organisation or "")


def needles(node: Node) -> list[tuple[str, bool]]:
    """The words that `node` looks for in messages, as `desk.snippets` takes them; not those that it excludes."""
    match node:
        case All(parts) | Any(parts):
            return list(dict.fromkeys(needle for part in parts for needle in needles(part)))
        case Words("text" | "subject", needle, prefix):
            return [(needle, prefix)]
    return []
