"""The few ways in which a request can fail; each is a decision for the caller.

The message of an error is a sentence that names the next step, fit to be shown
to a person as it stands.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class DeskError(Exception):
    """Something a person can read and act on."""


class NotFound(DeskError):
    """There is no such ticket, agent, account or file."""


class Forbidden(DeskError):
    """The agent's role does not allow this."""


class Invalid(DeskError):
    """The request cannot be understood, or makes no sense for this ticket."""


class Conflict(DeskError):
    """Somebody else changed the same thing first."""


class ConfigError(DeskError):
    """A configuration file holds something it should not."""


class StoreError(DeskError):
    """The store cannot be used as it is (place, owner, schema, disk)."""


class Busy(StoreError):
    """Another process holds the store for longer than we are willing to wait."""


class Away(StoreError):
    """The store cannot be reached just now; what was asked of it has not been done."""


class Unsure(Away):
    """The store was lost while it saved: what was asked of it has been done, or has not."""


class KeyProblem(ValueError):
    """What a table of the configuration finds wrong with one of its keys."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def suggest(name: str, names: Sequence[str]) -> str:
    """The nearest valid word as the end of a sentence: ` (did you mean "open"?)`, else the valid ones."""
    near = difflib.get_close_matches(name, list(names), 1, 0.5)
    if near:
        return f' (did you mean "{near[0]}"?)'
    return f"; there are {', '.join(names)}" if 0 < len(names) <= 20 else ""
