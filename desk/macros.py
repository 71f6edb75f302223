"""Macros: a named list of command lines, filled in for each ticket, done as one batch with one undo.

First everything is prepared from what the store holds now: the tickets for which the macro's
condition holds, and the calls for each, every placeholder filled. Nothing is changed and
nobody waits meanwhile. Then `run` does the calls, and leaves alone what somebody changed
in between. What is previewed is therefore exactly what is done.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal

from msgspec import Struct, field

from desk import lines
from desk.actions import find
from desk.config import DeskConfig
from desk.dates import iso
from desk.errors import DeskError, Forbidden, Invalid, KeyProblem, NotFound
from desk.lines import Call, Draft
from desk.model import Agent, Millis, Role
from desk.perform import Desk, Outcome, Who, perform
from desk.permissions import demand
from desk.placeholders import asked, data, demand_known, last_said
from desk.query import All, Env, Is, parse, suggest
from desk.store import Row, Store
from desk.tables import Checked, Entry, built, checked, once
from desk.templates import expand
from desk.when import day, moment

CHUNK = 500
"""Tickets that are looked at together."""


class Input(Struct, frozen=True):
    """`[[macros.NAME.inputs]]`: something a macro asks for; its placeholder is `{{ input.NAME }}`."""

    name: str
    title: str = ""
    kind: Literal["text", "choice", "date", "agent"] = "text"
    choices: tuple[str, ...] = ()
    default: str = ""
    required: bool = True

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise KeyProblem("name", f'"{self.name}" is no name for an input: letters, digits and _')
        if (self.kind == "choice") != bool(self.choices):
            raise KeyProblem("choices", f'{self.name}: choices = ["..."] belong to kind = "choice", and to no other')
        if self.choices and self.default and self.default not in self.choices:
            raise KeyProblem("default", f'{self.name}: the default "{self.default}" is none of the choices')

    @property
    def label(self) -> str:
        """What a person is asked."""
        return self.title or self.name.replace("_", " ")


class Macro(Struct, frozen=True):
    """`[macros.NAME]`: command lines with placeholders, what they ask for, and where they are offered."""

    do: tuple[str, ...]
    title: str = ""
    description: str = ""
    key: str = ""
    when: str = ""
    inputs: tuple[Input, ...] = ()
    then: Literal["stay", "next", "close"] = "stay"
    team: str = ""

    def __post_init__(self) -> None:
        if not self.do:
            raise KeyProblem("do", 'a macro does something: do = ["tag vpn", "assign me"]')
        twice = [one.name for place, one in enumerate(self.inputs) if one.name in {i.name for i in self.inputs[:place]}]
        if twice:
            raise KeyProblem("inputs", f'there are two inputs "{twice[0]}"')


@once
def load(config: DeskConfig) -> Checked[Macro]:
    """The macros that are right, and what is wrong with the others."""

    def make(entry: Entry) -> Macro:
        macro = built(entry, Macro)
        check(macro)
        return macro

    return checked(config, "macros", make)


def check(macro: Macro) -> None:
    """Raise a KeyProblem for what would go wrong on every ticket: verbs, arguments, queries, placeholders."""
    try:
        parse(macro.when, Env(0))
    except Invalid as error:
        raise KeyProblem("when", str(error)) from error
    for line in macro.do:
        try:
            _check_line(lines.draft(line), [one.name for one in macro.inputs])
        except DeskError as error:
            raise KeyProblem("do", f'"{_short(line)}": {error}') from error


def _check_line(draft: Draft, inputs: Sequence[str]) -> None:
    action = find(draft.verb)
    if action.creates:
        raise Invalid(f"{action.name} makes a new ticket, a macro acts on those that are there")
    for argument in action.arguments:
        text = draft.args.get(argument.name)
        if not isinstance(text, str):
            continue
        demand_known(text, inputs)
        if "{{" not in text and "{%" not in text:
            argument.param.parse(text)
        elif argument.param.word == "files":
            argument.param.fill(text, str)


def _short(line: str) -> str:
    folded = " ".join(line.split())
    return folded if len(folded) <= 60 else f"{folded[:59]}…"


# -- what it asks for -------------------------------------------------------------


def typed(line: str) -> tuple[str, Mapping[str, str]]:
    """The name of a macro and what it is given, as somebody types them: `refund amount=12 reason=two parcels`."""
    # Who is asked for a value types words, apostrophes among them, and no quotes around them.
    try:
        name, *words = shlex.split(line)
    except ValueError:
        name, *words = line.split()
    given: dict[str, str] = {}
    key = ""
    for word in words:
        if key and "=" not in word:
            given[key] = f"{given[key]} {word}".strip()
            continue
        key, equals, value = word.partition("=")
        if not equals:
            raise Invalid(f'"{word}" sets nothing; write {word}=VALUE')
        given[key] = value
    return name, given


def missing(inputs: Sequence[Input], given: Mapping[str, str]) -> list[Input]:
    """The inputs that must be given and are not."""
    return [one for one in inputs if one.required and not given.get(one.name) and not one.default]


def answers(
    inputs: Sequence[Input], given: Mapping[str, str], *, store: Store, agent: Agent, at: Millis, zone: tzinfo
) -> dict[str, str]:
    """The inputs as templates get them; Invalid names those that are missing, or cannot be what was given."""
    known = {one.name: one for one in inputs}
    for name in given:
        if name not in known:
            raise Invalid(f'it does not ask for "{name}"{suggest(name, tuple(known))}')
    if left := missing(inputs, given):
        raise Invalid(f"it asks for {', '.join(one.name for one in left)}; add --set {left[0].name}=...")
    found: dict[str, str] = {}
    for one in inputs:
        text = given.get(one.name) or one.default
        if text:
            try:
                found[one.name] = _answer(one, text, store, agent, at, zone)
            except DeskError as error:
                raise Invalid(f"{one.name}: {error}") from error
    return found


def _answer(one: Input, text: str, store: Store, agent: Agent, at: Millis, zone: tzinfo) -> str:
    if one.kind == "choice" and text not in one.choices:
        raise Invalid(f'"{text}" is none of the choices{suggest(text, one.choices)}')
    if one.kind == "date":
        whole = day(text, at, zone)
        if whole and len(text) <= 10:
            return datetime.fromtimestamp(whole[0] / 1000, zone).date().isoformat()
        return iso(moment(text, at, zone), zone) or ""
    if one.kind == "agent":
        name = agent.name if text == "me" else text.lower()
        agents = [a.name for a in store.agents().values() if a.active]
        if name not in agents:
            raise NotFound(f'there is no agent "{text}"{suggest(name, agents)}')
        return name
    return text


# -- preparing ----------------------------------------------------------------------


class Prepared(Struct, frozen=True):
    """What is to be done with each ticket, as it was seen in this version; and which are left alone, and why."""

    name: str
    calls: Mapping[int, Sequence[Call]] = field(default_factory=dict)
    versions: Mapping[int, int] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)


def offered(macro: Macro, agent: Agent | None) -> bool:
    """Whether the macro is for this agent: it names no team, or theirs. Leads have all of them."""
    return not macro.team or (agent is not None and (macro.team in agent.teams or agent.role.rank >= Role.LEAD.rank))


def prepare(
    desk: Desk, name: str, macro: Macro, ids: Sequence[int], who: Who, *, at: Millis, given: Mapping[str, str]
) -> Prepared:
    """Fill the macro in for each of the tickets `ids`. With one ticket a failure raises; of several it is listed."""
    agent = demand(who.agent, f"macro {name}", Role.AGENT)
    if not offered(macro, agent):
        raise Forbidden(f"the macro {name} is for the team {macro.team}; ask a lead, or an admin to add you to it")
    inputs = answers(macro.inputs, given, store=desk.store, agent=agent, at=at, zone=who.zone)
    drafts = [lines.draft(line) for line in macro.do]
    texts = [text for draft in drafts for text in draft.args.values() if isinstance(text, str)]
    reads = any(wanted.partition(".")[0] == "message" for wanted in asked(texts))

    def calls(row: Row) -> list[Call]:
        said = last_said(desk.store.thread(row.ticket.id)) if reads else None
        known = data(
            row.ticket, row.customer, said, agent=agent, config=desk.config, at=at, zone=who.zone, inputs=inputs
        )
        return [draft.filled(lambda text: expand(text, known)) for draft in drafts]

    return prepare_each(desk.store, name, macro.when, ids, who, calls, at=at)


def prepare_each(
    store: Store, name: str, when: str, ids: Sequence[int], who: Who, calls: Callable[[Row], Sequence[Call]], *, at: Millis,
    progress: Callable[[int], None] | None = None,
) -> Prepared:  # fmt: skip
    """Ask `calls` what to do with each of the tickets `ids` for which the query `when` holds."""
    wanted = list(dict.fromkeys(ids))
    of_each: dict[int, Sequence[Call]] = {}
    versions: dict[int, int] = {}
    skipped: dict[int, str] = {}
    for done, (number, row) in enumerate(_rows(store, wanted, when, who, at, skipped), 1):
        try:
            of_each[number] = calls(row)
        except DeskError as error:
            if len(wanted) == 1:
                raise
            skipped[number] = str(error)
        else:
            versions[number] = row.ticket.version
        if progress:
            progress(done)
    if len(wanted) == 1 and skipped:
        store.ticket(wanted[0])
        raise Invalid(skipped[wanted[0]])
    return Prepared(name, {n: c for n, c in of_each.items() if c}, versions, skipped)


def _rows(
    store: Store, ids: Sequence[int], when: str, who: Who, at: Millis, skipped: dict[int, str]
) -> Iterator[tuple[int, Row]]:
    agent = who.agent
    env = Env(at, agent.name if agent else None, agent.teams if agent else (), who.zone)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        # The version is read before the condition: whatever changes from then on is noticed.
        rows = {row.ticket.id: row for row in store.rows(chunk)}
        holds = set(store.ids(All((parse(when, env), Is("id", tuple(chunk)))))) if when else set(chunk)
        for number in chunk:
            if number not in rows:
                skipped[number] = f"there is no ticket #{number}"
            elif number not in holds:
                skipped[number] = f"it is offered only where this holds: {when}"
            else:
                yield number, rows[number]


def run(
    desk: Desk,
    prepared: Prepared,
    who: Who,
    *,
    at: Millis,
    batch_id: str,
    source: str = "",
    dry_run: bool = False,
    **more: Any,
) -> Outcome:
    """Do what was prepared, as one batch; `source` is said beside the macro in the log, `more` goes to `perform`."""
    line = f"macro {prepared.name}"
    source = f"macro:{prepared.name}" + (f", {source}" if source else "")
    if not prepared.calls:
        return Outcome(batch_id, line, skipped=dict(prepared.skipped))
    try:
        outcome = perform(
            desk, prepared.calls, list(prepared.calls), who, at=at, batch_id=batch_id, line=line,
            source=source, dry_run=dry_run, expect=prepared.versions, **more,
        )  # fmt: skip
    except DeskError as error:
        if not prepared.skipped or len(prepared.calls) > 1:
            raise
        # One that is left of several is listed like the others.
        outcome = Outcome(batch_id, line, skipped={next(iter(prepared.calls)): str(error)})
    outcome.skipped = {**prepared.skipped, **outcome.skipped}
    return outcome
