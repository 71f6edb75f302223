"""Command lines: `assign me`, `tag vpn urgent`, `reply --all Thank you.; solve`.

The same line is a key, a palette entry, a macro step, a rule's consequence and a verb
of the CLI. A quote counts only where a word begins, so that plain English needs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from desk.actions import Action, Argument, find
from desk.errors import Invalid

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"(?=[\s;]|$)|'([^']*)'(?=[\s;]|$)|(\S+))""", re.DOTALL)
_STATEMENT = re.compile(
    r"""(?:(?<![^\s;])"(?:[^"\\]|\\.)*"(?=[\s;]|$)|(?<![^\s;])'[^']*'(?=[\s;]|$)|[^;])+""", re.DOTALL
)
_PLAIN = re.compile(r"""[^\s"';\\-][^\s;\\]*""")


@dataclass(frozen=True)
class Call:
    """A verb with its arguments as plain values, not yet given their meaning."""

    verb: str
    args: Mapping[str, Any] = field(default_factory=dict)


def parse(line: str) -> Call:
    """The call that `line` asks for; Invalid or NotFound say what is wrong with it."""
    verb, rest = _word(line)
    if not verb:
        raise Invalid("the line is empty; write a verb, for example: assign me")
    action = find(verb)
    return Call(action.name, _arguments(action, rest))


def script(text: str) -> list[Call]:
    """The calls of several lines, separated by `;`."""
    return [parse(part) for part in _STATEMENT.findall(text) if part.strip()]


def bind(action: Action, given: Mapping[str, Any]) -> Call:
    """A call from texts by argument name, as a form or a CLI gives them; values that are not text stay."""
    known = {argument.name: argument for argument in action.arguments}
    args = {name: known[name].param.parse(value) if isinstance(value, str) else value for name, value in given.items()}
    _require(action, args)
    return Call(action.name, args)


def format(call: Call) -> str:
    """The line that `parse` reads as `call`."""
    words = [call.verb]
    arguments = find(call.verb).arguments
    for argument in (*(a for a in arguments if a.option), *(a for a in arguments if not a.option)):
        if argument.name not in call.args:
            continue
        value = call.args[argument.name]
        if argument.option and argument.param.word == "flag":
            words += [f"--{argument.name}"] if value else []
            continue
        text = argument.param.format(value)
        if argument.option:
            words += [f"--{argument.name}", quote(text)]
        else:
            words.append(
                text if argument.param.many and all(_PLAIN.fullmatch(w) for w in text.split()) else quote(text)
            )
    return " ".join(words)


def quote(text: str) -> str:
    """`text` as one word of a line."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _word(text: str) -> tuple[str, str]:
    found = _WORD.match(text)
    if not found:
        return "", ""
    double, single, plain = found.groups()
    if double is not None:
        return re.sub(r"\\(.)", r"\1", double, flags=re.DOTALL), text[found.end() :]
    return single if single is not None else plain, text[found.end() :]


def _arguments(action: Action, rest: str) -> dict[str, Any]:
    options = {a.name: a for a in action.arguments if a.option}
    args: dict[str, Any] = {}
    while found := re.match(r"\s*--([a-z-]*)(?=[\s=]|$)=?", rest):
        rest = rest[found.end() :]
        name = found[1]
        if not name:
            break
        if name not in options:
            from desk.query import suggest

            raise Invalid(f'{action.name} has no option "--{name}"{suggest(name, tuple(options))}')
        if options[name].param.word == "flag":
            args[name] = True
            continue
        text, rest = _word(rest)
        args[name] = options[name].param.parse(text)
    for argument in (a for a in action.arguments if not a.option):
        value, rest = _value(argument, rest)
        if value is not None:
            args[argument.name] = argument.param.parse(value)
    if rest.strip():
        raise Invalid(f'{action.name} does not take "{rest.strip()}"; it is written: {action.usage}')
    _require(action, args)
    return args


def _value(argument: Argument, rest: str) -> tuple[str | None, str]:
    if not rest.strip():
        return None, ""
    if argument.param.rest or argument.param.many:
        word, left = _word(rest)
        if rest.lstrip()[:1] in "\"'" and not left.strip():
            return word, ""
        return rest.strip(), ""
    return _word(rest)


def _require(action: Action, args: Mapping[str, Any]) -> None:
    missing = next((a for a in action.arguments if a.required and a.name not in args), None)
    if missing:
        raise Invalid(f"{action.name} needs {_article(missing.param.word)}; it is written: {action.usage}")


def _article(word: str) -> str:
    several = word.endswith("s") and not word.endswith(("ss", "us"))
    return word if several else f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def title(calls: Iterable[Call]) -> str:
    """The calls as one line, bodies shortened: what the log and undo show."""
    shown = []
    for call in calls:
        line = " ".join(format(call).split())
        shown.append(line if len(line) <= 120 else line[:119] + "…")
    return "; ".join(shown)
