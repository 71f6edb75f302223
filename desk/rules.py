"""The team's rules, `[rules.NAME]`: on what happens, when a query asks for the ticket, what is done.

    [rules.vip]
    on = "created"
    when = "org:acme"
    do = ["team network", "priority high"]

A rule sees the ticket as the rules before it left it. It never acts on what followed from
itself, nor at the end of a chain of more than `DEEPEST` rules: so rules end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from desk.actions import find
from desk.conditions import Condition
from desk.cron import Cron
from desk.cron import parse as parse_cron
from desk.errors import DeskError, Invalid, KeyProblem
from desk.lines import Call, Draft, draft
from desk.model import Customer, Message, Millis, Ticket
from desk.news import HAPPENINGS, News
from desk.permissions import RULES
from desk.placeholders import asked, data, demand_known, last_said
from desk.tables import Checked, Entry, built, checked, once
from desk.templates import expand
from desk.when import span, zone_named

if TYPE_CHECKING:
    from desk.config import DeskConfig

DEEPEST = 5
"""Rules that may act one because of the other."""

SOURCE = "rule:"
"""What the source of a rule's batches begins with; its name follows."""

Occasion = Literal[
    "created", "message-in", "message-out", "changed", "sla-warned", "sla-breached", "idle", "at"
]  # fmt: skip


OCCASIONS: tuple[str, ...] = get_args(Occasion)


class Rule(Struct, frozen=True, kw_only=True, dict=True):
    """`[rules.NAME]`: `on` one of these occasions, `when` the query holds, `do` these lines."""

    on: tuple[Occasion, ...]
    when: str = ""
    do: tuple[str, ...]
    idle: str = ""
    at: str = ""
    zone: str = "UTC"
    order: int = 0
    stop: bool = False
    enabled: bool = True
    name: str = ""

    NO_KEYS: ClassVar[tuple[str, ...]] = ("name",)

    def __post_init__(self) -> None:
        if not self.on:
            raise KeyProblem("on", 'a rule needs an occasion: on = "created"')
        if not self.do:
            raise KeyProblem("do", 'a rule needs something to do: do = ["tag vip"]')
        for key in ("idle", "at"):
            if (key in self.on) != bool(getattr(self, key)):
                shown = {"idle": '"3d"', "at": '"0 9 * * mon-fri"'}[key]
                raise KeyProblem(key, f'on = "{key}" and the key {key} = {shown} belong together')
        for key, read in (
            ("when", "condition"),
            ("do", "drafts"),
            ("idle", "idle_for"),
            ("zone", "time_zone"),
            ("at", "moments"),
        ):
            try:
                getattr(self, read)
            except DeskError as error:
                raise KeyProblem(key, str(error).partition("\n")[0]) from error
        if self.condition.asks - {"text"} and not set(self.on) <= set(HAPPENINGS):
            raise KeyProblem(
                "when", "was: and message: ask about something that happened; with idle and at nothing did"
            )

    @cached_property
    def condition(self) -> Condition:
        """The query, ready to be asked."""
        return Condition(self.when)

    @cached_property
    def drafts(self) -> tuple[Draft, ...]:
        """The lines, cut into verbs and arguments."""
        found = tuple(draft(line) for line in self.do)
        for one in found:
            _demand_fit(one)
        return found

    @cached_property
    def quotes(self) -> bool:
        """Whether the lines put in what the customer wrote last."""
        texts = [text for one in self.drafts for text in one.args.values() if isinstance(text, str)]
        return any(name.partition(".")[0] == "message" for name in asked(texts))

    @cached_property
    def idle_for(self) -> Millis:
        """How long nobody has to do anything until the rule acts; 0 for none that waits so."""
        length = span(self.idle) if self.idle else 0
        if length is None:
            raise Invalid(f'"{self.idle}" is no length of time; write 90m, 12h, 3d or 1w')
        return length

    @cached_property
    def time_zone(self) -> tzinfo:
        """The time zone of `at`."""
        return zone_named(self.zone)

    @cached_property
    def moments(self) -> Cron | None:
        """When the rule acts by the clock."""
        return parse_cron(self.at) if self.at else None

    def names(self, one: Draft) -> Iterator[tuple[str, str]]:
        """The agents and teams that a line names, each with its kind."""
        for argument in find(one.verb).arguments:
            text = one.args.get(argument.name)
            if (
                isinstance(text, str)
                and argument.param.word in ("agent", "team")
                and "{" not in text
                and text != "none"
            ):
                yield argument.param.parse(text), argument.param.word

    @property
    def source(self) -> str:
        """What the log calls it."""
        return f"{SOURCE}{self.name}"

    def waits_for(self, news: News, chain: Sequence[str]) -> bool:
        """Whether this is for the rule to look at; `chain` are the sources of the batches that led to it."""
        meant = not news.on.isdisjoint(self.on)
        return meant and self.enabled and not news.imported and not news.undone and self.source not in chain

    def calls(
        self,
        ticket: Ticket,
        customer: Customer,
        thread: Callable[[], Sequence[Message]],
        config: DeskConfig,
        at: Millis,
    ) -> list[Call]:
        """The lines with everything put in; Invalid names a value that is missing."""
        said = last_said(thread()) if self.quotes else None
        known = data(ticket, customer, said, agent=RULES, config=config, at=at, zone=self.time_zone)
        return [one.filled(lambda text: expand(text, known)) for one in self.drafts]


def _demand_fit(one: Draft) -> None:
    """Raise DeskError for what only a person can do, and for what would go wrong on every ticket."""
    action = find(one.verb)
    if action.creates or one.verb == "take":
        raise Invalid(f"{one.verb} is for people; a rule changes the ticket it looks at and is nobody's agent")
    for argument in action.arguments:
        if argument.param.word == "agent" and one.args.get(argument.name, argument.default) == "me":
            raise Invalid(f'a rule is nobody that "me" could be; name an agent: {action.usage}')
        text = one.args.get(argument.name)
        if not isinstance(text, str):
            continue
        if argument.param.word == "files":
            raise Invalid("a rule attaches no files; it runs where nobody's files are")
        demand_known(text)
        if "{{" not in text and "{%" not in text:
            argument.param.parse(text)


@once
def load(config: DeskConfig) -> Checked[Rule]:
    """All rules by name, in the order in which they are asked."""
    found = checked(config, "rules", _rule)
    in_order = sorted(found.items.items(), key=lambda pair: pair[1].order)
    return Checked(dict(in_order), found.errors)


def _rule(entry: Entry) -> Rule:
    # One occasion or line needs no list.
    several = {key: [entry.values[key]] for key in ("on", "do") if isinstance(entry.values.get(key), str)}
    return replace(built(replace(entry, values={**entry.values, **several}), Rule), name=entry.name)


def too_deep(chain: Sequence[str]) -> bool:
    """Whether so many rules led here, one because of the other, that no more may follow."""
    return sum(source.startswith(SOURCE) for source in chain) >= DEEPEST
