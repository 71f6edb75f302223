"""What a prompt of the screen is for, and how its list is searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desk.completion import Choice

SHOWN = 8


@dataclass(frozen=True)
class Asking:
    """What a prompt is for: its sign, how it completes, and the lines typed before.

    `picks`: Enter takes the chosen line rather than what was typed (a list to search in).
    """

    kind: str
    sign: str
    choices: Callable[[str], Sequence[Choice]]
    history: Sequence[str] = ()
    picks: bool = False


def search(words: str, choices: Sequence[Choice]) -> list[Choice]:
    """The choices that hold all the words typed, those whose name begins with them first."""
    wanted = words.lower().split()
    found = [c for c in choices if all(w in f"{c.key} {c.label} {c.hint}".lower() for w in wanted)]
    return sorted(found, key=lambda c: not (wanted and c.label.startswith(wanted[0])))
