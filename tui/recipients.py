"""To whom a text goes, on one line that can be changed: `to: ann@example.com  cc: Bo <bo@example.com>`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from desk.completion import Choice
from desk.errors import Invalid
from desk.model import Customer, Identity, Message
from desk.outgoing import recipients
from desk.params import address, written
from tui.draw import flat

WAYS = ("to", "cc", "bcc")

_WAY = re.compile(r'(?:^|(?<=[\s,;]))(to|cc|bcc):(?=(?:[^"]*"[^"]*")*[^"]*$)', re.IGNORECASE)
_ITEM = re.compile(r'(?:"[^"]*"|[^,;"]|")+')


def line(message: Message, *, copies: bool) -> str:
    """The recipients of a message, to be changed; without `copies` there is only `to`."""
    found: dict[str, list[str]] = {way: [] for way in (WAYS if copies else WAYS[:1])}
    for way, person in recipients(message):
        found.setdefault(way, []).append(_written(person))
    return "  ".join(f"{way}: {', '.join(people)}" for way, people in found.items() if people or way != "bcc") + " "


def _written(person: Identity) -> str:
    """An address with its name, as it can be typed here: no name ends it early, or begins another part of the line."""
    name = re.sub('["<>]', "", flat(person.display)).strip()
    if not name or name == person.value:
        return person.value
    return f'"{name}" <{person.value}>' if set(name) & set(",;:") else f"{name} <{person.value}>"


def read(text: str, *, copies: bool) -> dict[str, str]:
    """The options of a verb that the line stands for; Invalid says what is wrong with it."""
    found: dict[str, dict[str, None]] = {}
    for way, part in _parts(text):
        people = [written(address(item)) for item in _ITEM.findall(part) if item.strip()]
        if people:
            found.setdefault(way, {}).update(dict.fromkeys(people))
    if not copies and (set(found) - {"to"}):
        raise Invalid("this channel carries no copies; leave out what stands behind cc and bcc")
    if "to" not in found:
        raise Invalid("nobody stands behind to: write an address there, ann@example.com")
    return {way: ", ".join(people) for way, people in found.items()}


def _parts(text: str) -> list[tuple[str, str]]:
    """(way, what stands behind it), in the order written; what stands before all is `to`."""
    pieces = _WAY.split(text)
    parts = [("to", pieces[0])] if pieces[0].strip() else []
    return parts + [(way.lower(), part) for way, part in zip(pieces[1::2], pieces[2::2], strict=True)]


def begun(text: str) -> tuple[str, str]:
    """The line up to the address that is being typed, and what there is of it."""
    cut, quoted = 0, False
    for place, sign in enumerate(text, 1):
        quoted ^= sign == '"'
        if sign in ",;:" and not quoted:
            cut = place
    rest = text[cut:]
    lead = len(rest) - len(rest.lstrip())
    return text[: cut + lead] or "", rest[lead:]


def choices(text: str, known: Iterable[Identity]) -> list[Choice]:
    """What the line may become: the address being typed completed from `known`."""
    stem, word = begun(text)
    wanted = word.strip().lower()
    there = text[: len(stem)].lower()
    return [
        _choice(stem, person, "on this ticket")
        for person in dict.fromkeys(known)
        if person.kind == "email"
        and person.value not in there
        and any(part.startswith(wanted) for part in (person.value, *person.display.lower().split()))
        and _written(person) != word.strip()
    ]


def more(text: str, found: Sequence[Customer]) -> list[Choice]:
    """The same from customers that were found by what is being typed."""
    stem, word = begun(text)
    people = [(Identity("email", one.address, one.name), one.organisation) for one in found if "@" in one.address]
    return [
        _choice(stem, person, f"customer · {flat(organisation)}" if organisation else "customer")
        for person, organisation in people
        if _written(person) != word.strip()
    ]


def _choice(stem: str, person: Identity, hint: str) -> Choice:
    text, blank = _written(person), " " if stem and not stem[-1].isspace() else ""
    return Choice(f"{stem}{blank}{text}", text, hint)
