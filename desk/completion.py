"""What a line being typed may become: verbs with their arguments, and the fields of a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from desk.actions import Action, Argument
from desk.query import FIELDS


class Choice(Struct, frozen=True):
    """One possibility: what the whole line becomes, how it is shown, what it means, and the line it runs."""

    text: str
    label: str
    hint: str = ""
    key: str = ""


class Known(Struct):
    """What can be typed here: verbs of the desk and of the front end, agents, teams, tags seen, earlier lines.

    `accounts` are their names, each with the channel it is of.
    """

    actions: Mapping[str, Action]
    verbs: Mapping[str, str] = field(default_factory=dict)
    agents: Sequence[str] = ()
    teams: Sequence[str] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)


def command(line: str, known: Known) -> list[Choice]:
    """What may follow in the command line `line`; only its last statement counts."""
    before, _, last = line.rpartition(";")
    lead = f"{before}; " if before else ""
    last = last.lstrip()
    verb, space, rest = last.partition(" ")
    if not space:
        return [Choice(f"{lead}{name} ", name, hint) for name, hint in _verbs(verb, known)]
    action = known.actions.get(verb)
    if action is None:
        return []
    usage = Choice(line, action.usage, action.summary)
    begun, _, word = rest.rpartition(" ")
    words = [w for w in begun.split(" ") if w]
    stem = f"{lead}{verb} {begun}{' ' if begun else ''}"
    if word.startswith("--"):
        options = [a for a in action.arguments if a.option and f"--{a.name}".startswith(word)]
        return [usage, *(Choice(f"{stem}--{a.name} ", f"--{a.name}", _kind(a)) for a in options)]
    return [
        usage,
        *(
            Choice(stem + value, value)
            for value in values(_expected(action, words), known)
            if value.startswith(word) and value != word
        ),
    ]


def _verbs(begun: str, known: Known) -> list[tuple[str, str]]:
    names = {**known.verbs, **{name: action.summary for name, action in known.actions.items()}}
    found = [(name, hint) for name, hint in sorted(names.items()) if name.startswith(begun)]
    return found or [(name, hint) for name, hint in sorted(names.items()) if begun in name]


def _kind(argument: Argument) -> str:
    return "" if argument.param.word == "flag" else argument.param.word


def _expected(action: Action, words: Sequence[str]) -> Argument | None:
    """Which argument the next word belongs to."""
    if words and words[-1].startswith("--"):
        option = next((a for a in action.arguments if a.option and f"--{a.name}" == words[-1]), None)
        if option and option.param.word != "flag":
            return option
    given = len([w for w in words if not w.startswith("--")])
    positional = [a for a in action.arguments if not a.option]
    if not positional:
        return None
    return positional[min(given, len(positional) - 1)] if given < len(positional) or positional[-1].param.many else None


def values(argument: Argument | None, known: Known) -> Iterable[str]:
    """What an argument can be, as far as that is known."""
    if argument is None:
        return ()
    if argument.name == "account":
        return sorted(known.accounts)
    match argument.param.word:
        case "agent":
            return ("me", "none", *known.agents)
        case "team":
            return ("none", *known.teams)
        case "tags":
            return sorted(known.tags)
        case "when":
            return ("2h", "4h", "tomorrow", "monday", "1w", "reply")
    return argument.param.choices


def unfinished(line: str) -> bool:
    """Whether the query `line` ends with what may become the name of a field."""
    word = line.rpartition(" ")[2].removeprefix("-")
    return bool(word) and any(name.startswith(word) for name in FIELDS)


def query(line: str, known: Known) -> list[Choice]:
    """What may follow in the query `line`."""
    begun, space, word = line.rpartition(" ")
    stem = begun + space
    name, colon, value = word.partition(":")
    sign = "-" if name.startswith("-") else ""
    name = name.removeprefix("-")
    if not colon:
        if not name and line:
            return []
        fields = [(n, f) for n, f in FIELDS.items() if n.startswith(name)]
        return [Choice(f"{stem}{sign}{n}:", f"{n}:", f.help) for n, f in fields]
    if name not in FIELDS:
        return []
    choices: Iterable[str] = FIELDS[name].choices
    if name in ("assignee", "team"):
        choices = ("me", "none", *known.agents) if name == "assignee" else ("mine", "none", *known.teams)
    elif name == "tag":
        choices = ("none", *sorted(known.tags))
    elif name == "channel":
        choices = sorted({*known.accounts.values(), *known.accounts})
    hint = Choice(line, f"{name}:", FIELDS[name].help)
    return [hint, *(Choice(f"{stem}{sign}{name}:{c}", c) for c in choices if c.startswith(value) and c != value)]
