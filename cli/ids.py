"""Which tickets a verb is for: numbers, ranges, standard input, or a query."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from cli.wiring import Session, now
from desk.errors import Invalid, NotFound
from desk.query import Env, parse

_ITEM = re.compile(r"#?(\d{1,15})(?:-#?(\d{1,15}))?")
_WIDEST = 1_000_000


def looks_like_ids(word: str) -> bool:
    """Whether a word of the command line names tickets."""
    return word == "-" or all(_ITEM.fullmatch(part) for part in word.split(","))


def numbers(word: str) -> list[int]:
    """The numbers of `12`, `1-3,5`, `#12` or `-` (one or more a line on standard input)."""
    if word == "-":
        words = re.split(r"[\s,]+", sys.stdin.read())
        return [n for item in words if item for n in numbers(item)]
    found: list[int] = []
    for part in word.split(","):
        match = _ITEM.fullmatch(part)
        if not match:
            raise Invalid(f'"{part}" is not a ticket number; write 12, 1-3,5, - for standard input, or -q QUERY')
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last - first > _WIDEST:
            raise Invalid(f'"{part}" names more than a million tickets; use -q QUERY')
        found.extend(range(first, last + 1))
    return list(dict.fromkeys(found))


def env(session: Session) -> Env:
    """Who asks, for the query language."""
    agent = session.agent()
    return Env(now(), agent.name if agent else None, agent.teams if agent else (), session.zone)


def chosen(session: Session, words: Sequence[str], query: str | None) -> tuple[list[int], list[str]]:
    """The tickets, and the words that are left for the verb's own arguments."""
    if query is not None:
        found = session.store().ids(parse(query, env(session)), sort="oldest")
        if not found:
            raise NotFound(f'no ticket matches "{query}"')
        return found, list(words)
    if not words:
        raise Invalid("which tickets? write numbers (12), ranges (1-3,5), - for standard input, or -q QUERY")
    return numbers(words[0]), list(words[1:])
