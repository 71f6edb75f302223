"""The condition of a rule or a hook: a query about a ticket and about what it was before.

It is read once. One that speaks of times (`is:open`, `created:>2h`) means something else
each moment, and is read again for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from desk.errors import Invalid, suggest
from desk.model import Customer, Message, Millis, Ticket
from desk.query import FIELDS, All, Any, Attached, Case, Env, Field, Node, Not, Of, Words, matches, parse, word
from desk.text import words


def _was(text: str, env: Env) -> Node:
    name, colon, value = text.partition(":")
    if name not in FIELDS or name == "id":
        raise Invalid(f'there is no field "{name}:" to ask for what was{suggest(name, tuple(FIELDS))}')
    if not colon or not value:
        raise Invalid(f"was:{name}: needs a value: {FIELDS[name].help}")
    return Of("was", FIELDS[name].read(value, env))


MORE = {
    "was": Field(_was, "a field and a value that held before: was:status:pending"),
    "message": Field(
        lambda text, env: Of("message", word(text)), "words of the message that came or goes: message:thank*"
    ),
}
"""The fields that only rules and hooks have."""

#: Two moments that no word for a time means the same at.
_MOMENTS = (1_700_000_000_000, 1_736_000_123_000)


@dataclass(frozen=True)
class Condition:
    """A query, ready to be asked; QueryError when it cannot be understood.

    `asks` says what it needs besides the ticket: the "text" of the conversation, the new
    "message", what the ticket "was".
    """

    text: str
    _read: dict[Millis | None, Node] = field(default_factory=dict, init=False, repr=False, compare=False)
    asks: frozenset[str] = field(default=frozenset(), init=False, compare=False)

    def __post_init__(self) -> None:
        one, other = (_parse(self.text, at) for at in _MOMENTS)
        if one == other:
            self._read[None] = one
        object.__setattr__(self, "asks", frozenset(_asks(one)))

    def node(self, at: Millis) -> Node:
        """The query as it is meant at `at`."""
        found = self._read.get(None) or self._read.get(at)
        if found is None:
            # Many tickets are asked about at one moment; the next one has no use for this.
            self._read.clear()
            found = self._read[at] = _parse(self.text, at)
        return found

    def holds(self, case: Case, at: Millis) -> bool:
        """Whether the ticket is one that is asked for."""
        return matches(self.node(at), case)

    def fails(self, case: Case, at: Millis) -> list[str]:
        """The terms that do not hold, as they are written; none when all hold."""
        if self.holds(case, at):
            return []
        ticket = case.ticket
        away = f"is:{ticket.bin.value or 'merged'}" if not ticket.visible else ""
        wrong = [term for term in terms(self.text) if not Condition(f"id:1.. {term}").holds(case, at)]
        return wrong or [f"(it is {away[3:]}; only {away} asks for it)" if away else self.text]


def _parse(text: str, at: Millis) -> Node:
    return parse(text, Env(at, fields=MORE))


def _asks(node: Node) -> Iterator[str]:
    match node:
        case All(parts) | Any(parts):
            for part in parts:
                yield from _asks(part)
        case Not(part):
            yield from _asks(part)
        case Of(other, part):
            yield other
            yield from (_asks(part) if other == "was" else ())
        case Attached() | Words("text"):
            yield "text"


def terms(text: str) -> list[str]:
    """What a query joins by "and" at its top, as written; the whole where "or" joins it."""
    found: list[str] = []
    depth, quoted, term = 0, False, ""
    for sign in text + " ":
        if sign.isspace() and not depth and not quoted:
            if term and found and found[-1] == "not":
                found[-1] = f"not {term}"
            elif term:
                found.append(term)
            term = ""
            continue
        quoted ^= sign == '"'
        depth += 0 if quoted else {"(": 1, ")": -1}.get(sign, 0)
        term += sign
    return [text] if "or" in found or "OR" in found else found


class _Late(Sequence[str]):
    """Token lines that are made when somebody looks."""

    def __init__(self, load: Callable[[], Sequence[str]]) -> None:
        self._load = load
        self._lines: Sequence[str] | None = None

    def _all(self) -> Sequence[str]:
        if self._lines is None:
            self._lines = self._load()
        return self._lines

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return self._all()[place]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())


def case(
    ticket: Ticket,
    customer: Customer,
    thread: Callable[[], Sequence[Message]],
    asks: Collection[str] = ("text", "message", "was"),
    *,
    before: Ticket | None = None,
    new: Collection[int] = (),
) -> Case:
    """A ticket as a condition that `asks` for these things sees it; `before` a change, with its `new` messages.

    The conversation is read only when it is asked for.
    """
    others: dict[str, Case] = {}
    if before is not None and "was" in asks:
        others["was"] = Case(before, customer)
    if not {"text", "message"} & set(asks):
        return Case(ticket, customer, others=others)
    said = [m for m in thread() if not m.withdrawn]
    fresh = [m for m in said if m.id in new]
    if fresh:
        others["message"] = Case(ticket, customer, _Late(lambda: [words(m.subject, m.visible) for m in fresh]))

    def lines() -> list[str]:
        return [words(ticket.subject), *(words(m.subject, m.text, *(a.name for a in m.attachments)) for m in said)]

    return Case(ticket, customer, _Late(lines), attached=any(m.attachments for m in said), others=others)
