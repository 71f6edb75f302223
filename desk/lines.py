"""Command lines: `assign me`, `tag vpn urgent`, `reply --all Thank you.; solve`.

The same line is a key, a palette entry, a macro step, a rule's consequence and a verb
of the CLI. A quote counts only where a word begins, so that plain English needs none.

A line with placeholders (`reply Hello {{ customer.name }}`) is first a `Draft`: cut into
verb and arguments as it was written, then filled. What is put in can therefore never
become another argument, let alone another verb.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from desk.actions import Action, Argument, find
from desk.errors import Invalid
from desk.templates import PLACEHOLDER

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"(?=[\s;]|$)|'([^']*)'(?=[\s;]|$)|(\S+))""", re.DOTALL)
_STATEMENT = re.compile(
    r"""(?:(?<![^\s;])"(?:[^"\\]|\\.)*"(?=[\s;]|$)|(?<![^\s;])'[^']*'(?=[\s;]|$)|[^;])+""", re.DOTALL
)
_ROW = re.compile(r"""(?:(?<!\S)"(?:[^"\\]|\\.)*"(?=\s|$)|(?<!\S)'[^']*'(?=\s|$)|[^\n])+""", re.DOTALL)
_PLAIN = re.compile(r"""[^\s"';\\-][^\s;\\]*""")


class Call(Struct, frozen=True):
    """A verb with its arguments as plain values, not yet given their meaning."""

    verb: str
    args: Mapping[str, Any] = field(default_factory=dict)


class Draft(Struct, frozen=True):
    """A verb with its arguments as they are written, placeholders and all (True: an option without a value)."""

    verb: str
    args: Mapping[str, str | bool] = field(default_factory=dict)

    def filled(self, expand: Callable[[str], str]) -> Call:
        """The call, each argument's text first put through `expand`."""
        action = find(self.verb)
        known = {argument.name: argument.param for argument in action.arguments}
        args = {n: known[n].fill(v, expand) if isinstance(v, str) else v for n, v in self.args.items()}
        _require(action, args)
        return Call(action.name, args)


def parse(line: str) -> Call:
    """The call that `line` asks for; Invalid or NotFound say what is wrong with it."""
    verb, rest = _word(line)
    if not verb:
        raise Invalid("the line is empty; write a verb, for example: assign me")
    action = find(verb)
    return bind(action, _arguments(action, rest))


def draft(line: str) -> Draft:
    """The line, cut into verb and arguments before anything is put in; a placeholder is never cut."""
    if "\0" in line:
        raise Invalid("the line holds a character of value 0; no text has one")
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\0{len(held) - 1}\0"

    verb, rest = _word(PLACEHOLDER.sub(hold, line))
    if not verb:
        raise Invalid("the line is empty; write a verb, for example: assign me")
    if "\0" in verb:
        raise Invalid("a verb is written out; only its arguments can be placeholders")
    action = find(verb)
    args = {
        name: re.sub("\0(\\d+)\0", lambda found: held[int(found[1])], text) if isinstance(text, str) else text
        for name, text in _arguments(action, rest).items()
    }
    _require(action, args)
    return Draft(action.name, args)


def statements(text: str) -> list[str]:
    """Several lines, separated by `;`, each as it is written."""
    return [part for part in _STATEMENT.findall(text) if part.strip()]


def script(text: str) -> list[Call]:
    """The calls of several lines, separated by `;`."""
    return [parse(part) for part in statements(text)]


def listing(text: str) -> list[Call]:
    """The calls of a text with one line each, as a program prints them; what is in quotes may run over several."""
    return [parse(part) for part in _ROW.findall(text) if part.strip()]


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


def _arguments(action: Action, rest: str) -> dict[str, str | bool]:
    """What is written after the verb, by argument, not yet read."""
    args: dict[str, str | bool] = {}
    rest = _options(action, rest, args)
    for argument in (a for a in action.arguments if not a.option):
        value, rest = _value(argument, rest)
        if value is not None:
            args[argument.name] = value
    # Behind single words, as on the command line; what takes the rest of the line takes it all.
    rest = _options(action, rest, args)
    if rest.strip():
        raise Invalid(f'{action.name} does not take "{rest.strip()}"; it is written: {action.usage}')
    return args


def _options(action: Action, rest: str, args: dict[str, str | bool]) -> str:
    """Read the options that stand here into `args`; what is left of the line."""
    options = {a.name: a for a in action.arguments if a.option}
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
        args[name], rest = _word(rest)
    return rest


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
