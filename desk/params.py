"""The few kinds of argument a verb can have, and how each looks as text.

An argument is first read (`parse`: text to a plain value, no context needed), may be
written again (`format`), and is given its meaning only when the verb runs (`resolve`:
`me` becomes the agent, `12` a locked ticket, `2h` a moment).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any, Protocol

from msgspec import Struct

from desk.assign import WAYS
from desk.errors import Invalid
from desk.model import Attachment, Identity, Message, Millis, Priority, Status, Ticket
from desk.query import suggest
from desk.when import moment, span


class Resolver(Protocol):
    """What `resolve` may ask; `perform` provides it."""

    at: Millis

    def agent(self, name: str) -> str:
        """The agent's own name; `me` is who acts."""

    def team(self, name: str) -> str:
        """The team's own name."""

    def ticket(self, number: int) -> Ticket:
        """The ticket, locked."""

    def message(self, number: int) -> Message:
        """A message of the ticket at hand."""

    def moment(self, text: str) -> Millis:
        """The moment `text` names, for who acts."""

    def file(self, path: str) -> Attachment:
        """The file as an attachment, its bytes kept."""


class Param(Struct, frozen=True):
    """A kind of argument: one word unless `rest` (the remainder of the line) or `many` (all words left)."""

    word: str
    rest: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> Any:
        """The plain value of `text`; Invalid says what is expected."""
        return text

    def format(self, value: Any) -> str:
        """`value` as it would be typed (quoting is the line's business)."""
        return str(value)

    def fill(self, text: str, expand: Callable[[str], str]) -> Any:
        """The plain value of `text` with its placeholders filled by `expand`."""
        return self.parse(expand(text))

    def resolve(self, value: Any, resolver: Resolver) -> Any:
        """What `value` means here and now."""
        return value

    def tickets(self, value: Any) -> tuple[int, ...]:
        """The tickets that `value` names: they are locked with those that the verb is for."""
        return ()


class _Agent(Param, frozen=True):
    def parse(self, text: str) -> str:
        if not re.fullmatch(r"[\w.@+-]+", text):
            raise Invalid(f'"{text}" is not the name of an agent; write a name, me or none')
        return text.lower()

    def resolve(self, value: str, resolver: Resolver) -> str | None:
        return None if value == "none" else resolver.agent(value)


class _Team(Param, frozen=True):
    def resolve(self, value: str, resolver: Resolver) -> str | None:
        return None if value == "none" else resolver.team(value)


class _Ticket(Param, frozen=True):
    def parse(self, text: str) -> int:
        if not re.fullmatch(r"#?\d{1,15}", text):
            raise Invalid(f'"{text}" is not a ticket number; write 12 or #12')
        return int(text.lstrip("#"))

    def tickets(self, value: int) -> tuple[int, ...]:
        return (value,)

    def resolve(self, value: int, resolver: Resolver) -> Ticket:
        return resolver.ticket(value)


class _Messages(Param, frozen=True):
    def parse(self, text: str) -> tuple[int, ...]:
        found = text.replace(",", " ").split()
        if not found or not all(re.fullmatch(r"\d{1,15}", word) for word in found):
            raise Invalid(f'"{text}" are not message numbers; show lists them, write 81 or 81,82')
        return tuple(int(word) for word in found)

    def format(self, value: tuple[int, ...]) -> str:
        return ",".join(str(v) for v in value)

    def resolve(self, value: tuple[int, ...], resolver: Resolver) -> tuple[Message, ...]:
        return tuple(resolver.message(v) for v in value)


class _Tags(Param, frozen=True):
    def parse(self, text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(word.lower().lstrip("+") for word in text.replace(",", " ").split()))
        bad = [word for word in found if not re.fullmatch(r"[^\W_][\w:./-]{0,49}", word)]
        if "none" in found:
            raise Invalid('"none" is no tag, tag:none asks for tickets without any; choose another word')
        if bad or not found:
            raise Invalid(f'"{(bad or [text])[0]}" is not a tag: letters, digits and any of - _ . : / (50 at most)')
        return found

    def format(self, value: tuple[str, ...]) -> str:
        return " ".join(value)


class _Choice(Param, frozen=True):
    def parse(self, text: str) -> str:
        word = text.lower()
        if word not in self.choices:
            raise Invalid(f'there is no {self.word} "{text}"{suggest(word, self.choices)}')
        return word


class _Priority(_Choice, frozen=True):
    def resolve(self, value: str, resolver: Resolver) -> Priority:
        return Priority.parse(value)


class _Status(_Choice, frozen=True):
    def resolve(self, value: str, resolver: Resolver) -> Status:
        return Status(value)


class _Length(Param, frozen=True):
    def parse(self, text: str) -> Millis:
        found = span(text)
        if found is None or found < 0:
            raise Invalid(f'"{text}" is no length; write 90s, 4m or 1h10m')
        return found

    def format(self, value: Millis) -> str:
        return f"{value // 1000}s"


OUTCOMES = ("reached", "voicemail", "no-answer", "busy", "wrong-number")
"""How a call ends."""


class _When(Param, frozen=True):
    def parse(self, text: str) -> str:
        from datetime import UTC

        if text != "reply":
            moment(text, 0, UTC)
        return " ".join(text.split())

    def resolve(self, value: str, resolver: Resolver) -> Millis | None:
        return None if value == "reply" else resolver.moment(value)


#: An address as people write one; how the outside world does is the e-mail channel's business.
_ADDRESS = re.compile(r"\s*(?:\"?(?P<name>[^<>\"]*?)\"?\s*<(?P<bracketed>[^<>\s]+)>|(?P<bare>[^<>\s,;\"]+))\s*")

_ITEM = re.compile(r'(?:"[^"]*"|[^,;"]|")+')
"""One address of several: a comma in a quoted name does not end it."""


#: Somebody who is reached otherwise: `matrix:@ann:example.org`.
_ELSEWHERE = re.compile(r"([a-z][a-z0-9]{1,19}):(?!//)(\S+)")


def address(text: str) -> Identity:
    """One mail address, or `KIND:VALUE` for somebody reached otherwise, with or without a name before it."""
    found = _ADDRESS.fullmatch(text)
    value = (found["bracketed"] or found["bare"]) if found else ""
    if found and (elsewhere := _ELSEWHERE.fullmatch(value)) and elsewhere[1] not in ("mailto", "email"):
        return Identity(elsewhere[1], elsewhere[2], " ".join((found["name"] or "").split()))
    local, at, domain = value.rpartition("@")
    if (
        not found
        or not at
        or not local
        or not domain
        or ".." in domain
        or domain.startswith(".")
        or any(ord(c) < 33 for c in value)
    ):
        raise Invalid(
            f'"{text.strip()}" is not a mail address; write ann@example.com or "Ann Example <ann@example.com>"'
        )
    return Identity("email", value.lower(), " ".join((found["name"] or "").split()))


def written(identity: Identity) -> str:
    """An address as it is typed; a name that could end an address early is put in quotes."""
    value = identity.value if identity.kind == "email" else f"{identity.kind}:{identity.value}"
    if not identity.display:
        return value
    name = f'"{identity.display}"' if set(identity.display) & set(",;") else identity.display
    return f"{name} <{value}>"


class _Address(Param, frozen=True):
    def parse(self, text: str) -> str:
        return written(address(text))

    def resolve(self, value: str, resolver: Resolver) -> Identity:
        return address(value)


class _Person(Param, frozen=True):
    def parse(self, text: str) -> str:
        words = text.strip()
        return words.lstrip("#") if re.fullmatch(r"#?\d{1,15}", words) else written(address(words))

    def tickets(self, value: str) -> tuple[int, ...]:
        return (int(value),) if value.isdigit() else ()

    def resolve(self, value: str, resolver: Resolver) -> Ticket | Identity:
        return resolver.ticket(int(value)) if value.isdigit() else address(value)


class _Addresses(Param, frozen=True):
    def parse(self, text: str) -> tuple[str, ...]:
        items = _ITEM.findall(text)
        return tuple(dict.fromkeys(written(address(item)) for item in items if item.strip()))

    def fill(self, text: str, expand: Callable[[str], str]) -> tuple[str, ...]:
        # One by one: no comma in what somebody calls themselves adds a recipient.
        items = [expand(item) for item in _ITEM.findall(text)]
        return tuple(dict.fromkeys(written(address(item)) for item in items if item.strip()))

    def format(self, value: tuple[str, ...]) -> str:
        return ", ".join(value)

    def resolve(self, value: tuple[str, ...], resolver: Resolver) -> tuple[Identity, ...]:
        return tuple(address(item) for item in value)


class _Files(Param, frozen=True):
    def parse(self, text: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            raise Invalid(f"{text} are not files: {str(error).lower()}; write a.pdf 'with spaces.pdf'") from error

    def fill(self, text: str, expand: Callable[[str], str]) -> tuple[str, ...]:
        if "{{" in text or "{%" in text:
            raise Invalid("files are written out: a placeholder could name any file of this machine")
        return self.parse(text)

    def format(self, value: tuple[str, ...]) -> str:
        return shlex.join(value)

    def resolve(self, value: tuple[str, ...], resolver: Resolver) -> tuple[Attachment, ...]:
        return tuple(resolver.file(path) for path in value)


class _Flag(Param, frozen=True):
    def parse(self, text: str) -> bool:
        return text.lower() in ("", "yes", "true", "1")


class _Text(Param, frozen=True):
    def parse(self, text: str) -> str:
        folded = " ".join(text.split())
        if not folded:
            raise Invalid(f"the {self.word} is empty; write some words")
        return folded


class _Body(Param, frozen=True):
    def parse(self, text: str) -> str:
        return text.replace("\r\n", "\n")


LINKS = {
    "related": "related",
    "parent": "child",
    "child": "parent",
    "duplicate-of": "duplicated-by",
    "duplicated-by": "duplicate-of",
}
"""The kinds of link a person can make, each with the one that stands on the other ticket."""

AgentRef = Annotated[str | None, _Agent("agent")]
TeamRef = Annotated[str | None, _Team("team")]
TicketRef = Annotated[Ticket, _Ticket("ticket")]
MessageRefs = Annotated[tuple[Message, ...], _Messages("messages", many=True)]
Tags = Annotated[tuple[str, ...], _Tags("tags", many=True)]
StatusName = Annotated[Status, _Status("status", choices=tuple(s.value for s in Status))]
PriorityName = Annotated[Priority, _Priority("priority", choices=tuple(str(p) for p in Priority))]
LinkKind = Annotated[str, _Choice("kind", choices=tuple(LINKS))]
Way = Annotated[str, _Choice("way", choices=WAYS)]
Outcome = Annotated[str, _Choice("outcome", choices=OUTCOMES)]
Length = Annotated[Millis | None, _Length("length")]
Word = Annotated[str | None, Param("word")]
When = Annotated[Millis | None, _When("when", many=True)]
Address = Annotated[Identity, _Address("address", rest=True)]
Person = Annotated[Ticket | Identity, _Person("person", rest=True)]
Addresses = Annotated[tuple[Identity, ...], _Addresses("addresses", rest=True)]
Files = Annotated[tuple[Attachment, ...], _Files("files")]
Flag = Annotated[bool, _Flag("flag")]
Text = Annotated[str, _Text("text", rest=True)]
Body = Annotated[str, _Body("body", rest=True)]
