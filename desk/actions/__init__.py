"""Every verb of the desk, once.

A function under `@action` is at the same time a verb of the CLI, a line of the
command prompt, a palette entry, a key and a permission. Its signature says what it
takes, its docstring is its help. Actions are pure: they see a loaded ticket, their
arguments and the context, and return events.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Struct

from desk.config import DeskConfig
from desk.errors import NotFound
from desk.events import Event
from desk.model import Account, Agent, Contact, Customer, Identity, Message, Millis, Role, Ticket
from desk.params import Param
from desk.query import suggest


class Context(Struct, frozen=True):
    """What an action may know besides the ticket: when, who, how the desk is set up.

    What is a function is loaded only when asked for: `workload` is how many tickets keep each
    agent busy, `previous` who had a ticket, or the customer's others, before. `new_id` gives the number
    of a new "ticket", "message" or "delivery"; `contacts` is where a customer
    was heard beyond mail; `sign` the token that proves a reply
    belongs to a ticket.
    """

    at: Millis
    agent: Agent
    config: DeskConfig
    accounts: Mapping[str, Account]
    new_id: Callable[[str], int]
    sign: Callable[[int], str]
    thread: Callable[[Ticket], Sequence[Message]]
    customer: Callable[[int], Customer]
    contacts: Callable[[int], Sequence[Contact]]
    identities: Callable[[int], list[Identity]]
    tickets_of: Callable[[int], list[Ticket]]
    separate: Callable[[Identity], Customer]
    customer_for: Callable[[Any], Customer]
    agents: Callable[[], Mapping[str, Agent]]
    workload: Callable[[], Mapping[str, int]]
    previous: Callable[[Ticket], Sequence[str]]


class Argument(Struct, frozen=True):
    """One argument of a verb: its kind, and whether it may be left out."""

    name: str
    param: Param
    required: bool
    option: bool
    default: Any = None


class Action(Struct, frozen=True, dict=True):
    """A verb."""

    name: str
    run: Callable[..., list[Event]]
    keys: str = ""
    role: Role = Role.AGENT
    creates: bool = False
    help: str = ""

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """What the verb takes, positional ones first, in the order of its signature."""
        hints = get_type_hints(self.run, include_extras=True)
        found: list[Argument] = []
        for name, parameter in inspect.signature(self.run).parameters.items():
            if name in ("ticket", "ctx"):
                continue
            hint = hints[name]
            assert get_origin(hint) is Annotated, f"{self.name}: {name} needs a type of desk.params"
            required = parameter.default is inspect.Parameter.empty
            option = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            param: Param = get_args(hint)[1]
            found.append(Argument(name.rstrip("_"), param, required, option, None if required else parameter.default))
        return tuple(found)

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        return self.help.partition("\n")[0]

    @cached_property
    def usage(self) -> str:
        """How the verb is written: `assign AGENT`."""
        words = [self.name]
        for argument in self.arguments:
            if argument.option:
                value = "" if argument.param.word == "flag" else f" {argument.param.word.upper()}"
                words.append(f"--{argument.name}{value}" if argument.required else f"[--{argument.name}{value}]")
            else:
                word = "|".join(argument.param.choices) or argument.param.word.upper()
                words.append(word if argument.required else f"[{word}]")
        return " ".join(words)


ACTIONS: dict[str, Action] = {}
"""The registry, filled by importing the modules of this package (`load`)."""

_ROOMS = ("flow", "people", "persons", "labels", "talk", "phone", "shape")


def action(
    *, keys: str = "", role: Role = Role.AGENT, creates: bool = False
) -> Callable[[Callable[..., list[Event]]], Callable[..., list[Event]]]:
    """Make a function a verb of the desk, named as the function."""

    def register(run: Callable[..., list[Event]]) -> Callable[..., list[Event]]:
        name = run.__name__.rstrip("_").replace("_", "-")
        assert name not in ACTIONS, f"the verb {name} exists already"
        ACTIONS[name] = Action(name, run, keys, role, creates, inspect.cleandoc(run.__doc__ or ""))
        return run

    return register


def load() -> dict[str, Action]:
    """All verbs by name."""
    if len(ACTIONS) == 0:
        for room in _ROOMS:
            importlib.import_module(f"desk.actions.{room}")
    return ACTIONS


def find(name: str) -> Action:
    """The verb called `name`; NotFound names the nearest one."""
    verbs = load()
    if name not in verbs:
        raise NotFound(f'there is no verb "{name}"{suggest(name, tuple(verbs))}')
    return verbs[name]
