"""Executables as macros: programs in a folder `macros` that say so, and what they ask to be done.

A program gets the ticket as JSON on its standard input and prints command lines, one each
line. Its header says what it is:

    # deskhand-macro: Close with thanks
    # deskhand-macro-when: is:pending
    # deskhand-macro-input: reason text Why is it closed?
    # deskhand-macro-timeout: 20
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import output, personal
from cli.wiring import Session
from desk import lines
from desk.actions import find
from desk.errors import ConfigError, DeskError, Invalid, KeyProblem, NotFound
from desk.lines import Call
from desk.macros import Input, Prepared, answers, prepare_each
from desk.model import Millis, Role
from desk.permissions import demand
from desk.query import Env, parse, suggest
from desk.store import Row
from desk.text import clean
from relay.programs import LIMIT_S, LONGEST_S, demand_trusted, run

HEADER_BYTES = 4096
"""How far into a file its header is looked for."""

_LINE = re.compile(rb"^[ \t]*(?:#|//|--|;)[ \t]*deskhand-macro(-[a-z]+)?:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_SHOWN = 2_000


@dataclass(frozen=True)
class Program:
    """An executable as a macro; `personal` when it is the agent's own."""

    name: str
    path: Path
    title: str
    when: str = ""
    inputs: tuple[Input, ...] = ()
    limit_s: float = LIMIT_S
    personal: bool = False


def found() -> tuple[dict[str, Program], dict[str, ConfigError]]:
    """The programs of the team and the agent's own, which cover those; and what is wrong with others, by name."""
    programs: dict[str, Program] = {}
    errors: dict[str, ConfigError] = {}
    for folder, own in personal.folders():
        try:
            files = sorted(folder.iterdir())
        except OSError:
            continue
        for path in files:
            try:
                program = read(path, own=own)
            except ConfigError as error:
                errors[path.stem] = error
                continue
            if program is not None:
                programs[program.name] = program
    return programs, errors


def read(path: Path, *, own: bool = True) -> Program | None:
    """The program at `path`; None when it says nothing of being a macro. ConfigError says what is wrong with it."""
    if path.suffix in (".toml", ".md") or not path.is_file():
        return None
    try:
        with path.open("rb") as handle:
            head = handle.read(HEADER_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    told = [
        (key.decode(), text.decode("utf-8", "replace"), head[:at].count(b"\n") + 1) for key, text, at in _told(head)
    ]
    title = next((text for key, text, _ in told if not key), None)
    if title is None:
        return None
    when, inputs, limit = "", [], LIMIT_S
    for key, text, line in told:
        try:
            if key == "-when":
                parse(text, Env(0))
                when = text
            elif key == "-input":
                inputs.append(_input(text))
            elif key == "-timeout":
                limit = _limit(text)
            elif key:
                known = ("when", "input", "timeout")
                raise Invalid(f'"deskhand-macro{key}" means nothing{suggest(key[1:], known)}')
        except (DeskError, KeyProblem) as error:
            raise ConfigError(f"{path}, line {line}: {error}") from error
    try:
        demand_trusted(path, {os.getuid()})
    except DeskError as error:
        raise ConfigError(str(error)) from error
    if not os.access(path, os.X_OK):
        raise ConfigError(f"{path} is not executable; chmod u+x {path}")
    return Program(path.stem, path, clean(title), when, tuple(inputs), limit, own)


def _told(head: bytes) -> list[tuple[bytes, bytes, int]]:
    return [(line[1] or b"", line[2], line.start()) for line in _LINE.finditer(head)]


def _input(text: str) -> Input:
    """`name kind title`; the choices of a choice stand in parentheses: `colour choice(red,blue) Which one?`."""
    parts = re.fullmatch(r"(\w+)(?:\s+(text|date|agent|choice)(?:\(([^)]*)\))?)?(?:\s+(.*))?", text)
    if not parts:
        raise Invalid(f'"{text}" is no input; write: name kind title, the kind being text, choice(a,b), date or agent')
    name, kind, choices, title = parts.groups()
    of_it = tuple(choice.strip() for choice in (choices or "").split(",") if choice.strip())
    return Input(name, title or "", kind or "text", of_it)  # type: ignore[arg-type]  # one of them, by the pattern


def _limit(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise Invalid(f'"{text}" is no time limit; write seconds, at most {LONGEST_S:.0f}')
    return seconds


def prepare(
    here: Session, program: Program, ids: Sequence[int], *, at: Millis, given: Mapping[str, str],
    tell: Callable[[str], None] = output.say, progress: Callable[[int], None] | None = None,
) -> Prepared:  # fmt: skip
    """Ask the program what to do with each ticket. It changes nothing itself; what it says is done like a macro."""
    who = here.who()
    agent = demand(who.agent, f"macro {program.name}", Role.AGENT)
    store = here.store()
    inputs = answers(program.inputs, given, store=store, agent=agent, at=at, zone=who.zone)
    # Again, right before it is run: it may have been a while since the folder was looked through.
    demand_trusted(program.path, {os.getuid()})

    def calls(row: Row) -> list[Call]:
        number = row.ticket.id
        whole = output.whole_json(row, store.thread(number), store.effort(number), at)
        whole |= {"input": inputs, "agent": agent.name}
        data = json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")
        ran = run(program.path, data, limit_s=program.limit_s, env={"DESKHAND_MACRO": program.name})
        if ran.err.strip():
            tell(_cut(ran.err, f"{program.name}: "))
        if not ran.well:
            raise Invalid(f"{ran.trouble}; nothing is done" + _printed(ran.out))
        try:
            wanted = lines.listing(ran.out)
            for call in wanted:
                if find(call.verb).creates:
                    raise Invalid(f"{call.verb} makes a new ticket, a macro acts on those that are there")
        except (Invalid, NotFound) as error:
            raise Invalid(
                f"{program.name} printed no command lines: {clean(str(error))}; nothing is done" + _printed(ran.out)
            ) from error
        return wanted

    return prepare_each(store, program.name, program.when, ids, who, calls, at=at, progress=progress)


def _printed(text: str) -> str:
    return f". It printed:\n{_cut(text, '  ')}" if text.strip() else ""


def _cut(text: str, before: str) -> str:
    shown = clean(text.strip()[:_SHOWN])
    return "\n".join(before + line for line in shown.splitlines()) + ("\n..." if len(text.strip()) > _SHOWN else "")
