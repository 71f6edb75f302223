"""Fields of a JSON object that somebody else wrote: of the type they should have, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EMPTY: Mapping[str, Any] = {}
_LATEST_S = 4_000_000_000
_LARGEST = 1 << 63


def number(given: Mapping[str, Any], name: str) -> int | None:
    """A whole number, none that is larger than anything is counted in."""
    found = given.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _LARGEST else None


def string(given: Mapping[str, Any], name: str) -> str:
    """A text; "" when there is none."""
    found = given.get(name)
    return found if isinstance(found, str) else ""


def table(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object; an empty one when there is none."""
    found = given.get(name)
    return found if isinstance(found, dict) else _EMPTY


def tables(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects, without what is none in it."""
    found = given.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def seconds(given: Mapping[str, Any], name: str) -> int | None:
    """A moment that is written as seconds since 1970, in milliseconds; None for one that cannot be."""
    found = number(given, name)
    return found * 1000 if found is not None and 0 < found < _LATEST_S else None


def moment(given: Mapping[str, Any], name: str) -> int | None:
    """A moment that is written as in ISO 8601, in milliseconds; None for one that cannot be."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(string(given, name).replace("Z", "+00:00"))
        at = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return at if 0 < at < _LATEST_S * 1000 else None


__all__ = ["moment", "number", "seconds", "string", "table", "tables"]
