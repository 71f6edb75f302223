"""Texts with placeholders: `{{ agent.name }}`, filters, defaults and conditions; nothing else.

A template chooses and places; it does not compute. It sees plain data only (texts,
numbers, lists, tables of these). It reads no file, no environment and no attribute, calls
nothing, and has `if`, `for` and the filters of `FILTERS`. What it puts in is never expanded
again, so a customer's words stay words. Steps, lengths and the work of filters are limited,
so that the worst template stops in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from desk import dates
from desk.errors import Invalid
from desk.query import suggest

if TYPE_CHECKING:
    from minijinja import Environment

FUEL = 10_000
"""Steps a template may take: a page of text needs a few hundred."""

LONGEST = 200_000
"""Characters a template may give."""

LONGEST_TEMPLATE = 20_000
"""Characters a template may have."""

_LONGEST_CODE = 1_000
"""Characters between two braces: no person writes more, and a parser has only so much room."""

FILTERS = (
    "capitalize", "count", "d", "date", "default", "first", "int", "join", "last", "length", "lower", "quote", "replace",
    "round", "title", "trim", "truncate", "upper", "urlencode",
)  # fmt: skip
"""What may stand behind a `|`. All others are taken away: some look into objects, some make much of little."""

_UNWANTED = (
    "abs", "attr", "batch", "bool", "chain", "dictsort", "e", "escape", "filesizeformat", "float", "format", "groupby",
    "indent", "items", "lines", "list", "map", "max", "min", "pluralize", "pprint", "reject", "rejectattr", "reverse",
    "safe", "select", "selectattr", "slice", "sort", "split", "string", "striptags", "sum", "tojson", "unique", "wordwrap",
    "zip",
)  # fmt: skip
_GLOBALS = ("cycler", "debug", "dict", "joiner", "namespace", "range")

_STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
PLACEHOLDER = re.compile(
    rf"""\{{\#.*?(?:\#\}}|\Z)|\{{\{{(?P<value>(?:{_STRING}|(?!\}}\}}).)*)\}}\}}|\{{%(?P<tag>(?:{_STRING}|(?!%\}}).)*)%\}}""",
    re.DOTALL,
)
"""One placeholder, condition or comment of a template, as a whole."""

_TAG = re.compile(r"[-+]?\s*(if|elif|else|endif|for|endfor)\b(?!.*\brecursive\b)", re.DOTALL)
_FORBIDDEN = re.compile(r"\.\s*\w+\s*\(|[\])]\s*\(|__|\*|\+|~|/|%|-(?!\s*$|\d)")
"""Calls of methods reach Python; repeating and joining make much of little; a row of signs ends the parser itself."""


def expand(template: str, data: Mapping[str, Any]) -> str:
    """`template` with its placeholders filled from `data`; Invalid names a value that is missing or a mistake."""
    if "{" not in template:
        return template
    demand_simple(template)
    from minijinja import TemplateError

    _made.set(0)
    try:
        text: str = _environment().render_str(template, **plain(data))
    except TemplateError as error:
        raise Invalid(f"the template cannot be filled in: {_why(error)}") from error
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise Invalid(f"the template cannot be filled in: {error}") from error
    if len(text) > LONGEST:
        raise _too_much()
    return text


@lru_cache(256)
def demand_simple(template: str) -> None:
    """Invalid unless `template` is short, and holds nothing but values, filters, `if` and `for`."""
    if len(template) > LONGEST_TEMPLATE:
        raise Invalid(f"the template has more than {LONGEST_TEMPLATE:,} characters")
    for found in PLACEHOLDER.finditer(template):
        code = found["value"] if found["value"] is not None else found["tag"]
        if code is None:
            continue
        if len(code) > _LONGEST_CODE:
            raise Invalid(f"the placeholder {found[0][:40]}… has more than {_LONGEST_CODE:,} characters")
        if found["tag"] is not None and not _TAG.match(code):
            raise Invalid(f"{found[0][:60]} means nothing here; a template has {{% if %}}, {{% for %}} and values")
        bare = re.sub(
            _STRING, "''", code.strip().removeprefix("-").removeprefix("+").removesuffix("-"), flags=re.DOTALL
        )
        if bad := _FORBIDDEN.search(bare):
            raise Invalid(
                f'{found[0][:60]}: a template places values, it does not compute; "{bad[0]}" is not understood'
            )
        for name in re.findall(r"\|\s*(\w+)", bare):
            if name not in FILTERS:
                raise Invalid(f'{found[0][:60]}: there is no filter "{name}"{suggest(name, FILTERS)}')


def names(template: str) -> set[str]:
    """The dotted names that `template` asks for (`ticket.subject`); Invalid where it is no template."""
    if "{" not in template:
        return set()
    demand_simple(template)
    from minijinja import TemplateError

    try:
        return set(_environment().undeclared_variables_in_str(template, nested=True))
    except TemplateError as error:
        raise Invalid(f"this is not a template: {_why(error)}") from error


def _why(error: Any) -> str:
    first: str = (error.args[0] if error.args else str(error.kind)).splitlines()[0]
    if missing := re.match(r"undefined value: `(.+)` is undefined", first):
        return f'{missing[1]} has no value here; {{{{ {missing[1]}|default("...") }}}} says what to put instead'
    return first.replace(" (in <string>:1)", "")


def _too_much() -> Invalid:
    return Invalid(f"the template gives more than {LONGEST:,} characters")


_made: ContextVar[int] = ContextVar("_made", default=0)
"""How many characters the template at hand has put in, or made on the way."""


def _count(value: Any) -> Any:
    if isinstance(value, str):
        _made.set(_made.get() + len(value))
        if _made.get() > LONGEST:
            raise _too_much()
    return value


def _of_text(make: Callable[..., str], size: Callable[..., int]) -> Callable[..., str]:
    """The filter `make`, asked for its size before it makes anything."""

    def filter_(value: Any, *args: Any, **named: Any) -> str:
        if size(value, *args, **named) > LONGEST:
            raise _too_much()
        text: str = _count(make(value, *args, **named))
        return text

    return filter_


@cache
def _environment() -> Environment:
    from minijinja import Environment

    environment = Environment(auto_escape_callback=lambda name: False, finalizer=_count, pycompat=False)
    environment.fuel = FUEL
    environment.undefined_behavior = "strict"
    # Its first line names the placeholder that is missing; the others are not shown.
    environment.debug = True
    for name in _UNWANTED:
        environment.remove_filter(name)
    for name in _GLOBALS:
        environment.remove_global(name)
    environment.add_filter("date", _of_text(dates.written, lambda *_, **__: 0))
    environment.add_filter("quote", _of_text(_quote, lambda text: len(str(text)) + 2 * str(text).count("\n")))
    environment.add_filter("replace", _of_text(_replace, _replaced_size))
    environment.add_filter("truncate", _of_text(_truncate, lambda *_, **__: 0))
    environment.add_filter("join", _of_text(_join, _joined_size))
    return environment


def _quote(text: Any) -> str:
    """Each line with `> ` before it, as mail quotes."""
    return "\n".join(f"> {line}".rstrip() for line in str(text).split("\n"))


def _replace(text: Any, old: Any, new: Any) -> str:
    return str(text).replace(str(old), str(new))


def _replaced_size(text: Any, old: Any, new: Any) -> int:
    return len(str(text)) + str(text).count(str(old)) * len(str(new))


def _truncate(text: Any, length: int = 100) -> str:
    """The beginning of a text, an ellipsis where it goes on."""
    whole = str(text)
    return whole if len(whole) <= int(length) else f"{whole[: max(0, int(length) - 1)].rstrip()}…"


def _join(items: Any, between: Any = "") -> str:
    return str(between).join(str(item) for item in items)


def _joined_size(items: Any, between: Any = "") -> int:
    return sum(len(str(item)) + len(str(between)) for item in items)


def plain(value: Any) -> Any:
    """`value` as plain data, or Invalid: what a template must never get hold of does not reach it."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (str, int)):
        # Named values (Status, Priority) go in by the word people know them by.
        return str(value)
    raise Invalid(f"a template cannot be given a {type(value).__name__}")
