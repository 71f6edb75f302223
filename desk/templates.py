"""Texts with placeholders: `{{ agent.name }}`, filters, defaults and conditions; nothing else.

A template sees plain data only (texts, numbers, lists, tables of these). It reads no
file, no environment and no attribute, runs under a fuel limit, and what it puts in is
never expanded again, so a customer's words stay words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from desk.errors import Invalid

if TYPE_CHECKING:
    from minijinja import Environment

FUEL = 50_000
"""Steps a template may take: a page of text needs a few hundred."""

LONGEST = 200_000
"""Characters a template may give."""


@cache
def _environment() -> Environment:
    from minijinja import Environment

    environment = Environment(auto_escape_callback=lambda name: False)
    environment.fuel = FUEL
    environment.undefined_behavior = "strict"
    environment.debug = False
    return environment


def expand(template: str, data: Mapping[str, Any]) -> str:
    """`template` with its placeholders filled from `data`; Invalid names a value that is missing or a mistake."""
    if "{" not in template:
        return template
    from minijinja import TemplateError

    try:
        text: str = _environment().render_str(template, **plain(data))
    except TemplateError as error:
        raise Invalid(
            f"the template cannot be filled in: {error.args[0].splitlines()[0] if error.args else error.kind}"
        ) from error
    if len(text) > LONGEST:
        raise Invalid(f"the template gives more than {LONGEST:,} characters")
    return text


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
