"""To whom a text goes and over which account, on one line that can be changed.

`to: ann@example.com  cc: Bo <bo@example.com>  over: support`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from desk.completion import Choice
from desk.errors import Invalid
from desk.model import Account, Customer, Identity, Message
from desk.outgoing import recipients
from desk.params import address, written
from desk.threads import IN_PUBLIC, PRIVATE
from tui.columns import channel
from tui.draw import flat

WAYS = ("to", "cc", "bcc")
OPTIONS = {"over": "account", "private": "private"}
"""What else the line can say, and the verb's argument for it."""

_YES, _NO = ("yes", "y"), ("no", "n", "")
_WAY = re.compile(r'(?:^|(?<=[\s,;]))(to|cc|bcc|over|private):(?=(?:[^"]*"[^"]*")*[^"]*$)', re.IGNORECASE)
_ITEM = re.compile(r'(?:"[^"]*"|[^,;"]|")+')


def line(message: Message, *, copies: bool, accounts: Sequence[Account] = ()) -> str:
    """The recipients of a message, to be changed; without `copies` there is only `to`.

    Which account it goes over is told where there are several, and whether it is an answer in
    private where the account could give one.
    """
    found: dict[str, list[str]] = {way: [] for way in (WAYS if copies else WAYS[:1])}
    for way, person in recipients(message):
        found.setdefault(way, []).append(_written(person))
    told = [f"{way}: {', '.join(people)}" for way, people in found.items() if people or way != "bcc"]
    if len(accounts) > 1:
        told.append(f"over: {message.account}")
    if {IN_PUBLIC, PRIVATE} & {*message.flags} and any(
        one.name == message.account and one.capabilities and one.capabilities.private for one in accounts
    ):
        told.append(f"private: {'yes' if PRIVATE in message.flags else 'no'}")
    return "  ".join(told) + " "


def _written(person: Identity) -> str:
    """An address with its name, as it can be typed here: no name ends it early, or begins another part of the line."""
    name = re.sub('["<>]', "", flat(person.display)).strip()
    value = written(Identity(person.kind, person.value))
    if not name or name == person.value:
        return value
    return f'"{name}" <{value}>' if set(name) & set(",;:") else f"{name} <{value}>"


def read(text: str, *, copies: bool) -> dict[str, str]:
    """The options of a verb that the line stands for; Invalid says what is wrong with it."""
    found: dict[str, dict[str, None]] = {}
    options: dict[str, str] = {}
    for way, part in _parts(text):
        if way in OPTIONS:
            options[OPTIONS[way]] = _option(way, part.strip(" ,;"))
            continue
        people = [written(address(item)) for item in _ITEM.findall(part) if item.strip()]
        if people:
            found.setdefault(way, {}).update(dict.fromkeys(people))
    if not copies and (set(found) - {"to"}):
        raise Invalid("this channel carries no copies; leave out what stands behind cc and bcc")
    if "to" not in found:
        raise Invalid("nobody stands behind to: write an address there, ann@example.com")
    return {way: ", ".join(people) for way, people in found.items()} | {
        name: told for name, told in options.items() if told
    }


def _option(way: str, told: str) -> str:
    """What a verb is told for `over: room` or `private: yes`; "" is nothing."""
    if way == "over":
        return told
    if told.lower() not in (*_YES, *_NO):
        raise Invalid(f'private is yes or no, not "{told[:40]}"')
    return "yes" if told.lower() in _YES else ""


def _parts(text: str) -> list[tuple[str, str]]:
    """(way, what stands behind it), in the order written; what stands before all is `to`."""
    pieces = _WAY.split(text)
    parts = [("to", pieces[0])] if pieces[0].strip() else []
    return parts + [(way.lower(), part) for way, part in zip(pieces[1::2], pieces[2::2], strict=True)]


def _asked(stem: str) -> str:
    """What is being typed behind `stem`: to whom, over which account, in private or not."""
    parts = _parts(stem)
    return parts[-1][0] if parts else "to"


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


def choices(text: str, known: Iterable[Identity], accounts: Sequence[Account] = ()) -> list[Choice]:
    """What the line may become: the address being typed completed from `known`, or the account."""
    stem, word = begun(text)
    wanted = word.strip().lower()
    if (way := _asked(stem)) in OPTIONS:
        offered = [(one.name, channel(one.channel)) for one in accounts] if way == "over" else [("yes", ""), ("no", "")]
        return [
            Choice(f"{stem}{'' if stem.endswith(' ') else ' '}{name}", name, hint)
            for name, hint in offered
            if name.startswith(wanted) and name != wanted
        ]
    there = text[: len(stem)].lower()
    return [
        _choice(stem, person, "on this ticket")
        for person in dict.fromkeys(known)
        if person.value.lower() not in there
        and any(part.startswith(wanted) for part in (person.value, *person.display.lower().split()))
        and _written(person) != word.strip()
    ]


def more(text: str, found: Sequence[Customer]) -> list[Choice]:
    """The same from customers that were found by what is being typed."""
    stem, word = begun(text)
    if _asked(stem) in OPTIONS:
        return []
    people = [(Identity("email", one.address, one.name), one.organisation) for one in found if "@" in one.address]
    return [
        _choice(stem, person, f"customer · {flat(organisation)}" if organisation else "customer")
        for person, organisation in people
        if _written(person) != word.strip()
    ]


def _choice(stem: str, person: Identity, hint: str) -> Choice:
    text, blank = _written(person), " " if stem and not stem[-1].isspace() else ""
    return Choice(f"{stem}{blank}{text}", text, hint)
